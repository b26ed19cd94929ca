import { CONDITION, OP, OPERAND } from '../../assembly/shared/opcode';
import { MODE } from '../../assembly/shared/types';

/** How the operands of an instruction are laid out and shown: one table for encoder checks and disassembler. */
export type OperandKind =
  | 'status'
  | 'ns'
  | 'object'
  | 'timeout'
  | 'word'
  | 'signed'
  | 'count'
  | 'value64'
  | 'target'
  | 'program'
  | 'mask'
  | 'shared'
  | 'shared64'
  | 'class'
  | 'period'
  /** Of an object, or 0 for none. */
  | 'handle'
  | 'objectCount'
  | 'objects'
  | 'entry';

export interface InstructionShape {
  readonly name: string;
  readonly operands: readonly OperandKind[];
  /** What the a and b fields of the first word hold. */
  readonly a?: 'waitType' | 'mode' | 'operand' | 'register' | 'condition';
  readonly b?:
    | 'increment'
    | 'signal'
    | 'reason'
    | 'priority'
    | 'number'
    | 'register'
    | 'period'
    | 'irql'
    | 'region'
    | 'spin'
    | 'entry'
    | 'remove'
    | 'modes'
    | 'mode';
  /** Control never goes on to the next instruction. */
  readonly ends?: boolean;
}

export const WIDTH: Readonly<Record<OperandKind, number>> = {
  status: 1,
  ns: 2,
  object: 2,
  timeout: 2,
  word: 1,
  signed: 1,
  count: 1,
  value64: 2,
  target: 1,
  program: 1,
  mask: 2,
  shared: 1,
  shared64: 1,
  class: 1,
  /** Ms. */
  period: 1,
  handle: 2,
  objectCount: 1,
  /** For each of the count. */
  objects: 2,
  /** Of a queue: a value, or the register that holds it. */
  entry: 2,
};

export const INSTRUCTIONS: ReadonlyMap<number, InstructionShape> = new Map<
  number,
  InstructionShape
>([
  [OP.Exit, { name: 'exit', operands: ['status'], ends: true }],
  [OP.Compute, { name: 'compute', operands: ['ns'], a: 'mode' }],
  [OP.ComputeUniform, { name: 'computeUniform', operands: ['ns', 'ns'], a: 'mode' }],
  [OP.ComputeExponential, { name: 'computeExponential', operands: ['ns'], a: 'mode' }],
  [OP.Wait, { name: 'wait', operands: ['object', 'timeout'], a: 'operand', b: 'reason' }],
  [OP.SetEvent, { name: 'setEvent', operands: ['object'], a: 'operand', b: 'signal' }],
  [OP.ResetEvent, { name: 'resetEvent', operands: ['object'], a: 'operand' }],
  [OP.PulseEvent, { name: 'pulseEvent', operands: ['object'], a: 'operand', b: 'signal' }],
  [
    OP.ReleaseSemaphore,
    { name: 'releaseSemaphore', operands: ['object', 'signed'], a: 'operand', b: 'signal' },
  ],
  [OP.Delay, { name: 'delay', operands: ['ns'], b: 'modes' }],
  [OP.Yield, { name: 'yield', operands: [] }],
  [OP.SetPriority, { name: 'setPriority', operands: [], b: 'priority' }],
  [OP.SetBasePriority, { name: 'setBasePriority', operands: ['signed'] }],
  [OP.SetAffinity, { name: 'setAffinity', operands: ['mask'] }],
  [OP.CreateThread, { name: 'createThread', operands: ['program', 'signed'], a: 'register' }],
  [OP.CreateProcess, { name: 'createProcess', operands: ['program', 'class'], a: 'register' }],
  [OP.HostCall, { name: 'hostCall', operands: ['word'], b: 'number' }],
  [OP.SystemCall, { name: 'systemCall', operands: ['word'], b: 'number' }],
  [OP.Mark, { name: 'mark', operands: ['word', 'word'] }],
  [OP.InterlockedAdd, { name: 'interlockedAdd', operands: ['shared', 'signed'], a: 'register' }],
  [
    OP.ReleaseSemaphoreRegister,
    { name: 'releaseSemaphoreRegister', operands: ['object'], a: 'operand', b: 'register' },
  ],
  [OP.DelayUntil, { name: 'delayUntil', operands: ['ns'] }],
  [OP.DelayPeriod, { name: 'delayPeriod', operands: ['ns'], a: 'register', b: 'period' }],
  [
    OP.WaitMultiple,
    {
      name: 'waitMultiple',
      operands: ['objectCount', 'timeout', 'objects'],
      a: 'waitType',
      b: 'reason',
    },
  ],
  [OP.ReleaseMutant, { name: 'releaseMutant', operands: ['object'], a: 'operand', b: 'signal' }],
  [OP.SetTimer, { name: 'setTimer', operands: ['object', 'ns', 'period', 'handle'], a: 'operand' }],
  [OP.CancelTimer, { name: 'cancelTimer', operands: ['object'], a: 'operand' }],
  [OP.RaiseIrql, { name: 'raiseIrql', operands: [], b: 'irql' }],
  [OP.LowerIrql, { name: 'lowerIrql', operands: [], b: 'irql' }],
  [OP.ApcRegion, { name: 'apcRegion', operands: ['signed'], b: 'region' }],
  [
    OP.InsertQueueDpc,
    { name: 'insertQueueDpc', operands: ['object', 'value64', 'value64'], a: 'operand' },
  ],
  [OP.RemoveQueueDpc, { name: 'removeQueueDpc', operands: ['object'], a: 'operand' }],
  [OP.AcquireSpinLock, { name: 'acquireSpinLock', operands: ['object'], a: 'operand', b: 'spin' }],
  [OP.ReleaseSpinLock, { name: 'releaseSpinLock', operands: ['object'], a: 'operand', b: 'spin' }],
  [OP.ConvertSpinLock, { name: 'convertSpinLock', operands: ['object'], a: 'operand' }],
  [
    OP.SetPriorityThread,
    { name: 'setPriorityThread', operands: ['object'], a: 'operand', b: 'priority' },
  ],
  [
    OP.SetBasePriorityThread,
    { name: 'setBasePriorityThread', operands: ['object', 'signed'], a: 'operand' },
  ],
  [
    OP.SetAffinityThread,
    { name: 'setAffinityThread', operands: ['object', 'mask', 'word'], a: 'operand' },
  ],
  [OP.LoadTime, { name: 'loadTime', operands: [], a: 'register' }],
  [
    OP.DelayShared,
    { name: 'delayShared', operands: ['shared64', 'ns'], a: 'register', b: 'period' },
  ],
  [OP.InterlockedTake, { name: 'interlockedTake', operands: ['shared', 'count'], a: 'register' }],
  [
    OP.SignalAndWait,
    {
      name: 'signalAndWait',
      operands: ['object', 'object', 'timeout'],
      a: 'operand',
      b: 'reason',
    },
  ],
  [OP.WaitGate, { name: 'waitGate', operands: ['object'], a: 'operand', b: 'reason' }],
  [OP.SignalGate, { name: 'signalGate', operands: ['object'], a: 'operand' }],
  [
    OP.InsertQueue,
    { name: 'insertQueue', operands: ['object', 'entry'], a: 'operand', b: 'entry' },
  ],
  [
    OP.RemoveQueue,
    { name: 'removeQueue', operands: ['object', 'timeout'], a: 'operand', b: 'remove' },
  ],
  [OP.SetEventBoostPriority, { name: 'setEventBoostPriority', operands: ['object'], a: 'operand' }],
  [
    OP.InsertQueueApc,
    {
      name: 'insertQueueApc',
      operands: ['object', 'value64', 'value64'],
      a: 'operand',
      b: 'increment',
    },
  ],
  [OP.RemoveQueueApc, { name: 'removeQueueApc', operands: ['object'], a: 'operand' }],
  [OP.AlertThread, { name: 'alertThread', operands: ['object'], a: 'operand', b: 'mode' }],
  [OP.TestAlert, { name: 'testAlert', operands: [], b: 'mode' }],
  [OP.SuspendThread, { name: 'suspendThread', operands: ['object'], a: 'operand' }],
  [OP.ResumeThread, { name: 'resumeThread', operands: ['object'], a: 'operand' }],
  [OP.ExitThread, { name: 'exitThread', operands: ['status'], ends: true }],
  [OP.TerminateThread, { name: 'terminateThread', operands: ['object', 'status'], a: 'operand' }],
  [OP.AttachProcess, { name: 'attachProcess', operands: ['object'], a: 'operand' }],
  [OP.DetachProcess, { name: 'detachProcess', operands: [] }],
  [OP.AlertThreadById, { name: 'alertThreadById', operands: ['object'], a: 'operand' }],
  [OP.WaitForAlertById, { name: 'waitForAlertById', operands: ['timeout'] }],
  [OP.Jump, { name: 'jump', operands: ['target'], ends: true }],
  [OP.Load, { name: 'load', operands: ['value64'], a: 'register' }],
  [OP.Add, { name: 'add', operands: ['value64'], a: 'register' }],
  [OP.Loop, { name: 'loop', operands: ['target'], a: 'register' }],
  [OP.BranchStatus, { name: 'branchStatus', operands: ['status', 'target'], a: 'condition' }],
  [
    OP.BranchRegister,
    { name: 'branchRegister', operands: ['value64', 'target'], a: 'condition', b: 'register' },
  ],
  [OP.LoadStatus, { name: 'loadStatus', operands: [], a: 'register' }],
]);

/** Words of an instruction with its operands; `count` is its second word, for one that has several objects. */
export function instructionLength(shape: InstructionShape, count = 1): number {
  return shape.operands.reduce(
    (length, kind) => length + WIDTH[kind] * (kind === 'objects' ? count : 1),
    1,
  );
}

/** The words of a 64-bit operand, low first. Negative values wrap, Infinity is all ones. */
export function words64(value: number | bigint): [number, number] {
  if (value === Number.POSITIVE_INFINITY) return [0xffffffff, 0xffffffff];
  if (typeof value === 'number' && value >= 0 && Number.isSafeInteger(value))
    return [value >>> 0, (value / 0x1_0000_0000) >>> 0];
  const big = BigInt.asUintN(64, BigInt(value));
  return [Number(big & 0xffffffffn), Number(big >> 32n)];
}

/** The first word. */
export function encode(opcode: OP, a = 0, b = 0): number {
  return (opcode | (a << 8) | (b << 16)) >>> 0;
}

/** Where an operation's object comes from: a handle, or the number of a register that holds one. */
export type ObjectOperand = { readonly handle: number } | { readonly register: number };

export function objectWords(object: ObjectOperand): { a: number; words: [number, number] } {
  if ('register' in object) return { a: OPERAND.Register, words: [object.register, 0] };
  return { a: OPERAND.Index, words: words64(object.handle) };
}

export const MODES: readonly MODE[] = [MODE.KernelMode, MODE.UserMode];
export const CONDITIONS: readonly CONDITION[] = [
  CONDITION.Equal,
  CONDITION.NotEqual,
  CONDITION.Less,
  CONDITION.GreaterOrEqual,
  CONDITION.Success,
  CONDITION.Failure,
];
