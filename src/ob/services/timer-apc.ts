import type { MODE } from '../../../assembly/shared/types';
import { KeInsertQueueApc } from '../../ke/apc';
import type { KernelCode } from '../../ke/mode';
import { KeCancelTimer } from '../../ke/timer';
import type { KApc, NormalRoutine } from '../../machine/apc';
import type { KDpc } from '../../machine/dpc';
import { currentGuest } from '../../machine/guest';
import type { KTimer } from '../../machine/views';
import { ExTimerObjectType } from '../types';

/** The APCs of timers by handle: each is queued to the thread that has set the timer, by a DPC of the timer's. */

/** PTIMER_APC_ROUTINE: gets the system time at which the timer expired, its low and high halves. */
export type TimerApcRoutine = NormalRoutine;

interface TimerApc {
  readonly dpc: KDpc;
  readonly apc: KApc;
}

const TIMER_APCS = new WeakMap<KTimer, TimerApc>();

/** Makes the APC of a timer that is not set, and gives the DPC to set it with. */
export function createTimerApc(
  timer: KTimer,
  routine: TimerApcRoutine,
  context: unknown,
  mode: MODE,
): KDpc {
  const { machine, thread } = currentGuest('NtSetTimer');
  const apc = machine.createApc(thread, { normalRoutine: routine, mode, normalContext: context });
  const dpc = machine.createDpc(function* () {
    const time = machine.clock.systemTime100ns;
    yield* KeInsertQueueApc(apc, Number(time & 0xffffffffn), Number(time >> 32n), 1);
  });
  TIMER_APCS.set(timer, { dpc, apc });
  return dpc;
}

/** Cancels a timer that has an APC, and takes that back, queued or not. */
export function* dropTimerApc(timer: KTimer): KernelCode<void> {
  const known = TIMER_APCS.get(timer);
  if (known === undefined) return;
  yield* KeCancelTimer(timer);
  TIMER_APCS.delete(timer);
  known.dpc.delete();
  known.apc.delete();
}

ExTimerObjectType.procedures = { delete: (timer) => dropTimerApc(timer as KTimer) };
