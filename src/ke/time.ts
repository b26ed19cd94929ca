import { OP } from '../../assembly/shared/opcode';
import { STATUS } from '../../assembly/shared/status';
import { IRQL, type MODE } from '../../assembly/shared/types';
import { currentGuest, type NtCall } from '../machine/guest';
import { encode, words64 } from '../machine/instruction';
import { isSystemTime, requireInteger } from '../machine/profile';
import { call, encodeTimeout, requireIrql, type Timeout, VIOLATION } from './call';
import { waitField } from './ddi';

/**
 * Times, the clock's interval and delays, for host threads. A time that can be before boot is a
 * bigint: 100 ns since 1601 are more than a number holds exactly.
 */

const clock = (routine: string) => currentGuest(routine).machine.clock;

/** @returns 100 ns that a clock interval adds to the system time; the same for ever. @irql any @nt KeQueryTimeIncrement */
export function KeQueryTimeIncrement(): number {
  return Math.floor(currentGuest('KeQueryTimeIncrement').machine.profile.clockIntervalNs / 100);
}

/** @returns clock intervals since boot, whatever the timer resolution. @irql any @nt KeQueryTickCount */
export function KeQueryTickCount(): number {
  return clock('KeQueryTickCount').tickCount;
}

/** @returns the system time at the last tick, 100 ns since 1601. @irql any @nt KeQuerySystemTime */
export function KeQuerySystemTime(): bigint {
  return clock('KeQuerySystemTime').systemTime100ns;
}

/** @returns the system time now, 100 ns since 1601. @irql any @nt KeQuerySystemTimePrecise */
export function KeQuerySystemTimePrecise(): bigint {
  return clock('KeQuerySystemTimePrecise').systemTimePrecise100ns;
}

/** @returns 100 ns from boot to the last tick, whatever the clock is set to. @irql any @nt KeQueryInterruptTime */
export function KeQueryInterruptTime(): number {
  return clock('KeQueryInterruptTime').interruptTime100ns;
}

/** @returns 100 ns since boot, and the performance counter at that time. @irql any @nt KeQueryInterruptTimePrecise */
export function KeQueryInterruptTimePrecise(): {
  readonly interruptTime: number;
  readonly qpcTimeStamp: number;
} {
  const { interruptTimePrecise100ns, performanceCounter } = clock('KeQueryInterruptTimePrecise');
  return { interruptTime: interruptTimePrecise100ns, qpcTimeStamp: performanceCounter };
}

/** @returns the same as KeQueryInterruptTime: the machine never sleeps. @irql any @nt KeQueryUnbiasedInterruptTime */
export function KeQueryUnbiasedInterruptTime(): number {
  return clock('KeQueryUnbiasedInterruptTime').interruptTime100ns;
}

/** @returns counts since boot, the same on every processor, and counts a second. @irql any @nt KeQueryPerformanceCounter */
export function KeQueryPerformanceCounter(): {
  readonly performanceCounter: number;
  readonly performanceFrequency: number;
} {
  const { machine } = currentGuest('KeQueryPerformanceCounter');
  const { performanceFrequency } = machine.profile;
  return { performanceCounter: machine.clock.performanceCounter, performanceFrequency };
}

/**
 * Sets the system time, 100 ns since 1601; callers in kernel mode need no privilege. Absolute
 * timers, waits and delays end sooner or later by the difference, those whose time has come at the
 * next tick.
 *
 * @returns the status, and the system time before; INVALID_PARAMETER for a time before 1601.
 * @irql PASSIVE_LEVEL   @nt ZwSetSystemTime
 */
export function ZwSetSystemTime(systemTime: bigint): {
  readonly status: number;
  readonly value: bigint | undefined;
} {
  requireIrql('ZwSetSystemTime', VIOLATION.IrqlZwPassive, IRQL.PASSIVE_LEVEL);
  if (!isSystemTime(systemTime)) return { status: STATUS.INVALID_PARAMETER, value: undefined };
  const machineClock = clock('ZwSetSystemTime');
  const previous = machineClock.systemTime100ns;
  machineClock.systemTime100ns = systemTime;
  return { status: STATUS.SUCCESS, value: previous };
}

/**
 * Lets the clock interrupt at least every `desiredTime` (100 ns) from now on, or takes one such
 * request back (FALSE; `desiredTime` is not read then). The lowest request is in force, and no
 * driver's ends before as many have been taken back as were made.
 *
 * @returns the interval in force, 100 ns: not below the machine's lowest.
 * @irql at most APC_LEVEL   @nt ExSetTimerResolution
 */
export function ExSetTimerResolution(desiredTime: number, setResolution: boolean): number {
  requireIrql('ExSetTimerResolution', VIOLATION.IrqlExApcLte2, IRQL.APC_LEVEL);
  const machineClock = clock('ExSetTimerResolution');
  if (setResolution) {
    requireInteger('ExSetTimerResolution: desiredTime (100 ns)', desiredTime, 0, 0xffffffff);
    machineClock.addDriverRequest(desiredTime * 100);
  } else {
    machineClock.removeDriverRequest();
  }
  return Math.floor(machineClock.resolutionNs / 100);
}

/** The interval between clock interrupts, 100 ns: the longest, the shortest and the present one. */
export interface TimerResolutions {
  readonly maximumTime: number;
  readonly minimumTime: number;
  readonly currentTime: number;
}

function resolutions(routine: string): TimerResolutions {
  const { machine } = currentGuest(routine);
  return {
    maximumTime: Math.floor(machine.profile.clockIntervalNs / 100),
    minimumTime: Math.floor(machine.clock.minimumResolutionNs / 100),
    currentTime: Math.floor(machine.clock.resolutionNs / 100),
  };
}

/** @returns what can be asked for, and what is in force. @irql any @nt ExQueryTimerResolution */
export function ExQueryTimerResolution(): TimerResolutions {
  return resolutions('ExQueryTimerResolution');
}

/** The same with a status. @irql PASSIVE_LEVEL @nt NtQueryTimerResolution */
export function NtQueryTimerResolution(): {
  readonly status: number;
  readonly value: TimerResolutions;
} {
  requireIrql('NtQueryTimerResolution', VIOLATION.IrqlZwPassive, IRQL.PASSIVE_LEVEL);
  return { status: STATUS.SUCCESS, value: resolutions('NtQueryTimerResolution') };
}

/**
 * Makes the request of the thread's process, instead of the one it made before, or takes it back, as
 * the end of the process does. The lowest request of all is in force.
 *
 * @returns the interval in force, 100 ns, with SUCCESS; TIMER_RESOLUTION_NOT_SET if there is none to
 *   take back.
 * @irql PASSIVE_LEVEL   @nt NtSetTimerResolution
 */
export function NtSetTimerResolution(
  desiredTime: number,
  setResolution: boolean,
): { readonly status: number; readonly value: number } {
  const routine = 'NtSetTimerResolution';
  requireIrql(routine, VIOLATION.IrqlZwPassive, IRQL.PASSIVE_LEVEL);
  const { machine, thread } = currentGuest(routine);
  let status: number = STATUS.SUCCESS;
  if (setResolution) {
    requireInteger(`${routine}: desiredTime (100 ns)`, desiredTime, 0, 0xffffffff);
    machine.needLifecycle();
    machine.clock.setProcessRequest(thread.process, desiredTime * 100);
  } else if (!machine.clock.removeProcessRequest(thread.process)) {
    status = STATUS.TIMER_RESOLUTION_NOT_SET;
  }
  return { status, value: Math.floor(machine.clock.resolutionNs / 100) };
}

/**
 * Delays by an interval (negative, 100 ns) or until a system time (positive); 0 yields.
 *
 * @returns SUCCESS once that is over; NO_YIELD_PERFORMED if nobody else could run; ALERTED or USER_APC
 *   as of a wait.
 * @irql below DISPATCH_LEVEL   @nt KeDelayExecutionThread
 */
export function KeDelayExecutionThread(
  waitMode: MODE,
  alertable: boolean,
  interval100ns: Exclude<Timeout, null>,
): NtCall<number> {
  const routine = 'KeDelayExecutionThread';
  const first = encode(OP.Delay, 0, waitField(0, waitMode, alertable));
  const request = [first, ...words64(encodeTimeout(routine, interval100ns))];
  return call(routine, request, () =>
    requireIrql(routine, VIOLATION.IrqlKeApcLte1, IRQL.APC_LEVEL),
  );
}

/** Gives way to a ready thread of at least this priority; NO_YIELD_PERFORMED if there is none. @irql PASSIVE_LEVEL @nt NtYieldExecution */
export function NtYieldExecution(): NtCall<number> {
  return call('NtYieldExecution', [encode(OP.Yield)]);
}

/** The same. @irql PASSIVE_LEVEL @nt ZwYieldExecution */
export function ZwYieldExecution(): NtCall<number> {
  return call('ZwYieldExecution', [encode(OP.Yield)], () =>
    requireIrql('ZwYieldExecution', VIOLATION.IrqlZwPassive, IRQL.PASSIVE_LEVEL),
  );
}
