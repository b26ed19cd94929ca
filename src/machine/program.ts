import { LIMIT } from '../../assembly/shared/limits';
import {
  APC_REGION,
  CONDITION,
  OP,
  OPERAND,
  PERIOD,
  QUEUE,
  SIGNAL,
  SPIN,
  WAIT_FIELD,
} from '../../assembly/shared/opcode';
import {
  IRQL,
  KWAIT_REASON,
  MODE,
  type PRIORITY_CLASS,
  WAIT_TYPE,
} from '../../assembly/shared/types';
import { MachineError } from './errors';
import type { Machine } from './machine';
import {
  CONDITIONS,
  encode,
  INSTRUCTIONS,
  instructionLength,
  type ObjectOperand,
  objectWords,
  WIDTH,
  words64,
} from './instruction';
import { requireInteger } from './profile';
import { FAULT_CALL } from './user-context';

/** Bytecode of program threads, as 32-bit words; made by `program`, or by hand. */
export interface Program {
  readonly name: string;
  readonly words: Uint32Array;
}

/** A program in a machine's memory. */
export interface LoadedProgram {
  readonly name: string;
  /** Byte address of its first word. */
  readonly address: number;
  readonly length: number;
  /** @internal Whose memory that is. */
  readonly machine: Machine;
}

/** A place in a program that is being built. */
export class Label {
  /** @internal */ offset = -1;
  /** @internal */ readonly uses: number[] = [];
}

/** One of a thread's four registers, each a signed 64-bit integer. */
export class Register {
  constructor(readonly register: number) {}
}

export interface WaitOptions {
  /** Ns from now; 0 polls; absent: for ever. */
  readonly timeoutNs?: number;
  readonly reason?: KWAIT_REASON;
  readonly mode?: MODE;
  /** Alerts, and in user mode APCs, end the wait with STATUS_ALERTED or STATUS_USER_APC. */
  readonly alertable?: boolean;
}

/** A duration: ns, or a distribution to draw it from, seeded by the machine and the thread. */
export type Duration =
  | number
  | { readonly uniform: readonly [number, number] }
  | { readonly exponential: number };

const MAX_NS = Number.MAX_SAFE_INTEGER;

/** The modes of a WAIT_FIELD. */
function waitModes({ mode, alertable }: Pick<WaitOptions, 'mode' | 'alertable'>): number {
  const user = mode === MODE.UserMode ? WAIT_FIELD.UserMode : 0;
  return user | (alertable === true ? WAIT_FIELD.Alertable : 0);
}

function waitFields(
  what: string,
  options: WaitOptions,
): { readonly reason: number; readonly timeout: number } {
  const { timeoutNs, reason } = options;
  const timeout = timeoutNs ?? Number.POSITIVE_INFINITY;
  if (timeout !== Number.POSITIVE_INFINITY) requireInteger(`${what}.timeoutNs`, timeout, 0, MAX_NS);
  return {
    reason: (reason ?? KWAIT_REASON.Executive) | waitModes(options),
    timeout,
  };
}

function signalField(what: string, increment: number, wait: boolean): number {
  return requireInteger(`${what}.increment`, increment, 0, 15) | (wait ? SIGNAL.Wait : 0);
}

/**
 * Builds a program instruction by instruction. Methods that wait leave their NTSTATUS for
 * `ifStatus`; those that signal leave the previous state.
 */
export class ProgramBuilder {
  private readonly code: number[] = [];
  private registers = 0;
  private readonly labels: Label[] = [];

  /** Computes for a time; a drawn time is at least 1 ns. */
  compute(duration: Duration, mode: MODE = MODE.UserMode): this {
    if (typeof duration === 'number') {
      return this.emit(
        OP.Compute,
        mode,
        0,
        words64(requireInteger('compute', duration, 1, MAX_NS)),
      );
    }
    if ('uniform' in duration) {
      const [low, high] = duration.uniform;
      requireInteger('compute.uniform[0]', low, 1, MAX_NS);
      requireInteger('compute.uniform[1]', high, low, MAX_NS);
      return this.emit(OP.ComputeUniform, mode, 0, [...words64(low), ...words64(high)]);
    }
    const mean = requireInteger('compute.exponential', duration.exponential, 1, 2 ** 47);
    return this.emit(OP.ComputeExponential, mode, 0, words64(mean));
  }

  /** KeWaitForSingleObject. */
  wait(object: ObjectOperand, options: WaitOptions = {}): this {
    const { a, words } = objectWords(object);
    const { reason, timeout } = waitFields('wait', options);
    return this.emit(OP.Wait, a, reason, [...words, ...words64(timeout)]);
  }

  /**
   * NtSignalAndWaitForSingleObject: sets the event or releases the semaphore `signalled` by one, and
   * waits for `object`, with nothing in between. Both are handles, or both are registers.
   */
  signalAndWait(signalled: ObjectOperand, object: ObjectOperand, options: WaitOptions = {}): this {
    const first = objectWords(signalled);
    const second = objectWords(object);
    if (first.a !== second.a) {
      throw new MachineError(
        'signalAndWait: one object is named by a handle, the other by a register; name both alike',
      );
    }
    const { reason, timeout } = waitFields('signalAndWait', options);
    const words = [...first.words, ...second.words, ...words64(timeout)];
    return this.emit(OP.SignalAndWait, first.a, reason, words);
  }

  /** KeWaitForMultipleObjects: one of up to 64 objects, or all of them. The status of one is its index. */
  waitMultiple(
    objects: readonly { readonly handle: number }[],
    type: WAIT_TYPE,
    options: WaitOptions = {},
  ): this {
    requireInteger('waitMultiple: the number of objects', objects.length, 1, LIMIT.WaitObjects);
    const { reason, timeout } = waitFields('waitMultiple', options);
    return this.emit(OP.WaitMultiple, type, reason, [
      objects.length,
      ...words64(timeout),
      ...objects.flatMap(({ handle }) => words64(handle)),
    ]);
  }

  /** KeSetTimerEx: `ns` from now, then every `periodMs`, with a DPC; the status is 1 if it was set already. */
  setTimer(
    object: ObjectOperand,
    ns: number,
    periodMs = 0,
    dpc?: { readonly handle: number },
  ): this {
    const { a, words } = objectWords(object);
    requireInteger('setTimer: ns', ns, 0, MAX_NS);
    requireInteger('setTimer: periodMs', periodMs, 0, 0x7fffffff);
    const dpcWords = words64(dpc?.handle ?? 0);
    return this.emit(OP.SetTimer, a, 0, [...words, ...words64(ns), periodMs, ...dpcWords]);
  }

  /** KeCancelTimer: the status is 1 if it was set. */
  cancelTimer(object: ObjectOperand): this {
    const { a, words } = objectWords(object);
    return this.emit(OP.CancelTimer, a, 0, words);
  }

  /** KeReleaseMutant; who does not own it gets STATUS_MUTANT_NOT_OWNED. */
  releaseMutant(object: ObjectOperand, increment = 1, wait = false): this {
    const { a, words } = objectWords(object);
    return this.emit(OP.ReleaseMutant, a, signalField('releaseMutant', increment, wait), words);
  }

  /** KeSetEvent. With `wait` (Wait = TRUE) it goes on at DISPATCH_LEVEL until the wait that must follow. */
  setEvent(object: ObjectOperand, increment = 1, wait = false): this {
    const { a, words } = objectWords(object);
    return this.emit(OP.SetEvent, a, signalField('setEvent', increment, wait), words);
  }

  resetEvent(object: ObjectOperand): this {
    const { a, words } = objectWords(object);
    return this.emit(OP.ResetEvent, a, 0, words);
  }

  /** KePulseEvent. */
  pulseEvent(object: ObjectOperand, increment = 1, wait = false): this {
    const { a, words } = objectWords(object);
    return this.emit(OP.PulseEvent, a, signalField('pulseEvent', increment, wait), words);
  }

  /** KeReleaseSemaphore; past the limit the status is STATUS_SEMAPHORE_LIMIT_EXCEEDED. */
  releaseSemaphore(
    object: ObjectOperand,
    adjustment: number | Register = 1,
    increment = 1,
    wait = false,
  ): this {
    const { a, words } = objectWords(object);
    if (adjustment instanceof Register) {
      if (wait)
        throw new MachineError(
          'releaseSemaphore: wait goes with an adjustment that is a number, not a register',
        );
      return this.emit(OP.ReleaseSemaphoreRegister, a, adjustment.register, words);
    }
    requireInteger('releaseSemaphore.adjustment', adjustment, 1, 0x7fffffff);
    const b = signalField('releaseSemaphore', increment, wait);
    return this.emit(OP.ReleaseSemaphore, a, b, [...words, adjustment]);
  }

  /** KeSetEventBoostPriority: the waiter is lifted to this thread's priority plus one. */
  setEventBoostPriority(object: ObjectOperand): this {
    const { a, words } = objectWords(object);
    return this.emit(OP.SetEventBoostPriority, a, 0, words);
  }

  /** KeWaitForGate. */
  waitGate(gate: ObjectOperand, options: Omit<WaitOptions, 'timeoutNs'> = {}): this {
    const { a, words } = objectWords(gate);
    return this.emit(OP.WaitGate, a, waitFields('waitGate', options).reason, words);
  }

  /** KeSignalGateBoostPriority. */
  signalGate(gate: ObjectOperand): this {
    const { a, words } = objectWords(gate);
    return this.emit(OP.SignalGate, a, 0, words);
  }

  /** KeInsertQueue, or KeInsertHeadQueue: an entry is 64 bits; the status is how many there were. */
  insertQueue(
    queue: ObjectOperand,
    entry: number | bigint | Register,
    end: 'tail' | 'head' = 'tail',
  ): this {
    const { a, words } = objectWords(queue);
    const held = entry instanceof Register;
    const b = (end === 'head' ? QUEUE.Head : 0) | (held ? QUEUE.Register : 0);
    const value = words64(held ? entry.register : entry);
    return this.emit(OP.InsertQueue, a, b, [...words, ...value]);
  }

  /** KeRemoveQueue: the entry goes to `into`. */
  removeQueue(
    queue: ObjectOperand,
    into: Register,
    options: Omit<WaitOptions, 'reason'> = {},
  ): this {
    const { a, words } = objectWords(queue);
    const { timeout } = waitFields('removeQueue', options);
    const b = into.register | waitModes(options);
    return this.emit(OP.RemoveQueue, a, b, [...words, ...words64(timeout)]);
  }

  /** KeDelayExecutionThread: goes on at the first clock tick at or after `ns` from now; 0 is a yield. */
  delay(ns: number, options: Pick<WaitOptions, 'mode' | 'alertable'> = {}): this {
    const time = words64(requireInteger('delay', ns, 0, MAX_NS));
    return this.emit(OP.Delay, 0, waitModes(options), time);
  }

  /** The same until a time since boot; not at all if that has come. */
  delayUntil(ns: number): this {
    return this.emit(OP.DelayUntil, 0, 0, words64(requireInteger('delayUntil', ns, 0, MAX_NS)));
  }

  /**
   * Delays until `ns` after the last time held in `last` (0: now), and stores the new time there.
   * A time that has passed is no delay; the next one then counts from it, or with 'restart' from now.
   */
  delayPeriod(last: Register, ns: number, missed: 'keep' | 'restart' = 'keep'): this {
    const mode = missed === 'keep' ? PERIOD.Keep : PERIOD.Restart;
    const period = requireInteger('delayPeriod', ns, 1, MAX_NS);
    return this.emit(OP.DelayPeriod, last.register, mode, words64(period));
  }

  /**
   * The same on the shared words `word` (even) and `word + 1`, so that threads share the time. While
   * they are 0, the time is that of `first`.
   */
  delayShared(
    word: number,
    first: Register,
    ns: number,
    missed: 'keep' | 'restart' = 'keep',
  ): this {
    const mode = missed === 'keep' ? PERIOD.Keep : PERIOD.Restart;
    requireInteger('delayShared.word', word, 0, 0x3ffffffe);
    const period = requireInteger('delayShared', ns, 1, MAX_NS);
    return this.emit(OP.DelayShared, first.register, mode, [word, ...words64(period)]);
  }

  /** KeRaiseIrql; the level before is the status. A lower one is a bugcheck. */
  raiseIrql(level: IRQL): this {
    return this.emit(OP.RaiseIrql, 0, requireInteger('raiseIrql', level, 0, IRQL.HIGH_LEVEL));
  }

  /** KeLowerIrql. A higher one is a bugcheck. */
  lowerIrql(level: IRQL): this {
    return this.emit(OP.LowerIrql, 0, requireInteger('lowerIrql', level, 0, IRQL.HIGH_LEVEL));
  }

  /** KeEnterCriticalRegion, `body`, KeLeaveCriticalRegion: no normal kernel APCs meanwhile. */
  criticalRegion(body: () => void): this {
    return this.region(APC_REGION.Critical, body);
  }

  /** KeEnterGuardedRegion, `body`, KeLeaveGuardedRegion: no APCs meanwhile. */
  guardedRegion(body: () => void): this {
    return this.region(APC_REGION.Guarded, body);
  }

  private region(region: APC_REGION, body: () => void): this {
    this.emit(OP.ApcRegion, 0, region, [-1 >>> 0]);
    body();
    return this.emit(OP.ApcRegion, 0, region, [1]);
  }

  /** KeAcquireSpinLock, `body` at DISPATCH_LEVEL, KeReleaseSpinLock to PASSIVE_LEVEL. */
  spinLock(object: ObjectOperand, body: () => void): this {
    const { a, words } = objectWords(object);
    this.emit(OP.AcquireSpinLock, a, 0, words);
    body();
    return this.emit(OP.ReleaseSpinLock, a, IRQL.PASSIVE_LEVEL << 8, words);
  }

  /** KeAcquireSpinLockAtDpcLevel, `body`, KeReleaseSpinLockFromDpcLevel: for DPCs and raised levels. */
  spinLockAtDpcLevel(object: ObjectOperand, body: () => void): this {
    const { a, words } = objectWords(object);
    this.emit(OP.AcquireSpinLock, a, SPIN.AtDpcLevel, words);
    body();
    return this.emit(OP.ReleaseSpinLock, a, SPIN.AtDpcLevel, words);
  }

  /** KeInsertQueueDpc; the status is 1, or 0 if it was queued already. */
  insertQueueDpc(
    object: ObjectOperand,
    first: number | bigint = 0,
    second: number | bigint = 0,
  ): this {
    const { a, words } = objectWords(object);
    return this.emit(OP.InsertQueueDpc, a, 0, [...words, ...words64(first), ...words64(second)]);
  }

  /** KeRemoveQueueDpc; the status is 1 if it was queued. */
  removeQueueDpc(object: ObjectOperand): this {
    const { a, words } = objectWords(object);
    return this.emit(OP.RemoveQueueDpc, a, 0, words);
  }

  /** KeInsertQueueApc; the status is 1, or 0 if it is queued already or its thread has begun to end. */
  insertQueueApc(
    apc: ObjectOperand,
    first: number | bigint = 0,
    second: number | bigint = 0,
    increment = 0,
  ): this {
    const { a, words } = objectWords(apc);
    requireInteger('insertQueueApc.increment', increment, 0, 15);
    const operands = [...words, ...words64(first), ...words64(second)];
    return this.emit(OP.InsertQueueApc, a, increment, operands);
  }

  /** KeRemoveQueueApc; the status is 1 if it was queued. */
  removeQueueApc(apc: ObjectOperand): this {
    return this.onObject(OP.RemoveQueueApc, apc);
  }

  /** KeAlertThread; the status is 1 if it was alerted already. */
  alertThread(thread: ObjectOperand, mode: MODE = MODE.KernelMode): this {
    return this.onObject(OP.AlertThread, thread, mode);
  }

  /** KeTestAlertThread; the status is 1 if it was alerted. */
  testAlert(mode: MODE = MODE.KernelMode): this {
    return this.emit(OP.TestAlert, 0, mode);
  }

  /** KeSuspendThread; the status is the count before, or STATUS_SUSPEND_COUNT_EXCEEDED. */
  suspendThread(thread: ObjectOperand): this {
    return this.onObject(OP.SuspendThread, thread);
  }

  /** KeResumeThread; the status is the count before. */
  resumeThread(thread: ObjectOperand): this {
    return this.onObject(OP.ResumeThread, thread);
  }

  /** Asks a thread to end at its next return to user mode; STATUS_THREAD_IS_TERMINATING if it has begun to. */
  terminateThread(thread: ObjectOperand, status = 0): this {
    const { a, words } = objectWords(thread);
    return this.emit(OP.TerminateThread, a, 0, [...words, status >>> 0]);
  }

  /** KeStackAttachProcess, `body`, KeUnstackDetachProcess. */
  attachProcess(process: ObjectOperand, body: () => void): this {
    this.onObject(OP.AttachProcess, process);
    body();
    return this.emit(OP.DetachProcess);
  }

  /** NtAlertThreadByThreadId. */
  alertThreadById(thread: ObjectOperand): this {
    return this.onObject(OP.AlertThreadById, thread);
  }

  /** NtWaitForAlertByThreadId: STATUS_ALERTED or STATUS_TIMEOUT. */
  waitForAlertById(options: Pick<WaitOptions, 'timeoutNs'> = {}): this {
    return this.emit(OP.WaitForAlertById, 0, 0, [
      ...words64(waitFields('waitForAlertById', options).timeout),
    ]);
  }

  private onObject(opcode: OP, object: ObjectOperand, b = 0): this {
    const { a, words } = objectWords(object);
    return this.emit(opcode, a, b, words);
  }

  /** NtYieldExecution. */
  yield(): this {
    return this.emit(OP.Yield);
  }

  /** KeSetPriorityThread of the thread itself, 1-31. */
  setPriority(priority: number): this {
    return this.emit(OP.SetPriority, 0, requireInteger('setPriority', priority, 1, 31), []);
  }

  /** KeSetBasePriorityThread of the thread itself. */
  setBasePriority(increment: number): this {
    return this.emit(OP.SetBasePriority, 0, 0, [
      requireInteger('setBasePriority', increment, -32, 31) >>> 0,
    ]);
  }

  /** Hard affinity of the thread itself: a mask of processors of its group. */
  setAffinity(mask: bigint): this {
    return this.emit(OP.SetAffinity, 0, 0, words64(mask));
  }

  /** A thread of the same process at base priority + `increment`; its handle goes to `into`. */
  createThread(into: Register, program: LoadedProgram, increment = 0): this {
    requireInteger('createThread.increment', increment, -15, 15);
    return this.emit(OP.CreateThread, into.register, 0, [program.address, increment >>> 0]);
  }

  /** A process with one thread; the thread's handle goes to `into`. */
  createProcess(into: Register, program: LoadedProgram, priorityClass: PRIORITY_CLASS): this {
    return this.emit(OP.CreateProcess, into.register, 0, [program.address, priorityClass]);
  }

  /** Calls the host's function of that number; its status is left. */
  hostCall(number: number, argument = 0): this {
    return this.emit(OP.HostCall, 0, requireInteger('hostCall', number, 0, FAULT_CALL - 1), [
      argument >>> 0,
    ]);
  }

  /**
   * Faults with an NTSTATUS, as an instruction of user mode does: the provider of its subsystem is told,
   * and the program goes on behind it if that handles it; without a subsystem its thread ends.
   */
  fault(status: number): this {
    return this.emit(OP.HostCall, 0, FAULT_CALL, [status >>> 0]);
  }

  systemCall(number: number, argument = 0): this {
    return this.emit(OP.SystemCall, 0, requireInteger('systemCall', number, 0, 0xffff), [
      argument >>> 0,
    ]);
  }

  /** Puts a record of the user's own into the trace. */
  mark(value: number, second = 0): this {
    return this.emit(OP.Mark, 0, 0, [value >>> 0, second >>> 0]);
  }

  /** InterlockedAdd on a shared word; the new value goes to `into`. */
  interlockedAdd(into: Register, word: number, addend: number): this {
    requireInteger('interlockedAdd.word', word, 0, 0x3fffffff);
    return this.emit(OP.InterlockedAdd, into.register, 0, [word, addend >>> 0]);
  }

  /** Takes what a shared word has above 0, at most `limit`, and puts it into `into`. */
  interlockedTake(into: Register, word: number, limit: number): this {
    requireInteger('interlockedTake.word', word, 0, 0x3fffffff);
    requireInteger('interlockedTake.limit', limit, 1, 0x7fffffff);
    return this.emit(OP.InterlockedTake, into.register, 0, [word, limit]);
  }

  load(register: Register, value: number | bigint): this {
    return this.emit(OP.Load, register.register, 0, words64(value));
  }

  add(register: Register, value: number | bigint): this {
    return this.emit(OP.Add, register.register, 0, words64(value));
  }

  loadTime(register: Register): this {
    return this.emit(OP.LoadTime, register.register);
  }

  loadStatus(register: Register): this {
    return this.emit(OP.LoadStatus, register.register);
  }

  /** Ends the thread; in an APC's routine, that. */
  exit(status = 0): this {
    return this.emit(OP.Exit, 0, 0, [status >>> 0]);
  }

  /** Ends the thread, in an APC's routine too. */
  exitThread(status = 0): this {
    return this.emit(OP.ExitThread, 0, 0, [status >>> 0]);
  }

  label(): Label {
    const label = new Label();
    this.labels.push(label);
    return label;
  }

  place(label: Label): this {
    if (label.offset !== -1)
      throw new MachineError('program: this label has been placed already; make another');
    label.offset = this.code.length;
    return this;
  }

  jump(label: Label): this {
    return this.emit(OP.Jump, 0, 0, [this.use(label, 1)]);
  }

  branchStatus(condition: CONDITION, status: number, label: Label): this {
    return this.emit(OP.BranchStatus, condition, 0, [status >>> 0, this.use(label, 2)]);
  }

  branchRegister(
    condition: CONDITION,
    register: Register,
    value: number | bigint,
    label: Label,
  ): this {
    return this.emit(OP.BranchRegister, condition, register.register, [
      ...words64(value),
      this.use(label, 3),
    ]);
  }

  /** Runs `body` if the last status is `status`. */
  ifStatus(status: number, body: () => void): this {
    const end = this.label();
    this.branchStatus(CONDITION.NotEqual, status, end);
    body();
    return this.place(end);
  }

  /** A register of the thread's four, for the length of `body` or for good. */
  register(): Register;
  register(body: (register: Register) => void): this;
  register(body?: (register: Register) => void): Register | this {
    if (this.registers === LIMIT.ProgramRegisters) {
      throw new MachineError(
        `program: more than ${LIMIT.ProgramRegisters} registers or loops within each other; nest less`,
      );
    }
    const register = new Register(this.registers++);
    if (body === undefined) return register;
    body(register);
    this.registers--;
    return this;
  }

  /** Repeats `body` `count` times. */
  loop(count: number, body: () => void): this {
    requireInteger('loop', count, 1, MAX_NS);
    return this.register((counter) => {
      this.load(counter, count);
      const top = this.label();
      this.place(top);
      body();
      this.emit(OP.Loop, counter.register, 0, [this.use(top, 1)]);
    });
  }

  forever(body: () => void): this {
    const top = this.label();
    this.place(top);
    body();
    return this.jump(top);
  }

  /** @internal */
  finish(): Uint32Array {
    for (const label of this.labels) {
      if (label.uses.length === 0) continue;
      if (label.offset === -1)
        throw new MachineError('program: a label is jumped to but never placed; call place');
      for (const use of label.uses) this.code[use] = label.offset;
    }
    return Uint32Array.from(this.code);
  }

  private use(label: Label, operand: number): number {
    label.uses.push(this.code.length + operand);
    return 0;
  }

  private emit(opcode: OP, a = 0, b = 0, operands: readonly number[] = []): this {
    this.code.push(encode(opcode, a, b), ...operands);
    return this;
  }
}

/** Builds a program; an `exit` with status 0 is added where the body's end can be reached. */
export function program(name: string, body: (builder: ProgramBuilder) => void): Program {
  const builder = new ProgramBuilder();
  body(builder);
  builder.exit();
  return { name, words: builder.finish() };
}

/** Throws for bytecode that the core could not run: the offset, what is there, and why not. */
export function verifyProgram(
  program: Program,
  sharedWords: number,
  isProgram: (address: number) => boolean,
): void {
  const { words } = program;
  const starts = new Set<number>();
  const targets: [number, number][] = [];
  const refuse: (offset: number, why: string) => never = (offset, why) => {
    throw new MachineError(`program '${program.name}', word ${offset}: ${why}`);
  };
  if (words.length === 0) refuse(0, 'the program is empty; it needs an exit at least');
  let offset = 0;
  let ends = false;
  while (offset < words.length) {
    const word = words[offset] as number;
    const shape = INSTRUCTIONS.get(word & 0xff);
    if (shape === undefined)
      refuse(offset, `0x${(word & 0xff).toString(16).padStart(2, '0')} is no opcode`);
    const length = instructionLength(shape, words[offset + 1]);
    if (offset + length > words.length) {
      refuse(offset, `'${shape.name}' takes ${length} words, ${words.length - offset} are left`);
    }
    starts.add(offset);
    verifyFields(word, shape, (why) => refuse(offset, `'${shape.name}': ${why}`));
    let operand = offset + 1;
    for (const kind of shape.operands) {
      const value = words[operand] as number;
      const high = WIDTH[kind] === 2 ? (words[operand + 1] as number) : 0;
      if (kind === 'target') targets.push([offset, value]);
      if (kind === 'shared' || kind === 'shared64') {
        const last = kind === 'shared' ? value : value + 1;
        if (last >= sharedWords) {
          refuse(
            offset,
            `'${shape.name}': shared word ${last}, but the machine has ${sharedWords}; raise capacities.sharedWords`,
          );
        }
        if (kind === 'shared64' && value % 2 !== 0)
          refuse(offset, `'${shape.name}': a pair of shared words starts at ${value}, an odd one`);
      }
      if (kind === 'count' && (value < 1 || value > 0x7fffffff))
        refuse(offset, `'${shape.name}': a limit of ${value | 0}, it must be at least 1`);
      if (kind === 'period' && value > 0x7fffffff)
        refuse(offset, `'${shape.name}': a period of ${value} ms, at most 2147483647`);
      if (kind === 'objectCount' && (value < 1 || value > LIMIT.WaitObjects))
        refuse(offset, `'${shape.name}': ${value} objects, from 1 to ${LIMIT.WaitObjects}`);
      if (kind === 'program' && !isProgram(value))
        refuse(offset, `'${shape.name}': 0x${value.toString(16)} is no loaded program`);
      if (kind === 'class' && (value < 1 || value > 6))
        refuse(offset, `'${shape.name}': ${value} is no priority class (1-6)`);
      if (
        kind === 'entry' &&
        ((word >>> 16) & QUEUE.Register) !== 0 &&
        value >= LIMIT.ProgramRegisters
      )
        refuse(offset, `'${shape.name}': register ${value}, there are ${LIMIT.ProgramRegisters}`);
      if (kind === 'ns' && high > 0x1fffff) refuse(offset, `'${shape.name}': a time above 2^53 ns`);
      if (
        kind === 'object' &&
        ((word >> 8) & 0xff) === OPERAND.Register &&
        value >= LIMIT.ProgramRegisters
      ) {
        refuse(offset, `'${shape.name}': register ${value}, there are ${LIMIT.ProgramRegisters}`);
      }
      operand += WIDTH[kind];
    }
    verifyTimes(words, offset, (why) => refuse(offset, `'${shape.name}': ${why}`));
    ends = shape.ends === true;
    offset += length;
  }
  if (!ends) refuse(words.length, 'control runs off the end; add an exit or a jump');
  for (const [from, target] of targets) {
    if (!starts.has(target))
      refuse(from, `the jump to word ${target} is not to the start of an instruction`);
  }
}

function verifyTimes(words: Uint32Array, offset: number, refuse: (why: string) => void): void {
  const opcode = (words[offset] as number) & 0xff;
  const ns = (at: number) =>
    (words[offset + at] as number) + (words[offset + at + 1] as number) * 2 ** 32;
  if (opcode === OP.Compute && ns(1) === 0) refuse('0 ns; every operation takes at least 1');
  if (opcode === OP.ComputeUniform && (ns(1) === 0 || ns(3) < ns(1)))
    refuse('bounds must be at least 1 and in order');
  if (opcode === OP.ComputeExponential && (ns(1) === 0 || ns(1) > 2 ** 47))
    refuse('the mean must be from 1 to 2^47 ns');
  if (opcode === OP.DelayPeriod && ns(1) === 0) refuse('a period of 0 ns');
  if (opcode === OP.DelayShared && ns(2) === 0) refuse('a period of 0 ns');
}

function verifyFields(
  word: number,
  shape: NonNullable<ReturnType<typeof INSTRUCTIONS.get>>,
  refuse: (why: string) => void,
): void {
  const a = (word >>> 8) & 0xff;
  const b = word >>> 16;
  if (shape.a === undefined && a !== 0) refuse(`field a is ${a}, it must be 0`);
  if (shape.a === 'mode' && a > MODE.UserMode) refuse(`mode ${a}; 0 is kernel, 1 user`);
  if (shape.a === 'waitType' && a > WAIT_TYPE.WaitAny) refuse(`wait type ${a}; 0 is all, 1 any`);
  if (shape.a === 'operand' && a > OPERAND.Register)
    refuse(`operand kind ${a}; 0 is a handle, 1 a register`);
  if (shape.a === 'register' && a >= LIMIT.ProgramRegisters)
    refuse(`register ${a}, there are ${LIMIT.ProgramRegisters}`);
  if (shape.a === 'condition' && !CONDITIONS.includes(a)) refuse(`condition ${a} is none`);
  if (shape.b === undefined && b !== 0) refuse(`field b is ${b}, it must be 0`);
  const increment = shape.b === 'signal' ? b & ~SIGNAL.Wait : b;
  if ((shape.b === 'increment' || shape.b === 'signal') && increment > SIGNAL.Increment)
    refuse(`priority increment ${increment}, at most ${SIGNAL.Increment}`);
  if (shape.b === 'priority' && (b < 1 || b > 31)) refuse(`priority ${b}, from 1 to 31`);
  if (shape.b === 'spin' && ((b & 0xff) > 15 || b >>> 8 > IRQL.HIGH_LEVEL))
    refuse(`${b} is no way to acquire or release a spin lock`);
  if (shape.b === 'entry' && b > (QUEUE.Head | QUEUE.Register))
    refuse(`field b is ${b}, at most 3`);
  if (shape.b === 'remove' && (b & WAIT_FIELD.Reason) >= LIMIT.ProgramRegisters)
    refuse(`register ${b & WAIT_FIELD.Reason}, there are ${LIMIT.ProgramRegisters}`);
  if (shape.b === 'modes' && (b & WAIT_FIELD.Reason) !== 0)
    refuse(`field b is ${b}, it holds the modes of a wait only`);
  if (shape.b === 'mode' && b > MODE.UserMode) refuse(`mode ${b}; 0 is kernel, 1 user`);
  if (shape.b === 'irql' && b > IRQL.HIGH_LEVEL) refuse(`IRQL ${b}, from 0 to 15`);
  if (shape.b === 'region' && b > APC_REGION.Guarded)
    refuse(`region ${b}; 0 is critical, 1 guarded`);
  if (shape.b === 'period' && b > PERIOD.Restart) refuse(`mode ${b}; 0 keeps, 1 restarts`);
  if (shape.b === 'register' && b >= LIMIT.ProgramRegisters)
    refuse(`register ${b}, there are ${LIMIT.ProgramRegisters}`);
  if (shape.b === 'reason' && (b & WAIT_FIELD.Reason) > KWAIT_REASON.WrDeferredPreempt)
    refuse(`wait reason ${b & WAIT_FIELD.Reason} is none`);
}
