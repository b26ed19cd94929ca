import { STATUS } from '../../../assembly/shared/status';
import { TIMER_TYPE } from '../../../assembly/shared/types';
import { KeCancelTimer, KeSetTimerEx } from '../../ke/timer';
import { type KernelCode, systemService } from '../../ke/mode';
import type { Timeout } from '../../ke/call';
import { currentGuest } from '../../machine/guest';
import type { KTimer } from '../../machine/views';
import { failed, type Handle, type HandleResult, type ObjectAttributes } from '../attributes';
import { ObpCreateObject, ObpOpenObjectByName } from '../create';
import type { InformationBuffer, InformationClass } from '../information';
import { ExTimerObjectType } from '../types';
import { changeHandle, type PreviousState, queryHandle } from './on-handle';
import { createTimerApc, dropTimerApc, type TimerApcRoutine } from './timer-apc';

/** Timers by handle. */

/** Rights of timers: TIMER_QUERY_STATE is `TIMER_ACCESS.QUERY_STATE`. */
export const enum TIMER_ACCESS {
  QUERY_STATE = 1,
  MODIFY_STATE = 2,
  ALL_ACCESS = 0x1f0003,
}

const createTimer = systemService(
  'CreateTimer',
  function* (
    mode,
    desiredAccess: number,
    objectAttributes: ObjectAttributes | null,
    timerType: TIMER_TYPE,
  ): KernelCode<HandleResult> {
    const notification = timerType === TIMER_TYPE.NotificationTimer;
    if (!notification && timerType !== TIMER_TYPE.SynchronizationTimer)
      return failed(STATUS.INVALID_PARAMETER_4);
    const { machine } = currentGuest('NtCreateTimer');
    const kind = notification ? 'notification' : 'synchronization';
    return yield* ObpCreateObject({
      mode,
      type: ExTimerObjectType,
      desiredAccess,
      attributes: objectAttributes,
      make: () => (machine.hasObjectRoom ? machine.createTimer(kind) : undefined),
    });
  },
);

/**
 * Makes a timer that is not set, or opens the one of its name if OBJ_OPENIF allows.
 *
 * @returns a handle with STATUS_SUCCESS, or STATUS_OBJECT_NAME_EXISTS if it was there;
 *   STATUS_INVALID_PARAMETER_4 for another type of timer.
 * @irql PASSIVE_LEVEL   @nt NtCreateTimer
 */
export const NtCreateTimer = createTimer.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwCreateTimer */
export const ZwCreateTimer = createTimer.zw;

const openTimer = systemService(
  'OpenTimer',
  (mode, desiredAccess: number, objectAttributes: ObjectAttributes | null) =>
    ObpOpenObjectByName(mode, ExTimerObjectType, desiredAccess, objectAttributes),
);

/** Opens the timer of a name. @irql PASSIVE_LEVEL @nt NtOpenTimer */
export const NtOpenTimer = openTimer.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwOpenTimer */
export const ZwOpenTimer = openTimer.zw;

const setTimer = systemService(
  'SetTimer',
  function* (
    mode,
    handle: Handle,
    dueTime100ns: Exclude<Timeout, null>,
    timerApcRoutine: TimerApcRoutine | null,
    timerContext: unknown,
    _resumeTimer: boolean,
    period: number,
  ): KernelCode<PreviousState> {
    if (!Number.isInteger(period) || period < 0 || period > 0x7fffffff)
      return { status: STATUS.INVALID_PARAMETER_6, previousState: undefined };
    const access = TIMER_ACCESS.MODIFY_STATE;
    return yield* changeHandle(mode, handle, access, ExTimerObjectType, function* (timer: KTimer) {
      const state = timer.signalState;
      yield* dropTimerApc(timer);
      const apc = timerApcRoutine;
      const dpc = apc === null ? null : createTimerApc(timer, apc, timerContext, mode);
      yield* KeSetTimerEx(timer, dueTime100ns, period, dpc);
      return state;
    });
  },
);

/**
 * Sets a timer, then every `period` ms if that is not 0; see KeSetTimerEx. Gives whether it was
 * signaled: it is not from then on. Each time it expires an APC of the caller's mode is queued to the
 * calling thread, if it has a routine for that; it is taken back when the timer is set again or
 * cancelled.
 *
 * @returns STATUS_SUCCESS; STATUS_INVALID_PARAMETER_6 for a period below 0.
 * @irql PASSIVE_LEVEL   @nt NtSetTimer
 */
export const NtSetTimer = setTimer.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwSetTimer */
export const ZwSetTimer = setTimer.zw;

/** A status, and whether the timer is signaled; undefined, as it is not written, on failure. */
export interface CurrentState {
  readonly status: number;
  readonly currentState: number | undefined;
}

const cancelTimer = systemService(
  'CancelTimer',
  function* (mode, handle: Handle): KernelCode<CurrentState> {
    const access = TIMER_ACCESS.MODIFY_STATE;
    const result = yield* changeHandle(
      mode,
      handle,
      access,
      ExTimerObjectType,
      function* (timer: KTimer) {
        yield* KeCancelTimer(timer);
        yield* dropTimerApc(timer);
        return timer.signalState;
      },
    );
    return { status: result.status, currentState: result.previousState };
  },
);

/** Cancels a timer, and gives whether it is signaled. @irql PASSIVE_LEVEL @nt NtCancelTimer */
export const NtCancelTimer = cancelTimer.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwCancelTimer */
export const ZwCancelTimer = cancelTimer.zw;

/** TIMER_BASIC_INFORMATION. */
export interface TimerBasicInformation {
  /** 100 ns until it expires; below 0 since it has. */
  readonly RemainingTime: bigint;
  readonly TimerState: boolean;
}

/** TIMER_INFORMATION_CLASS. */
export const enum TIMER_INFORMATION_CLASS {
  TimerBasicInformation = 0,
}

const TIMER_BASIC: InformationClass<KTimer, TimerBasicInformation> = {
  lengths: [16],
  query: (timer) => ({
    RemainingTime: BigInt(Math.trunc((timer.dueTimeNs - timer.machine.now) / 100)),
    TimerState: timer.signalState !== 0,
  }),
};

const queryTimer = systemService(
  'QueryTimer',
  (mode, handle: Handle, informationClass: TIMER_INFORMATION_CLASS, length: InformationBuffer) => {
    const known = informationClass === TIMER_INFORMATION_CLASS.TimerBasicInformation;
    const information = known ? TIMER_BASIC : undefined;
    const access = TIMER_ACCESS.QUERY_STATE;
    return queryHandle(mode, handle, access, ExTimerObjectType, information, length);
  },
);

/** When a timer expires, and whether it is signaled: 16 bytes. @irql PASSIVE_LEVEL @nt NtQueryTimer */
export const NtQueryTimer = queryTimer.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwQueryTimer */
export const ZwQueryTimer = queryTimer.zw;
