import { OP, SPIN } from '../../assembly/shared/opcode';
import { IRQL } from '../../assembly/shared/types';
import { HOST_ROUTINE } from '../ke/call';
import { MachineError } from '../machine/errors';
import { currentGuest, NtCall, type Request } from '../machine/guest';
import { encode, words64 } from '../machine/instruction';
import { requireInteger } from '../machine/profile';
import type { KSpinLock } from '../machine/spinlock';

/**
 * Interlocked operations on variables that guests share. Each is one step: no other guest acts within
 * it. A variable is any object with a `value`; `machine.sharedLong` makes one of a word that programs
 * share.
 */

/** LONG volatile: 32 bits, signed. */
export interface LongVariable {
  value: number;
}

/** LONG64 volatile: 64 bits, signed. */
export interface Long64Variable {
  value: bigint;
}

/** PVOID volatile. */
export interface PointerVariable<T> {
  value: T;
}

/** INTERLOCKED_RESULT. */
export enum INTERLOCKED_RESULT {
  ResultNegative = 1,
  ResultZero = 0,
  ResultPositive = 2,
}

interface Variable<T> {
  value: T;
}

/** Changes a variable; the result is of the values before and after. */
function change<T, R>(
  routine: string,
  variable: Variable<T>,
  next: (before: T) => T,
  result: (before: T, after: T) => R,
): NtCall<R> {
  return new NtCall(routine, () => changeSteps(variable, next, result));
}

function* changeSteps<T, R>(
  variable: Variable<T>,
  next: (before: T) => T,
  result: (before: T, after: T) => R,
): Generator<Request, R, number> {
  const before = variable.value;
  const after = next(before);
  variable.value = after;
  yield HOST_ROUTINE;
  return result(before, after);
}

const first = <T>(before: T): T => before;
const second = <T>(_before: T, after: T): T => after;

/** A 32-bit operand, signed or unsigned. */
function long(routine: string, name: string, value: number): number {
  return requireInteger(`${routine}: ${name}`, value, -0x80000000, 0xffffffff) | 0;
}

/** A 64-bit operand: whatever a bigint holds, it wraps. */
function long64(routine: string, name: string, value: bigint): bigint {
  if (typeof value === 'bigint') return BigInt.asIntN(64, value);
  throw new MachineError(`${routine}: ${name} is ${String(value)}; give a bigint`);
}

/** Adds 1, and wraps. @returns the new value. @irql any @nt InterlockedIncrement */
export function InterlockedIncrement(addend: LongVariable): NtCall<number> {
  return change('InterlockedIncrement', addend, (before) => (before + 1) | 0, second);
}

/** Subtracts 1, and wraps. @returns the new value. @irql any @nt InterlockedDecrement */
export function InterlockedDecrement(addend: LongVariable): NtCall<number> {
  return change('InterlockedDecrement', addend, (before) => (before - 1) | 0, second);
}

/** @returns the new value. @irql any @nt InterlockedAdd */
export function InterlockedAdd(addend: LongVariable, value: number): NtCall<number> {
  const routine = 'InterlockedAdd';
  const operand = long(routine, 'value', value);
  return change(routine, addend, (before) => (before + operand) | 0, second);
}

/** Adds. @returns the value before. @irql any @nt InterlockedExchangeAdd */
export function InterlockedExchangeAdd(addend: LongVariable, value: number): NtCall<number> {
  const routine = 'InterlockedExchangeAdd';
  const operand = long(routine, 'value', value);
  return change(routine, addend, (before) => (before + operand) | 0, first);
}

/** @returns the value before. @irql any @nt InterlockedExchange */
export function InterlockedExchange(target: LongVariable, value: number): NtCall<number> {
  const routine = 'InterlockedExchange';
  const operand = long(routine, 'value', value);
  return change(routine, target, () => operand, first);
}

/** Stores `exchange` if the value is `comparand`. @returns the value before. @irql any @nt InterlockedCompareExchange */
export function InterlockedCompareExchange(
  destination: LongVariable,
  exchange: number,
  comparand: number,
): NtCall<number> {
  const routine = 'InterlockedCompareExchange';
  const operand = long(routine, 'exchange', exchange);
  const expected = long(routine, 'comparand', comparand);
  return change(routine, destination, (before) => (before === expected ? operand : before), first);
}

/** @returns the value before. @irql any @nt InterlockedAnd */
export function InterlockedAnd(destination: LongVariable, value: number): NtCall<number> {
  const operand = long('InterlockedAnd', 'value', value);
  return change('InterlockedAnd', destination, (before) => before & operand, first);
}

/** @returns the value before. @irql any @nt InterlockedOr */
export function InterlockedOr(destination: LongVariable, value: number): NtCall<number> {
  const operand = long('InterlockedOr', 'value', value);
  return change('InterlockedOr', destination, (before) => before | operand, first);
}

/** @returns the value before. @irql any @nt InterlockedXor */
export function InterlockedXor(destination: LongVariable, value: number): NtCall<number> {
  const operand = long('InterlockedXor', 'value', value);
  return change('InterlockedXor', destination, (before) => before ^ operand, first);
}

/** Sets a bit, 0 to 31. @returns whether it was set. @irql any @nt InterlockedBitTestAndSet */
export function InterlockedBitTestAndSet(base: LongVariable, bit: number): NtCall<boolean> {
  const routine = 'InterlockedBitTestAndSet';
  const mask = 1 << requireInteger(`${routine}: bit`, bit, 0, 31);
  return change(
    routine,
    base,
    (before) => before | mask,
    (before) => (before & mask) !== 0,
  );
}

/** Clears a bit, 0 to 31. @returns whether it was set. @irql any @nt InterlockedBitTestAndReset */
export function InterlockedBitTestAndReset(base: LongVariable, bit: number): NtCall<boolean> {
  const routine = 'InterlockedBitTestAndReset';
  const mask = 1 << requireInteger(`${routine}: bit`, bit, 0, 31);
  return change(
    routine,
    base,
    (before) => before & ~mask,
    (before) => (before & mask) !== 0,
  );
}

/** Adds 1, and wraps. @returns the new value. @irql any @nt InterlockedIncrement64 */
export function InterlockedIncrement64(addend: Long64Variable): NtCall<bigint> {
  return change(
    'InterlockedIncrement64',
    addend,
    (before) => BigInt.asIntN(64, before + 1n),
    second,
  );
}

/** Subtracts 1, and wraps. @returns the new value. @irql any @nt InterlockedDecrement64 */
export function InterlockedDecrement64(addend: Long64Variable): NtCall<bigint> {
  return change(
    'InterlockedDecrement64',
    addend,
    (before) => BigInt.asIntN(64, before - 1n),
    second,
  );
}

/** @returns the new value. @irql any @nt InterlockedAdd64 */
export function InterlockedAdd64(addend: Long64Variable, value: bigint): NtCall<bigint> {
  const operand = long64('InterlockedAdd64', 'value', value);
  return change(
    'InterlockedAdd64',
    addend,
    (before) => BigInt.asIntN(64, before + operand),
    second,
  );
}

/** Adds. @returns the value before. @irql any @nt InterlockedExchangeAdd64 */
export function InterlockedExchangeAdd64(addend: Long64Variable, value: bigint): NtCall<bigint> {
  const routine = 'InterlockedExchangeAdd64';
  const operand = long64(routine, 'value', value);
  return change(routine, addend, (before) => BigInt.asIntN(64, before + operand), first);
}

/** @returns the value before. @irql any @nt InterlockedExchange64 */
export function InterlockedExchange64(target: Long64Variable, value: bigint): NtCall<bigint> {
  const operand = long64('InterlockedExchange64', 'value', value);
  return change('InterlockedExchange64', target, () => operand, first);
}

/** Stores `exchange` if the value is `comparand`. @returns the value before. @irql any @nt InterlockedCompareExchange64 */
export function InterlockedCompareExchange64(
  destination: Long64Variable,
  exchange: bigint,
  comparand: bigint,
): NtCall<bigint> {
  const routine = 'InterlockedCompareExchange64';
  const operand = long64(routine, 'exchange', exchange);
  const expected = long64(routine, 'comparand', comparand);
  return change(routine, destination, (before) => (before === expected ? operand : before), first);
}

/** @returns the value before. @irql any @nt InterlockedAnd64 */
export function InterlockedAnd64(destination: Long64Variable, value: bigint): NtCall<bigint> {
  const operand = long64('InterlockedAnd64', 'value', value);
  return change('InterlockedAnd64', destination, (before) => before & operand, first);
}

/** @returns the value before. @irql any @nt InterlockedOr64 */
export function InterlockedOr64(destination: Long64Variable, value: bigint): NtCall<bigint> {
  const operand = long64('InterlockedOr64', 'value', value);
  return change('InterlockedOr64', destination, (before) => before | operand, first);
}

/** @returns the value before. @irql any @nt InterlockedXor64 */
export function InterlockedXor64(destination: Long64Variable, value: bigint): NtCall<bigint> {
  const operand = long64('InterlockedXor64', 'value', value);
  return change('InterlockedXor64', destination, (before) => before ^ operand, first);
}

/** @returns the value before. @irql any @nt InterlockedExchangePointer */
export function InterlockedExchangePointer<T>(target: PointerVariable<T>, value: T): NtCall<T> {
  return change('InterlockedExchangePointer', target, () => value, first);
}

/** Stores `exchange` if the value is `comparand`, the same object. @returns the value before. @irql any @nt InterlockedCompareExchangePointer */
export function InterlockedCompareExchangePointer<T>(
  destination: PointerVariable<T>,
  exchange: T,
  comparand: T,
): NtCall<T> {
  return change(
    'InterlockedCompareExchangePointer',
    destination,
    (before) => (before === comparand ? exchange : before),
    first,
  );
}

/** Does something at HIGH_LEVEL with a spin lock, as the routines do that take one: it may be used with those alone. */
export function withInterlock<R>(routine: string, lock: KSpinLock, action: () => R): NtCall<R> {
  return new NtCall(routine, () => withInterlockSteps(routine, lock, action));
}

function* withInterlockSteps<R>(
  routine: string,
  lock: KSpinLock,
  action: () => R,
): Generator<Request, R, number> {
  const { core } = currentGuest(routine).machine;
  const object = words64(lock.handle);
  const old = core.hostRaiseIrql(IRQL.HIGH_LEVEL);
  yield [encode(OP.AcquireSpinLock, 0, SPIN.AtDpcLevel), ...object];
  const result = action();
  yield [encode(OP.ReleaseSpinLock, 0, old << 8), ...object];
  return result;
}

/** @returns the value before, unsigned. @irql any @nt ExInterlockedAddUlong */
export function ExInterlockedAddUlong(
  addend: LongVariable,
  increment: number,
  lock: KSpinLock,
): NtCall<number> {
  const routine = 'ExInterlockedAddUlong';
  const operand = long(routine, 'increment', increment);
  return withInterlock(routine, lock, () => {
    const before = addend.value;
    addend.value = (before + operand) | 0;
    return before >>> 0;
  });
}

/** @returns the value before. @irql any @nt ExInterlockedAddLargeInteger */
export function ExInterlockedAddLargeInteger(
  addend: Long64Variable,
  increment: bigint,
  lock: KSpinLock,
): NtCall<bigint> {
  const routine = 'ExInterlockedAddLargeInteger';
  const operand = long64(routine, 'increment', increment);
  return withInterlock(routine, lock, () => {
    const before = addend.value;
    addend.value = BigInt.asIntN(64, before + operand);
    return before;
  });
}

/** Adds a ULONG. @irql any @nt ExInterlockedAddLargeStatistic */
export function ExInterlockedAddLargeStatistic(
  addend: Long64Variable,
  increment: number,
): NtCall<void> {
  const routine = 'ExInterlockedAddLargeStatistic';
  const operand = BigInt(long(routine, 'increment', increment) >>> 0);
  return change(
    routine,
    addend,
    (before) => BigInt.asIntN(64, before + operand),
    () => undefined,
  );
}

function resultOfSign(value: number): INTERLOCKED_RESULT {
  if (value === 0) return INTERLOCKED_RESULT.ResultZero;
  return value < 0 ? INTERLOCKED_RESULT.ResultNegative : INTERLOCKED_RESULT.ResultPositive;
}

/** @returns the sign of the new value. The lock is not looked at. @irql any @nt ExInterlockedIncrementLong */
export function ExInterlockedIncrementLong(
  addend: LongVariable,
  _lock: KSpinLock | null,
): NtCall<INTERLOCKED_RESULT> {
  return change(
    'ExInterlockedIncrementLong',
    addend,
    (before) => (before + 1) | 0,
    (_before, after) => resultOfSign(after),
  );
}

/** @returns the sign of the new value. The lock is not looked at. @irql any @nt ExInterlockedDecrementLong */
export function ExInterlockedDecrementLong(
  addend: LongVariable,
  _lock: KSpinLock | null,
): NtCall<INTERLOCKED_RESULT> {
  return change(
    'ExInterlockedDecrementLong',
    addend,
    (before) => (before - 1) | 0,
    (_before, after) => resultOfSign(after),
  );
}
