import { BARRIER, OP, SPIN } from '../../assembly/shared/opcode';
import { IRQL, KDPC_IMPORTANCE, KWAIT_REASON, MODE } from '../../assembly/shared/types';
import { KBarrier } from '../machine/barrier';
import type { DeferredRoutine, GuestResult, KDpc } from '../machine/dpc';
import { resultOf } from '../machine/generator';
import { currentGuest, NtCall, type Request } from '../machine/guest';
import { encode, words64 } from '../machine/instruction';
import type { Machine } from '../machine/machine';
import { PerMachine } from '../machine/per-machine';
import type { KInterrupt, KSpinLock } from '../machine/spinlock';
import type { KEvent } from '../machine/views';
import { requireIrql, VIOLATION } from './call';
import { KeSetEvent, KeWaitForSingleObject } from './ddi';
import { KeInsertQueueDpc } from './dpc';
import { KeLowerIrql } from './irql';

/** Routines that run on every processor of the machine at once. */

/** All come, and go on together. */
const TOGETHER: BARRIER = BARRIER.Arrive | BARRIER.Spin | BARRIER.Again;

/** What KeGenericCallDpc has: one call at a time. */
interface DpcCall {
  readonly turn: KEvent;
  /** One a processor. */
  readonly dpcs: readonly KDpc[];
  readonly done: KBarrier;
  readonly barrier: KBarrier;
  routine: DeferredRoutine;
  context: unknown;
}

const DPC_CALLS = new PerMachine<DpcCall>((machine: Machine) => {
  const dpcs = Array.from({ length: machine.processorCount }, (_, processor) => {
    const dpc = machine.createDpc((self, _context, done, barrier) =>
      call.routine(self, call.context, done, barrier),
    );
    dpc.targetProcessor = processor;
    dpc.importance = KDPC_IMPORTANCE.HighImportance;
    return dpc;
  });
  const call: DpcCall = {
    turn: machine.createEvent('synchronization', true),
    dpcs,
    done: machine.createBarrier(),
    barrier: machine.createBarrier(),
    routine: () => undefined,
    context: undefined,
  };
  return call;
});

/**
 * Runs a routine as a DPC on every processor at once, and returns when all have called
 * KeSignalCallDpcDone with their first system argument. The second is for KeSignalCallDpcSynchronize.
 * On the caller's processor the caller runs it, at DISPATCH_LEVEL.
 *
 * A processor that does not say that it is done keeps the caller at DISPATCH_LEVEL until the DPC
 * watchdog stops the machine.
 *
 * @irql at most APC_LEVEL   @nt KeGenericCallDpc
 */
export function KeGenericCallDpc(routine: DeferredRoutine, context: unknown): NtCall<void> {
  const name = 'KeGenericCallDpc';
  return new NtCall(name, () => genericCallDpc(routine, context, name));
}

function* genericCallDpc(
  routine: DeferredRoutine,
  context: unknown,
  name: string,
): Generator<Request, void, number> {
  requireIrql(name, VIOLATION.KernelApi, IRQL.APC_LEVEL);
  const { machine } = currentGuest(name);
  const call = DPC_CALLS.of(machine);
  const old = machine.core.hostRaiseIrql(IRQL.APC_LEVEL);
  yield* KeWaitForSingleObject(call.turn, KWAIT_REASON.Executive, MODE.KernelMode, false, null);
  machine.core.hostRaiseIrql(IRQL.DISPATCH_LEVEL);
  call.routine = routine;
  call.context = context;
  for (const barrier of [call.done, call.barrier]) barrier.reset(machine.processorCount);
  const own = machine.currentProcessor;
  for (const [processor, dpc] of call.dpcs.entries()) {
    if (processor !== own) yield* KeInsertQueueDpc(dpc, call.done, call.barrier);
  }
  yield* resultOf(routine(call.dpcs[own] as KDpc, context, call.done, call.barrier));
  yield call.done.meet(BARRIER.Spin);
  yield* KeLowerIrql(IRQL.APC_LEVEL);
  yield* KeSetEvent(call.turn, 0, false);
  yield* KeLowerIrql(old);
}

function requireBarrier(routine: string, argument: unknown, which: string): KBarrier {
  if (argument instanceof KBarrier) return argument;
  throw new TypeError(
    `${routine} was given ${String(argument)}; give the ${which} system argument that KeGenericCallDpc calls its routine with`,
  );
}

/** One processor has done what it was called for; it does not wait for the others. @irql DISPATCH_LEVEL @nt KeSignalCallDpcDone */
export function KeSignalCallDpcDone(systemArgument1: unknown): NtCall<void> {
  const routine = 'KeSignalCallDpcDone';
  const done = requireBarrier(routine, systemArgument1, 'first');
  return new NtCall(routine, () => signalCallDpcDone(done));
}

function* signalCallDpcDone(done: KBarrier): Generator<Request, void, number> {
  yield done.meet(BARRIER.Arrive);
}

/**
 * Spins until every processor that was called is here.
 *
 * @returns TRUE on one of them, the last to come.
 * @irql DISPATCH_LEVEL   @nt KeSignalCallDpcSynchronize
 */
export function KeSignalCallDpcSynchronize(systemArgument2: unknown): NtCall<boolean> {
  const routine = 'KeSignalCallDpcSynchronize';
  const barrier = requireBarrier(routine, systemArgument2, 'second');
  return new NtCall(routine, () => signalCallDpcSynchronize(barrier));
}

function* signalCallDpcSynchronize(barrier: KBarrier): Generator<Request, boolean, number> {
  return (yield barrier.meet(TOGETHER)) === 1;
}

/** KIPI_BROADCAST_WORKER: runs at IPI_LEVEL. */
export type BroadcastFunction<T> = (context: unknown) => GuestResult<T>;

/** What KeIpiGenericCall has: one call at a time. */
interface IpiCall {
  readonly lock: KSpinLock;
  readonly interrupt: KInterrupt;
  readonly barrier: KBarrier;
  broadcastFunction: BroadcastFunction<unknown>;
  context: unknown;
}

const IPI_CALLS = new PerMachine<IpiCall>((machine: Machine) => {
  const call: IpiCall = {
    lock: machine.createSpinLock('KeIpiGenericCall'),
    interrupt: machine.connectIpi(function* () {
      yield call.barrier.meet(TOGETHER);
      yield* resultOf(call.broadcastFunction(call.context));
      yield call.barrier.meet(BARRIER.Arrive | BARRIER.Again);
      return true;
    }),
    barrier: machine.createBarrier(),
    broadcastFunction: () => undefined,
    context: undefined,
  };
  return call;
});

/**
 * Runs a function on every processor at once, at IPI_LEVEL: none begins before all are there, and
 * the call returns when all have finished.
 *
 * @returns what the function returned on the caller's processor.
 * @irql below IPI_LEVEL   @nt KeIpiGenericCall
 */
export function KeIpiGenericCall<T>(
  broadcastFunction: BroadcastFunction<T>,
  context: unknown,
): NtCall<T> {
  const routine = 'KeIpiGenericCall';
  return new NtCall(routine, () => ipiGenericCall(routine, broadcastFunction, context));
}

function* ipiGenericCall<T>(
  routine: string,
  broadcastFunction: BroadcastFunction<T>,
  context: unknown,
): Generator<Request, T, number> {
  requireIrql(routine, VIOLATION.KernelApi, IRQL.CLOCK_LEVEL);
  const { machine } = currentGuest(routine);
  const call = IPI_CALLS.of(machine);
  const lock = words64(call.lock.handle);
  const old = machine.irql();
  machine.core.hostRaiseIrql(Math.max(old, IRQL.SYNCH_LEVEL));
  yield [encode(OP.AcquireSpinLock, 0, SPIN.AtDpcLevel), ...lock];
  call.broadcastFunction = broadcastFunction;
  call.context = context;
  call.barrier.reset(machine.processorCount);
  const arrival = machine.now + machine.profile.interprocessorLatencyNs;
  const own = machine.currentProcessor;
  for (let processor = 0; processor < machine.processorCount; processor++) {
    if (processor === own) continue;
    if (!machine.scheduleInterrupt(arrival, processor, call.interrupt)) {
      throw machine.full('interrupts');
    }
  }
  yield call.barrier.meet(TOGETHER);
  machine.core.hostRaiseIrql(IRQL.IPI_LEVEL);
  const result = yield* resultOf(broadcastFunction(context));
  yield call.barrier.meet(TOGETHER);
  yield [encode(OP.ReleaseSpinLock, 0, SPIN.AtDpcLevel), ...lock];
  yield* KeLowerIrql(old);
  return result;
}
