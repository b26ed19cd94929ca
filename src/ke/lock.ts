import { BUGCHECK } from '../../assembly/shared/bugcheck';
import { OP } from '../../assembly/shared/opcode';
import type { KWAIT_REASON } from '../../assembly/shared/types';
import type { Request } from '../machine/guest';
import { encode, words64 } from '../machine/instruction';
import { Lock, LockQueue, type LockWaiter } from '../machine/lock';
import type { KThread } from '../machine/views';
import { reportViolation, VIOLATION } from './call';

/** What the locks of the host have in common, and mutexes that have one owner and nothing else. */

/** Waits, in kernel mode and for ever, until a waiter is let go on. */
export function* waitForLock(
  waiter: LockWaiter,
  reason: KWAIT_REASON,
): Generator<Request, void, number> {
  const { event } = waiter;
  const forever = words64(Number.POSITIVE_INFINITY);
  yield [encode(OP.Wait, 0, reason), ...words64(event.handle), ...forever];
  event.machine.locks.returnEvent(event);
}

/** FAST_MUTEX and KGUARDED_MUTEX: one owner, who must not acquire it again; handed on in order. */
export abstract class MutexLock extends Lock {
  /** 1 free, 0 owned, below: minus how many wait. */
  protected state = 1;
  private holder: KThread | undefined;
  private contended = 0;
  private readonly waiters = new LockQueue();

  /** Owner: undefined for NULL. */
  get owner(): KThread | undefined {
    return this.holder;
  }

  /** Contention: how often a thread had to wait. */
  get contention(): number {
    return this.contended;
  }

  override get owners(): readonly KThread[] {
    return this.holder === undefined ? [] : [this.holder];
  }

  /** @internal Makes it a free one, as if nobody had ever had it. */
  initialize(routine: string): void {
    if (this.holder !== undefined || this.waiters.count !== 0) {
      const message = `${this.name} is owned; release it first`;
      reportViolation(routine, message, VIOLATION.LockInitializedTwice, this.index);
    }
    this.state = 1;
    this.contended = 0;
  }

  /** @internal Takes it if it is free. */
  tryTake(thread: KThread): boolean {
    if (this.state < 1) return false;
    this.state--;
    this.holder = thread;
    this.hold(thread);
    return true;
  }

  /** @internal Takes it, or gives who has to wait for it. */
  take(thread: KThread): LockWaiter | undefined {
    if (this.tryTake(thread)) return undefined;
    this.state--;
    this.contended++;
    return this.enqueue(this.waiters, thread, true);
  }

  /** @internal Gives it to who has waited longest, or frees it. */
  give(routine: string, thread: KThread): void {
    const { holder } = this;
    if (holder === undefined) {
      const message = `nobody has acquired ${this.name}`;
      reportViolation(routine, message, VIOLATION.LockNotAcquired, this.index, thread.address);
    } else if (holder !== thread) {
      const message = `${this.name} is owned by thread '${holder.name}'; release it there`;
      reportViolation(routine, message, VIOLATION.LockNotOwned, this.index, thread.address);
    }
    this.state++;
    const next = this.waiters.shift();
    this.holder = next?.thread;
    if (holder !== undefined) this.letGo(holder);
    if (next === undefined) return;
    this.wake(next);
    this.hold(next.thread);
    this.settle();
  }

  override leakedBy(thread: KThread): never {
    const { machine, address } = thread;
    if (machine.checkIrql) {
      const code = BUGCHECK.DRIVER_VERIFIER_DETECTED_VIOLATION;
      machine.bugCheck(code, VIOLATION.LockLeaked, this.index, address);
    }
    return super.leakedBy(thread);
  }
}
