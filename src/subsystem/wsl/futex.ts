import type { Timeout } from '../../ke/call';
import { CLOCK, FUTEX, FUTEX_OP, FUTEX_OP_CMP } from './abi';
import { ERRNO } from './errno';
import { AddressSpace, readInt, writeInt } from './memory';
import type { LinuxCode, LinuxResult, LinuxState, LinuxThread } from './state';
import { deadlineOf, readTimespec, timeoutUntil } from './time';
import { sleep, WOKEN, wake } from './wait-queue';

/**
 * Futexes: who waits where, by the memory and the offset in it. The word is compared and the waiter is
 * entered at one point of virtual time, so no wake falls between the two. Deviation: operations with
 * priority inheritance are ENOSYS.
 */

/** A thread that waits, in the list of its place. */
class Waiter {
  /** Where it waits now; undefined: it has been woken. */
  place: Place | undefined;
  before: Waiter | undefined;
  behind: Waiter | undefined;

  constructor(
    readonly thread: LinuxThread,
    readonly bitset: number,
  ) {}
}

/** Those that wait at one address, in the order in which they came. */
class Place {
  first: Waiter | undefined;
  last: Waiter | undefined;

  constructor(
    readonly places: Map<number, Place>,
    readonly offset: number,
  ) {}

  add(waiter: Waiter): void {
    waiter.place = this;
    waiter.before = this.last;
    waiter.behind = undefined;
    if (this.last === undefined) this.first = waiter;
    else this.last.behind = waiter;
    this.last = waiter;
  }

  remove(waiter: Waiter): void {
    const { before, behind } = waiter;
    if (before === undefined) this.first = behind;
    else before.behind = behind;
    if (behind === undefined) this.last = before;
    else behind.before = before;
    waiter.place = undefined;
    if (this.first === undefined) this.places.delete(this.offset);
  }
}

const MATCH_ANY = -1;
const INT_MAX = 0x7fffffff;

export class FutexTable {
  /** By memory: what nobody has any more takes its places along. */
  private readonly memories = new WeakMap<object, Map<number, Place>>();
  /** Threads that wait. */
  waiting = 0;

  private placesOf(memory: object): Map<number, Place> {
    let places = this.memories.get(memory);
    if (places === undefined) {
      places = new Map();
      this.memories.set(memory, places);
    }
    return places;
  }

  private find({ memory }: LinuxThread, address: number): Place | undefined {
    if (!(memory instanceof AddressSpace)) return this.placesOf(memory).get(address);
    return this.placesOf(memory.backing(address)).get(memory.offset(address));
  }

  private make({ memory }: LinuxThread, address: number): Place {
    const shared = memory instanceof AddressSpace;
    const places = this.placesOf(shared ? memory.backing(address) : memory);
    const offset = shared ? memory.offset(address) : address;
    let place = places.get(offset);
    if (place === undefined) {
      place = new Place(places, offset);
      places.set(offset, place);
    }
    return place;
  }

  private leave(waiter: Waiter): void {
    if (waiter.place === undefined) return;
    waiter.place.remove(waiter);
    this.waiting--;
  }

  /** Wakes up to `count` of those that wait at an address for one of these bits; how many. */
  wake(thread: LinuxThread, address: number, count: number, bitset: number): number {
    let woken = 0;
    let waiter = this.find(thread, address)?.first;
    while (waiter !== undefined && woken < count) {
      const { behind } = waiter;
      if ((waiter.bitset & bitset) !== 0) {
        this.leave(waiter);
        wake(waiter.thread);
        woken++;
      }
      waiter = behind;
    }
    return woken;
  }

  /** The same, and moves up to `most` of the rest to another address; how many were woken or moved. */
  requeue(thread: LinuxThread, from: number, count: number, most: number, to: number): number {
    let done = this.wake(thread, from, count, MATCH_ANY);
    const place = this.find(thread, from);
    if (place === undefined || most === 0) return done;
    const target = this.make(thread, to);
    let waiter = place.first;
    for (let moved = 0; waiter !== undefined && moved < most; moved++) {
      const { behind } = waiter;
      if (target !== place) {
        place.remove(waiter);
        target.add(waiter);
      }
      done++;
      waiter = behind;
    }
    return done;
  }

  /** Waits at an address until woken, or for the time that `timeout` says when it is asked. */
  *wait(
    thread: LinuxThread,
    address: number,
    bitset: number,
    timeout: () => Timeout,
    restartable: boolean,
  ): LinuxCode {
    const waiter = new Waiter(thread, bitset);
    this.make(thread, address).add(waiter);
    this.waiting++;
    try {
      for (;;) {
        const why = yield* sleep(thread, timeout());
        if (waiter.place === undefined) return 0;
        if (why === WOKEN.Timeout) return -ERRNO.ETIMEDOUT;
        if (why === WOKEN.Interrupted) return restartable ? -ERRNO.ERESTARTSYS : -ERRNO.EINTR;
      }
    } finally {
      this.leave(waiter);
    }
  }
}

const forever = (): Timeout => null;

/** FUTEX_WAIT and FUTEX_WAIT_BITSET. */
function futexWait(
  state: LinuxState,
  thread: LinuxThread,
  address: number,
  expected: number,
  pointer: number,
  bitset: number,
  clock: CLOCK | 'relative',
): LinuxResult {
  const word = readInt(thread.memory, address);
  if (word === undefined) return -ERRNO.EFAULT;
  if (bitset === 0) return -ERRNO.EINVAL;
  let timeout = forever;
  if (pointer !== 0) {
    const time = readTimespec(thread.memory, pointer);
    if (time === undefined) return -ERRNO.EFAULT;
    if (time === 'invalid') return -ERRNO.EINVAL;
    const { machine } = state;
    const deadline = deadlineOf(machine, clock, time);
    timeout = () => timeoutUntil(machine, deadline);
  }
  if (word !== (expected | 0)) return -ERRNO.EAGAIN;
  return state.futexes.wait(thread, address, bitset, timeout, pointer === 0);
}

const signed12 = (value: number) => (value << 20) >> 20;

/** What FUTEX_WAKE_OP makes of its second word; undefined: there is no such operation. */
function operated(before: number, operation: number, operand: number): number | undefined {
  switch (operation) {
    case FUTEX_OP.SET:
      return operand;
    case FUTEX_OP.ADD:
      return (before + operand) | 0;
    case FUTEX_OP.OR:
      return before | operand;
    case FUTEX_OP.ANDN:
      return before & ~operand;
    case FUTEX_OP.XOR:
      return before ^ operand;
    default:
      return undefined;
  }
}

/** Whether that wakes at the second word; undefined: there is no such comparison. */
function compared(before: number, comparison: number, operand: number): boolean | undefined {
  switch (comparison) {
    case FUTEX_OP_CMP.EQ:
      return before === operand;
    case FUTEX_OP_CMP.NE:
      return before !== operand;
    case FUTEX_OP_CMP.LT:
      return before < operand;
    case FUTEX_OP_CMP.LE:
      return before <= operand;
    case FUTEX_OP_CMP.GT:
      return before > operand;
    case FUTEX_OP_CMP.GE:
      return before >= operand;
    default:
      return undefined;
  }
}

/** FUTEX_WAKE_OP: changes the second word, wakes at the first, and at the second if its old value says so. */
function wakeOp(
  { futexes }: LinuxState,
  thread: LinuxThread,
  address: number,
  counts: readonly [number, number],
  second: number,
  encoded: number,
): number {
  const { memory } = thread;
  const before = readInt(memory, second);
  if (readInt(memory, address) === undefined || before === undefined) return -ERRNO.EFAULT;
  if (second % 4 !== 0) return -ERRNO.EINVAL;
  const operation = (encoded >>> 28) & 15;
  const given = signed12(encoded >>> 12);
  const operand = (operation & FUTEX_OP.OPARG_SHIFT) === 0 ? given : 1 << (given & 31);
  const after = operated(before, operation & ~FUTEX_OP.OPARG_SHIFT, operand);
  const also = compared(before, (encoded >>> 24) & 15, signed12(encoded));
  if (after === undefined || also === undefined) return -ERRNO.ENOSYS;
  writeInt(memory, second, after);
  const woken = futexes.wake(thread, address, counts[0], MATCH_ANY);
  return also ? woken + futexes.wake(thread, second, counts[1], MATCH_ANY) : woken;
}

/** futex(2). */
export function futex(
  state: LinuxState,
  thread: LinuxThread,
  address: number,
  operation: number,
  value: number,
  timeout: number,
  second: number,
  third: number,
): LinuxResult {
  if (address % 4 !== 0) return -ERRNO.EINVAL;
  const realtime = (operation & FUTEX.CLOCK_REALTIME) !== 0;
  const absolute = realtime ? CLOCK.REALTIME : CLOCK.MONOTONIC;
  const count = value | 0;
  const { futexes } = state;
  switch (operation & FUTEX.CommandMask) {
    case FUTEX.WAIT:
      if (realtime) return -ERRNO.ENOSYS;
      return futexWait(state, thread, address, value, timeout, MATCH_ANY, 'relative');
    case FUTEX.WAIT_BITSET:
      return futexWait(state, thread, address, value, timeout, third | 0, absolute);
    case FUTEX.WAKE:
      if (readInt(thread.memory, address) === undefined) return -ERRNO.EFAULT;
      return futexes.wake(thread, address, count < 1 ? 1 : count, MATCH_ANY);
    case FUTEX.WAKE_BITSET:
      if ((third | 0) === 0) return -ERRNO.EINVAL;
      if (readInt(thread.memory, address) === undefined) return -ERRNO.EFAULT;
      return futexes.wake(thread, address, count < 1 ? 1 : count, third | 0);
    case FUTEX.WAKE_OP: {
      const counts = [Math.max(1, count), Math.max(1, timeout | 0)] as const;
      return wakeOp(state, thread, address, counts, second, third | 0);
    }
    case FUTEX.REQUEUE:
    case FUTEX.CMP_REQUEUE: {
      const word = readInt(thread.memory, address);
      if (word === undefined || readInt(thread.memory, second) === undefined) return -ERRNO.EFAULT;
      if (second % 4 !== 0 || count < 0 || (timeout | 0) < 0) return -ERRNO.EINVAL;
      const compares = (operation & FUTEX.CommandMask) === FUTEX.CMP_REQUEUE;
      if (compares && word !== (third | 0)) return -ERRNO.EAGAIN;
      return futexes.requeue(thread, address, count, Math.min(timeout | 0, INT_MAX), second);
    }
    default:
      return -ERRNO.ENOSYS;
  }
}
