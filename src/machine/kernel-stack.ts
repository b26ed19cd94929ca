import { BUGCHECK } from '../../assembly/shared/bugcheck';
import type { DriverObject } from './driver';
import type { Machine } from './machine';
import { requireInteger } from './profile';
import type { KThread } from './views';

/** Numbers that stand for addresses of kernel stacks: apart from each other, and nothing is there. */
const STACK_ADDRESS = 2 ** 47;
const STACK_DISTANCE = 2 ** 18;

/** A routine that is on a kernel stack, and what it takes of it. */
export interface StackFrame {
  /** As a debugger writes it: `protect!onProcess` for a driver's, the kernel's by its name alone. */
  readonly routine: string;
  readonly bytes: number;
}

/** The cause of UNEXPECTED_KERNEL_MODE_TRAP: more was on a kernel stack than it holds. */
export class KernelStackOverflow extends Error {
  override readonly name = 'KernelStackOverflow';

  constructor(
    /** What was on the stack, the routine that was called last first. */
    readonly chain: readonly StackFrame[],
    size: number,
  ) {
    const calls = chain.map(({ routine, bytes }) => `${routine} (${bytes})`).join(', called by ');
    super(`the kernel stack of ${size} bytes was overrun by ${calls}`);
  }
}

/** A routine that is being executed, as it is kept on the stack. */
export interface StackEntry {
  readonly routine: string;
  /** Whose code it is; undefined: the kernel's, or code that no driver was loaded with. */
  readonly owner: DriverObject | undefined;
  readonly bytes: number;
}

/** A part of a kernel stack that lies by itself: the stack that it begins with, and one for each expansion. */
interface Segment {
  readonly low: number;
  readonly size: number;
  used: number;
  /** The one before the expansion. */
  readonly outer: Segment | undefined;
}

/**
 * The kernel stack of a thread, DPC or interrupt routine of the host: the chain of routines that are
 * being executed, what each takes, and whose code runs. JavaScript has a stack of its own, so this one
 * holds only what routines say that they take.
 *
 * Invariant: a routine leaves before the one that called it does, by return or by exception.
 */
export class KernelStack {
  private readonly entries: StackEntry[] = [];
  private segment: Segment;
  /** The exception that passed a routine last, and what was on the stack when it was thrown. */
  private thrown: { readonly error: unknown; readonly chain: readonly StackFrame[] } | undefined;
  /** The driver whose code runs; undefined: the kernel's, or code that no driver was loaded with. */
  driver: DriverObject | undefined;
  /** Callouts of KeExpandKernelStackAndCallout that have begun and not ended, expanded or not. */
  callouts = 0;

  constructor(private readonly machine: Machine) {
    this.segment = this.newSegment(machine.profile.kernelStackBytes, undefined);
  }

  /** Begins a routine of the kernel's: it takes `bytes` until it leaves. */
  enter(routine: string, bytes: number): void {
    this.push({ routine, owner: undefined, bytes });
  }

  /** Begins any routine. */
  push(entry: StackEntry): void {
    this.entries.push(entry);
    this.segment.used += entry.bytes;
    if (this.segment.used <= this.segment.size) return;
    const error = this.overrun();
    this.fail(error);
    throw error;
  }

  leave(): void {
    this.segment.used -= (this.entries.pop() as StackEntry).bytes;
  }

  /** Whether nothing is on it but an entry of a kind, and no exception has passed. */
  holdsOnly(kind: new (thread: KThread) => StackEntry): boolean {
    const { entries, thrown } = this;
    return entries.length === 1 && entries[0] instanceof kind && thrown === undefined;
  }

  /** The routine that was called last is left by an exception. */
  fail(error: unknown): void {
    this.note(error);
    this.leave();
  }

  /** An exception passes a routine. */
  note(error: unknown): void {
    if (this.thrown?.error !== error) this.thrown = { error, chain: this.chain() };
  }

  /** The routine that was called last takes so much more. */
  declare(bytes: number): void {
    const { routine, owner, bytes: before } = this.entries.pop() as StackEntry;
    this.entries.push({ routine, owner, bytes: before + bytes });
    this.segment.used += bytes;
    if (this.segment.used > this.segment.size) throw this.overrun();
  }

  private overrun(): KernelStackOverflow {
    this.machine.bugCheck(BUGCHECK.UNEXPECTED_KERNEL_MODE_TRAP, DOUBLE_FAULT);
    return new KernelStackOverflow(this.chain(), this.segment.size);
  }

  /** Goes on in a new segment, until `contract`. */
  expand(size: number): void {
    this.segment = this.newSegment(size, this.segment);
  }

  contract(): void {
    this.segment = this.segment.outer as Segment;
  }

  /** The segments, the one in use first. */
  private *segments(): Generator<Segment, void> {
    for (let at: Segment | undefined = this.segment; at !== undefined; at = at.outer) yield at;
  }

  /** How many segments there are beyond the first. */
  get expansions(): number {
    return [...this.segments()].length - 1;
  }

  /** Bytes that are left of the segment in use. */
  get remaining(): number {
    return this.segment.size - this.segment.used;
  }

  /** The segment in use: its lowest address, and the one behind its highest. */
  get limits(): { readonly low: number; readonly high: number } {
    return { low: this.segment.low, high: this.segment.low + this.segment.size };
  }

  /** Whether `size` bytes from `address` lie in one of the segments. */
  contains(address: number, size: number): boolean {
    return [...this.segments()].some(
      (segment) => address >= segment.low && address + size <= segment.low + segment.size,
    );
  }

  /** What was on it when `error` was thrown, if it was while a routine was on it; else what is on it. */
  chainAt(error: unknown): readonly StackFrame[] {
    const { thrown } = this;
    return error !== undefined && thrown?.error === error ? thrown.chain : this.chain();
  }

  /** What is on it, the routine that was called last first. */
  chain(): StackFrame[] {
    return this.entries
      .map(({ routine, owner, bytes }) => ({ routine: qualifiedName(owner, routine), bytes }))
      .reverse();
  }

  private newSegment(size: number, outer: Segment | undefined): Segment {
    const low = STACK_ADDRESS + this.machine.guests.nextStack() * STACK_DISTANCE;
    return { low, size, used: 0, outer };
  }
}

/** A routine by the image that holds it, `protect!onProcess`; the kernel's by its name alone. */
export function qualifiedName(
  owner: { readonly name: string } | undefined,
  routine: string,
): string {
  return owner === undefined ? routine : `${owner.name}!${routine}`;
}

/** Parameter 1 of UNEXPECTED_KERNEL_MODE_TRAP: the processor's trap number. */
const DOUBLE_FAULT = 8;

/** Bytes of a stack as a caller gives them. */
export function requireStackBytes(name: string, bytes: number): number {
  return requireInteger(name, bytes, 0, STACK_DISTANCE / 2);
}
