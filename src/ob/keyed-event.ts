import type { KEvent, KThread } from '../machine/views';
import { HostObject } from './object';

/** One that has come to a keyed event before who it is to meet. */
export interface KeyedWaiter {
  readonly thread: KThread;
  /** Signaled when the other has come. */
  readonly met: KEvent;
}

/** Threads of one side and the other, in the order in which they came; one of the two lists is empty. */
interface Meeting {
  readonly waiting: KeyedWaiter[];
  readonly releasing: KeyedWaiter[];
}

export type KeyedSide = keyof Meeting;

/** KEYED_EVENT: where a thread that waits for a key and one that releases it meet, within a process. */
export class KeyedEvent extends HostObject {
  private readonly meetings = new Map<string, Meeting>();

  /** Takes the first of the other side out; undefined: nobody is there. */
  meet(key: string, side: KeyedSide): KeyedWaiter | undefined {
    const other = this.meetings.get(key)?.[side === 'waiting' ? 'releasing' : 'waiting'];
    const first = other?.shift();
    if (first !== undefined && other?.length === 0) this.meetings.delete(key);
    return first;
  }

  add(key: string, side: KeyedSide, waiter: KeyedWaiter): void {
    let meeting = this.meetings.get(key);
    if (meeting === undefined) {
      meeting = { waiting: [], releasing: [] };
      this.meetings.set(key, meeting);
    }
    meeting[side].push(waiter);
  }

  /** Takes one out who waits no longer; false if the other has come meanwhile. */
  remove(key: string, side: KeyedSide, waiter: KeyedWaiter): boolean {
    const waiters = this.meetings.get(key)?.[side];
    const index = waiters?.indexOf(waiter) ?? -1;
    if (waiters === undefined || index === -1) return false;
    waiters.splice(index, 1);
    if (waiters.length === 0) this.meetings.delete(key);
    return true;
  }
}
