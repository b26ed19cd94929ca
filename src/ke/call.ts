import { BUGCHECK } from '../../assembly/shared/bugcheck';
import { OP, TIMEOUT } from '../../assembly/shared/opcode';
import { IRQL } from '../../assembly/shared/types';
import { MachineError, VerifierError } from '../machine/errors';
import { inWords, refuseForeign } from '../machine/given';
import { currentGuest, isInGuest, NtCall, OneInstruction, type Request } from '../machine/guest';
import { encode, words64 } from '../machine/instruction';
import type { KernelObject } from '../machine/views';
import { IRQL_NAMES } from '../machine/words';

/** What the routines of host threads have in common. */

/**
 * A routine that is one instruction of the core; its value is the status that leaves. That of one on
 * `object` is a value, and an error of an object that has gone.
 */
export function call(
  routine: string,
  request: Request,
  check?: () => void,
  object?: KernelObject,
): NtCall<number> {
  return new NtCall(routine, () => new OneInstruction(request, check, routine, object));
}

/**
 * A timeout or due time in 100 ns: negative from now, 0 at once, positive a system time (since 1601;
 * a bigint, which holds it exactly), null for ever. Beyond what the machine's clock holds, 104 days
 * since boot, a time never comes: -(2n ** 63n), which Sleep(INFINITE) gives, is for ever.
 */
export type Timeout = number | bigint | null;

/** From where a time is past the end of the machine's clock, whenever it began. */
const LONGEST_100NS = -9e13;

/** A timeout as the core takes it (see TIMEOUT): ns from now, or a system time. */
export function encodeTimeout(routine: string, timeout100ns: Timeout): number | bigint {
  if (timeout100ns === null) return Number.POSITIVE_INFINITY;
  if (typeof timeout100ns !== 'bigint' && !Number.isInteger(timeout100ns)) {
    throw new MachineError(
      `${routine}: timeout is ${inWords(timeout100ns)}; give an integer or a bigint of 100 ns, or null for ever`,
    );
  }
  if (timeout100ns <= 0) {
    if (timeout100ns < -(2n ** 63n))
      throw new MachineError(`${routine}: timeout ${timeout100ns}; give one from -(2n ** 63n)`);
    return timeout100ns < LONGEST_100NS ? Number.POSITIVE_INFINITY : Number(timeout100ns) * -100;
  }
  if (typeof timeout100ns === 'number' && !Number.isSafeInteger(timeout100ns)) {
    throw new MachineError(
      `${routine}: timeout ${timeout100ns}; give a system time as a bigint, 100 ns since 1601: a number does not hold it exactly`,
    );
  }
  const time = BigInt(timeout100ns);
  if (time >= 2n ** 63n)
    throw new MachineError(`${routine}: timeout ${time}; give one below 2n ** 63n`);
  return time | (1n << BigInt(TIMEOUT.AbsoluteBit));
}

export { VerifierError };

/** Stops the machine for what a routine does not allow, and throws where the guest is. */
export function stopGuest(
  routine: string,
  message: string,
  code: BUGCHECK,
  ...parameters: number[]
): never {
  currentGuest(routine).machine.bugCheck(code, ...parameters);
  throw new VerifierError(`${routine}: ${message}`);
}

/** The words by which a request names an object, which must be one of the guest's machine. */
export function wordsOf(routine: string, object: KernelObject): [number, number] {
  if (object?.machine !== currentGuest(routine).machine) refuseForeign(routine, object);
  return words64(object.handle);
}

/** What a routine of the host costs that does what it does without the core. */
export const HOST_ROUTINE: Request = [encode(OP.HostRoutine)];

/** Parameter 1 of DRIVER_VERIFIER_DETECTED_VIOLATION: which rule was broken. */
export const enum VIOLATION {
  RaiseIrql = 0x30,
  LowerIrql = 0x31,
  ReleaseSpinLockNotAtDispatch = 0x32,
  AcquireFastMutexAboveApc = 0x33,
  ReleaseFastMutexNotAtApc = 0x34,
  AcquireResourceWithApcs = 0x37,
  ReleaseResourceWithApcs = 0x38,
  AcquireFastMutexUnsafeWithApcs = 0x39,
  ReleaseFastMutexUnsafeWithApcs = 0x3a,
  AcquireSpinLockBelowDispatch = 0x40,
  ReleaseSpinLockBelowDispatch = 0x41,
  AcquireSpinLockAboveDispatch = 0x42,
  ResourceInitializedTwice = 0xd0,
  ResourceNotInitialized = 0xd1,
  RemoveLockTag = 0xd5,
  RemoveLockTagAndWait = 0xd6,
  RemoveLockInitializedTwice = 0xd7,
  KernelApi = 0xe5,
  AcquirePushLockWithApcs = 0xea,
  ReleasePushLockWithApcs = 0xeb,
  WaitAboveDispatch = 0x120,
  WaitForever = 0x121,
  WaitForTime = 0x122,
  LockNotInitialized = 0x1002,
  LockNotOwned = 0x1004,
  LockInitializedTwice = 0x1005,
  LockNotAcquired = 0x1007,
  LockLeaked = 0x100a,
  LockDeleted = 0x100b,
  IrqlExAllocatePool = 0x20004,
  IrqlExApcLte2 = 0x20006,
  IrqlExApcLte3 = 0x20007,
  IrqlExPassive = 0x20008,
  IrqlIoPassive = 0x2000a,
  IrqlObPassive = 0x2001a,
  IrqlIoApcLte = 0x20009,
  IrqlKeApcLte1 = 0x2000f,
  IrqlKeApcLte2 = 0x20010,
  IrqlKeDispatchLte = 0x20011,
  IrqlKeSetEvent = 0x20016,
  IrqlPsPassive = 0x2001c,
  IrqlZwPassive = 0x2001f,
}

/** Parameter 1 of KERNEL_SECURITY_CHECK_FAILURE. */
export const enum FAST_FAIL {
  InvalidArgument = 5,
  InvalidReferenceCount = 14,
}

/** The same for a breach that Driver Verifier looks for, where it is on. */
export function reportViolation(
  routine: string,
  message: string,
  violation: VIOLATION,
  ...parameters: number[]
): void {
  if (!currentGuest(routine).machine.checkIrql) return;
  const code = BUGCHECK.DRIVER_VERIFIER_DETECTED_VIOLATION;
  stopGuest(routine, message, code, violation, ...parameters);
}

/**
 * Stops the machine if the guest's level is above `highest` or below `lowest`, and throws where the
 * guest is. The violation has the level, and `parameters`.
 */
export function requireIrql(
  routine: string,
  violation: VIOLATION,
  highest: number,
  lowest = 0,
  ...parameters: number[]
): void {
  const { machine } = currentGuest(routine);
  const level = machine.irql();
  if ((level <= highest && level >= lowest) || !machine.checkIrql) return;
  const code = BUGCHECK.DRIVER_VERIFIER_DETECTED_VIOLATION;
  machine.bugCheck(code, violation, level, ...parameters);
  const name = (irql: number) => `${IRQL_NAMES[irql] ?? 'a device level'} (${irql})`;
  const most = lowest === highest ? name(highest) : `at most ${name(highest)}`;
  const needs = level < lowest && lowest !== highest ? `at least ${name(lowest)}` : most;
  throw new VerifierError(`${routine} was called at ${name(level)}; it needs ${needs}`);
}

/** The same of what only looks at what it is given: there is no level outside of guests. */
export function requireIrqlOfGuest(
  routine: string,
  highest: IRQL.APC_LEVEL | IRQL.DISPATCH_LEVEL,
): void {
  if (!isInGuest()) return;
  const atMostApc = highest === IRQL.APC_LEVEL;
  requireIrql(routine, atMostApc ? VIOLATION.KernelApi : VIOLATION.IrqlKeDispatchLte, highest);
}

/** Stops the machine if the guest could get normal kernel APCs; `lock` is the number of what it is for. */
export function requireApcsDisabled(routine: string, violation: VIOLATION, lock: number): void {
  const { machine, thread } = currentGuest(routine);
  const { kernelApcDisable, specialApcDisable } = thread;
  const level = machine.irql();
  if (level >= IRQL.APC_LEVEL || kernelApcDisable !== 0 || specialApcDisable !== 0) return;
  const message =
    'called with normal kernel APCs enabled; call KeEnterCriticalRegion before it, and KeLeaveCriticalRegion after the release';
  reportViolation(routine, message, violation, level, 0, lock);
}
