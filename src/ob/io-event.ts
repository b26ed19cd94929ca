import { IRQL, MODE } from '../../assembly/shared/types';
import { requireIrql, VIOLATION } from '../ke/call';
import type { KernelCode } from '../ke/mode';
import { currentGuest, NtCall } from '../machine/guest';
import type { KEvent } from '../machine/views';
import { type Handle, OBJ } from './attributes';
import { ObpCreateObject } from './create';
import { ObpReferenceByHandle } from './handle';
import { ObpDereference } from './reference';
import { EVENT_ACCESS } from './services/event';
import { ExEventObjectType } from './types';

/** Events with names that drivers share. */

/** An event with its handle, which keeps it; null if there is none to be had. */
export interface NamedEvent {
  readonly event: KEvent | null;
  readonly eventHandle: Handle;
}

function namedEvent(
  routine: string,
  kind: 'notification' | 'synchronization',
  eventName: string | null,
): NtCall<NamedEvent> {
  return new NtCall(routine, () => namedEventSteps(routine, kind, eventName));
}

function* namedEventSteps(
  routine: string,
  kind: 'notification' | 'synchronization',
  eventName: string | null,
): KernelCode<NamedEvent> {
  requireIrql(routine, VIOLATION.IrqlIoPassive, IRQL.PASSIVE_LEVEL);
  const { machine } = currentGuest(routine);
  const { handle } = yield* ObpCreateObject({
    mode: MODE.KernelMode,
    type: ExEventObjectType,
    desiredAccess: EVENT_ACCESS.ALL_ACCESS,
    attributes: { ObjectName: eventName, Attributes: OBJ.OPENIF | OBJ.KERNEL_HANDLE },
    make: () => (machine.hasObjectRoom ? machine.createEvent(kind, true) : undefined),
  });
  if (handle === 0) return { event: null, eventHandle: 0 };
  const { header } = ObpReferenceByHandle(handle, 0, ExEventObjectType, MODE.KernelMode);
  if (header === undefined) return { event: null, eventHandle: 0 };
  // The handle is what keeps the event.
  yield* ObpDereference(header);
  return { event: header.body as KEvent, eventHandle: handle };
}

/**
 * Makes a notification event, signaled, or finds the event of that name, of whichever type it is. The
 * handle, one of the kernel's, keeps it until ZwClose.
 *
 * @irql PASSIVE_LEVEL   @nt IoCreateNotificationEvent
 */
export function IoCreateNotificationEvent(eventName: string | null): NtCall<NamedEvent> {
  return namedEvent('IoCreateNotificationEvent', 'notification', eventName);
}

/** The same, a synchronization event. @irql PASSIVE_LEVEL @nt IoCreateSynchronizationEvent */
export function IoCreateSynchronizationEvent(eventName: string | null): NtCall<NamedEvent> {
  return namedEvent('IoCreateSynchronizationEvent', 'synchronization', eventName);
}
