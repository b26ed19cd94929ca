import { STATUS } from '../../../assembly/shared/status';
import { KOBJECTS } from '../../../assembly/shared/types';
import { KePulseEvent, KeResetEvent, KeSetEvent } from '../../ke/ddi';
import { EVENT_TYPE } from '../../ke/initialize';
import { type KernelCode, systemService } from '../../ke/mode';
import { KeSetEventBoostPriority } from '../../ke/queue';
import { currentGuest, type NtCall } from '../../machine/guest';
import type { KEvent } from '../../machine/views';
import { failed, type Handle, type HandleResult, type ObjectAttributes } from '../attributes';
import { ObpCreateObject, ObpOpenObjectByName } from '../create';
import type { InformationBuffer, InformationClass } from '../information';
import { ExEventObjectType } from '../types';
import { changeHandle, onHandle, type PreviousState, queryHandle } from './on-handle';

/** Events by handle. */

export { EVENT_TYPE };

/** Rights of events: EVENT_QUERY_STATE is `EVENT_ACCESS.QUERY_STATE`. */
export const enum EVENT_ACCESS {
  QUERY_STATE = 1,
  MODIFY_STATE = 2,
  ALL_ACCESS = 0x1f0003,
}

const EVENT_INCREMENT = 1;

const createEvent = systemService(
  'CreateEvent',
  function* (
    mode,
    desiredAccess: number,
    objectAttributes: ObjectAttributes | null,
    eventType: EVENT_TYPE,
    initialState: boolean,
  ): KernelCode<HandleResult> {
    const notification = eventType === EVENT_TYPE.NotificationEvent;
    if (!notification && eventType !== EVENT_TYPE.SynchronizationEvent)
      return failed(STATUS.INVALID_PARAMETER);
    const { machine } = currentGuest('NtCreateEvent');
    const kind = notification ? 'notification' : 'synchronization';
    return yield* ObpCreateObject({
      mode,
      type: ExEventObjectType,
      desiredAccess,
      attributes: objectAttributes,
      make: () => (machine.hasObjectRoom ? machine.createEvent(kind, initialState) : undefined),
    });
  },
);

/**
 * Makes an event, or opens the one of its name if OBJ_OPENIF allows.
 *
 * @returns a handle with STATUS_SUCCESS, or STATUS_OBJECT_NAME_EXISTS if it was there;
 *   STATUS_INVALID_PARAMETER for another type of event; what names and access come to.
 * @irql PASSIVE_LEVEL   @nt NtCreateEvent
 */
export const NtCreateEvent = createEvent.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwCreateEvent */
export const ZwCreateEvent = createEvent.zw;

const openEvent = systemService(
  'OpenEvent',
  (mode, desiredAccess: number, objectAttributes: ObjectAttributes | null) =>
    ObpOpenObjectByName(mode, ExEventObjectType, desiredAccess, objectAttributes),
);

/** Opens the event of a name. @irql PASSIVE_LEVEL @nt NtOpenEvent */
export const NtOpenEvent = openEvent.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwOpenEvent */
export const ZwOpenEvent = openEvent.zw;

/** A service that changes an event by a routine which returns the state before. */
function changing(name: string, change: (event: KEvent) => NtCall<number>) {
  return systemService(name, (mode, handle: Handle): KernelCode<PreviousState> => {
    const access = EVENT_ACCESS.MODIFY_STATE;
    return changeHandle(mode, handle, access, ExEventObjectType, function* (event: KEvent) {
      return yield* change(event);
    });
  });
}

const setEvent = changing('SetEvent', (event) => KeSetEvent(event, EVENT_INCREMENT, false));

/** Signals an event; see KeSetEvent. @irql PASSIVE_LEVEL @nt NtSetEvent */
export const NtSetEvent = setEvent.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwSetEvent */
export const ZwSetEvent = setEvent.zw;

const resetEvent = changing('ResetEvent', KeResetEvent);

/** Takes an event's signal back. @irql PASSIVE_LEVEL @nt NtResetEvent */
export const NtResetEvent = resetEvent.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwResetEvent */
export const ZwResetEvent = resetEvent.zw;

const pulseEvent = changing('PulseEvent', (event) => KePulseEvent(event, EVENT_INCREMENT, false));

/** Wakes whom NtSetEvent would wake now, and leaves the event not signaled. @irql PASSIVE_LEVEL @nt NtPulseEvent */
export const NtPulseEvent = pulseEvent.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwPulseEvent */
export const ZwPulseEvent = pulseEvent.zw;

/** A service that changes an event and tells a status alone. */
function silently(name: string, change: (event: KEvent) => KernelCode<number>) {
  return systemService(
    name,
    (mode, handle: Handle): KernelCode<number> =>
      onHandle(mode, handle, EVENT_ACCESS.MODIFY_STATE, ExEventObjectType, change),
  );
}

const clearEvent = silently('ClearEvent', function* (event) {
  yield* KeResetEvent(event);
  return STATUS.SUCCESS;
});

/** NtResetEvent without the state before. @irql PASSIVE_LEVEL @nt NtClearEvent */
export const NtClearEvent = clearEvent.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwClearEvent */
export const ZwClearEvent = clearEvent.zw;

const setEventBoostPriority = silently('SetEventBoostPriority', function* (event) {
  return yield* KeSetEventBoostPriority(event);
});

/** KeSetEventBoostPriority by handle. @irql PASSIVE_LEVEL @nt NtSetEventBoostPriority */
export const NtSetEventBoostPriority = setEventBoostPriority.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwSetEventBoostPriority */
export const ZwSetEventBoostPriority = setEventBoostPriority.zw;

/** EVENT_BASIC_INFORMATION. */
export interface EventBasicInformation {
  readonly EventType: EVENT_TYPE;
  readonly EventState: number;
}

/** EVENT_INFORMATION_CLASS. */
export const enum EVENT_INFORMATION_CLASS {
  EventBasicInformation = 0,
}

const EVENT_BASIC: InformationClass<KEvent, EventBasicInformation> = {
  lengths: [8],
  query: (event) => ({
    EventType:
      event.type === KOBJECTS.EventNotificationObject
        ? EVENT_TYPE.NotificationEvent
        : EVENT_TYPE.SynchronizationEvent,
    EventState: event.signalState,
  }),
};

const queryEvent = systemService(
  'QueryEvent',
  (
    mode,
    handle: Handle,
    informationClass: EVENT_INFORMATION_CLASS,
    eventInformationLength: InformationBuffer,
  ) =>
    queryHandle(
      mode,
      handle,
      EVENT_ACCESS.QUERY_STATE,
      ExEventObjectType,
      informationClass === EVENT_INFORMATION_CLASS.EventBasicInformation ? EVENT_BASIC : undefined,
      eventInformationLength,
    ),
);

/** What an event is, and whether it is signaled: 8 bytes. @irql PASSIVE_LEVEL @nt NtQueryEvent */
export const NtQueryEvent = queryEvent.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwQueryEvent */
export const ZwQueryEvent = queryEvent.zw;
