import { EResource } from '../../src/ex/eresource';
import {
  ExAcquireResourceExclusiveLite,
  ExAcquireResourceSharedLite,
  ExAcquireSharedStarveExclusive,
  ExAcquireSharedWaitForExclusive,
  ExConvertExclusiveToSharedLite,
  ExReleaseResourceLite,
} from '../../src/ex/resource';
import { KeEnterCriticalRegion, KeLeaveCriticalRegion } from '../../src/ke/irql';
import { currentGuest, type Request } from '../../src/machine/guest';
import type { KThread } from '../../src/machine/views';
import type { Step } from './harness';

/** Steps that take locks, and what they find of each other when they have one. */

type Call = () => Iterable<Request, unknown, number>;

/** Who is inside at one time: the most that share, and whether one that was to be alone was not. */
export class Room {
  private readonly inside: { readonly thread: KThread; alone: boolean }[] = [];
  private most = 0;
  private broken = false;

  enter(alone: boolean): void {
    this.inside.push({ thread: currentGuest('enter').thread, alone });
    this.most = Math.max(this.most, this.inside.length);
    if (this.inside.length > 1 && this.inside.some((one) => one.alone)) this.broken = true;
  }

  /** False if the thread is not inside. */
  leave(): boolean {
    const { thread } = currentGuest('leave');
    const index = this.inside.findIndex((one) => one.thread === thread);
    return this.inside.splice(index, index < 0 ? 0 : 1).length !== 0;
  }

  share(): void {
    for (const one of this.inside) one.alone = false;
  }

  toString(): string {
    return `${this.broken ? 'broken, ' : ''}${this.most} at most`;
  }
}

/** Takes a lock in a critical region, and enters; its outcome is 'no' if that was refused. */
export const enter = (room: Room, alone: boolean, acquire: Call): Step =>
  function* () {
    KeEnterCriticalRegion();
    if ((yield* acquire()) !== false) {
      room.enter(alone);
      return 'in';
    }
    yield* KeLeaveCriticalRegion();
    return 'no';
  };

/** Leaves, as often as the thread has entered. */
export const leave = (room: Room, release: Call): Step =>
  function* () {
    while (room.leave()) {
      yield* release();
      yield* KeLeaveCriticalRegion();
    }
  };

/** Steps that are one: its outcome is theirs. */
export const all = (...steps: readonly Step[]): Step =>
  function* () {
    const found: unknown[] = [];
    for (const step of steps) found.push(yield* step());
    return found;
  };

/** A resource, and steps that take it in each of its forms and let go of it. */
export function resource() {
  const room = new Room();
  const lock = new EResource().initialize();
  return {
    room,
    exclusive: enter(room, true, () => ExAcquireResourceExclusiveLite(lock, true)),
    tryExclusive: enter(room, true, () => ExAcquireResourceExclusiveLite(lock, false)),
    shared: enter(room, false, () => ExAcquireResourceSharedLite(lock, true)),
    tryShared: enter(room, false, () => ExAcquireResourceSharedLite(lock, false)),
    tryStarving: enter(room, false, () => ExAcquireSharedStarveExclusive(lock, false)),
    tryWaiting: enter(room, false, () => ExAcquireSharedWaitForExclusive(lock, false)),
    convert: function* () {
      room.share();
      yield* ExConvertExclusiveToSharedLite(lock);
    } as Step,
    release: leave(room, () => ExReleaseResourceLite(lock)),
  };
}
