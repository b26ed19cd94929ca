import { KTHREAD_STATE, THREAD_FLAG } from '../../assembly/shared/types';
import type { KThread } from '../machine/views';
import { executiveOf } from './executive';
import { PsGetProcessPeb } from './identity';
import type { Image } from './image';
import { processManager } from './manager';

/**
 * The registers of threads. Host threads and programs have none of their own: each thread has a record,
 * which begins with what a new thread starts with. A CpuPort reads and writes it; for any other guest
 * it is what others have set.
 */

/** CONTEXT flags, those of x64 without the bit that says so. */
export const enum CONTEXT {
  AMD64 = 0x10_0000,
  CONTROL = 0x1,
  INTEGER = 0x2,
  SEGMENTS = 0x4,
  FLOATING_POINT = 0x8,
  DEBUG_REGISTERS = 0x10,
  /** It is in the kernel, for an exception. */
  EXCEPTION_ACTIVE = 0x0800_0000,
  /** It is in the kernel, for a service. */
  SERVICE_ACTIVE = 0x1000_0000,
  /** The two above are asked for. */
  EXCEPTION_REQUEST = 0x4000_0000,
  /** They are told. */
  EXCEPTION_REPORTING = 0x8000_0000,
}

const CONTROL_REGISTERS = ['SegCs', 'Rip', 'SegSs', 'Rsp', 'EFlags'] as const;
const INTEGER_REGISTERS = [
  'Rax',
  'Rcx',
  'Rdx',
  'Rbx',
  'Rbp',
  'Rsi',
  'Rdi',
  'R8',
  'R9',
  'R10',
  'R11',
  'R12',
  'R13',
  'R14',
  'R15',
] as const;
const SEGMENT_REGISTERS = ['SegDs', 'SegEs', 'SegFs', 'SegGs'] as const;
const DEBUG_REGISTERS = ['Dr0', 'Dr1', 'Dr2', 'Dr3', 'Dr6', 'Dr7'] as const;

export type RegisterName =
  | (typeof CONTROL_REGISTERS)[number]
  | (typeof INTEGER_REGISTERS)[number]
  | (typeof SEGMENT_REGISTERS)[number]
  | (typeof DEBUG_REGISTERS)[number];

/** Registers of x64, 64 bits each. */
export type ThreadRegisters = Record<RegisterName, bigint>;

/** The groups of registers, by their flags. */
export const REGISTER_GROUPS: readonly (readonly [
  flag: CONTEXT,
  names: readonly RegisterName[],
])[] = [
  [CONTEXT.CONTROL, CONTROL_REGISTERS],
  [CONTEXT.INTEGER, INTEGER_REGISTERS],
  [CONTEXT.SEGMENTS, SEGMENT_REGISTERS],
  [CONTEXT.DEBUG_REGISTERS, DEBUG_REGISTERS],
];

const ALL_REGISTERS: readonly RegisterName[] = REGISTER_GROUPS.flatMap(([, names]) => names);

/** Of user mode; nobody can set another. */
const USER_CODE_SEGMENT = 0x33n;
const USER_DATA_SEGMENT = 0x2bn;
const USER_TEB_SEGMENT = 0x53n;
/** Interrupts are enabled. */
const INITIAL_FLAGS = 0x202n;
/** CF, PF, AF, ZF, SF, TF, DF, OF, AC and ID: what user mode may set of EFlags. */
const USER_FLAGS = 0x24_0dd5n;

/** Where RtlUserThreadStart is in ntdll, and where stacks end: 1 MiB apart, with room for the return address. */
const USER_THREAD_START = 0x5_2650;
const STACK_BASE = 0x7e_0000_0000;
const STACK_DISTANCE = 0x10_0000;
const STACK_ROOM = 0x28;

const records = new WeakMap<KThread, ThreadRegisters>();
/** Where threads start and with what, if their creator has said so by address. */
const starts = new WeakMap<KThread, ThreadStart>();

export interface ThreadStart {
  /** 0: a function of the host, which has none. */
  readonly address: number;
  readonly argument: bigint;
}

/** Notes where a thread starts, before anybody asks for its registers. */
export function setThreadStart(thread: KThread, start: ThreadStart): void {
  starts.set(thread, start);
}

/** Says otherwise where a thread starts: for who asks, the thread has begun. */
export function setWin32StartAddress(thread: KThread, address: number): void {
  threadRegisters(thread);
  starts.set(thread, { address, argument: starts.get(thread)?.argument ?? 0n });
}

function entryOf({ base, header }: Image): number {
  return base + header.entryPoint;
}

/** Where a thread starts, by what its creator or NtSetInformationThread has said; 0: that has no address. */
export function win32StartAddress(thread: KThread): number {
  const known = starts.get(thread);
  if (known !== undefined) return known.address;
  const { process, machine } = thread;
  if (process.initialThread !== thread) return 0;
  const { image } = executiveOf(processManager(machine), process);
  return image === undefined ? 0 : entryOf(image);
}

/** What a thread of user mode begins with: at RtlUserThreadStart, its start routine and argument in registers. */
function initialRegisters(thread: KThread): ThreadRegisters {
  const zero = Object.fromEntries(ALL_REGISTERS.map((name) => [name, 0n])) as ThreadRegisters;
  if (thread.isSystemThread) return zero;
  const { process, machine } = thread;
  const { images } = processManager(machine);
  const initial = process.initialThread === thread;
  const argument = initial ? BigInt(PsGetProcessPeb(process)) : 0n;
  const start = starts.get(thread) ?? { address: win32StartAddress(thread), argument };
  return {
    ...zero,
    Rip: BigInt(images.dll('ntdll.dll', 'x64').base + USER_THREAD_START),
    Rsp: BigInt(STACK_BASE + (thread.index + 1) * STACK_DISTANCE - STACK_ROOM),
    EFlags: INITIAL_FLAGS,
    Rcx: BigInt(start.address),
    Rdx: start.argument,
    SegCs: USER_CODE_SEGMENT,
    SegSs: USER_DATA_SEGMENT,
    SegDs: USER_DATA_SEGMENT,
    SegEs: USER_DATA_SEGMENT,
    SegFs: USER_TEB_SEGMENT,
    SegGs: USER_DATA_SEGMENT,
  };
}

/**
 * The registers of a thread, to be read and written: by a CpuPort when it begins and when it stops, or
 * by whatever else stands for the thread's code.
 */
export function threadRegisters(thread: KThread): ThreadRegisters {
  const known = records.get(thread);
  if (known !== undefined) return known;
  const made = initialRegisters(thread);
  records.set(thread, made);
  return made;
}

/** What user mode gets when it sets a register: segments stay, of EFlags what it may set. */
export function settable(name: RegisterName, value: bigint, before: bigint): bigint {
  if (name.startsWith('Seg')) return before;
  if (name === 'EFlags') return (value & USER_FLAGS) | INITIAL_FLAGS;
  return BigInt.asUintN(64, value);
}

const IN_KERNEL = THREAD_FLAG.KernelCall | THREAD_FLAG.KernelCompute | THREAD_FLAG.WaitAgain;

/** Whether what a thread has left of user mode, or does now, is a call of the kernel. */
export function isInService(thread: KThread): boolean {
  let waiting = thread.state === KTHREAD_STATE.Waiting;
  for (const flags of thread.flagsOfFrames()) {
    if ((flags & THREAD_FLAG.UserMode) !== 0) return waiting || (flags & IN_KERNEL) !== 0;
    waiting = false;
  }
  return false;
}
