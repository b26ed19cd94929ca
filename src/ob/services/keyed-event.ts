import { STATUS } from '../../../assembly/shared/status';
import { KWAIT_REASON, MODE } from '../../../assembly/shared/types';
import type { Timeout } from '../../ke/call';
import { KeSetEvent, KeWaitForSingleObject } from '../../ke/ddi';
import { currentProcess, type KernelCode, systemService } from '../../ke/mode';
import { currentGuest } from '../../machine/guest';
import { failed, type Handle, type HandleResult, type ObjectAttributes } from '../attributes';
import { ObpCreateObject, ObpOpenObjectByName } from '../create';
import { KeyedEvent, type KeyedSide } from '../keyed-event';
import { objectManager } from '../state';
import { ExpKeyedEventObjectType } from '../types';
import { onHandle } from './on-handle';

/** Keyed events by handle. */

/** Rights of keyed events: KEYEDEVENT_WAIT is `KEYEDEVENT_ACCESS.WAIT`. */
export const enum KEYEDEVENT_ACCESS {
  WAIT = 1,
  WAKE = 2,
  ALL_ACCESS = 0xf0003,
}

const createKeyedEvent = systemService(
  'CreateKeyedEvent',
  function* (
    mode,
    desiredAccess: number,
    objectAttributes: ObjectAttributes | null,
    flags: number,
  ): KernelCode<HandleResult> {
    if (flags !== 0) return failed(STATUS.INVALID_PARAMETER_4);
    const { machine } = currentGuest('NtCreateKeyedEvent');
    return yield* ObpCreateObject({
      mode,
      type: ExpKeyedEventObjectType,
      desiredAccess,
      attributes: objectAttributes,
      make: () => new KeyedEvent(machine),
    });
  },
);

/** Makes a keyed event, or opens the one of its name if OBJ_OPENIF allows. `flags` is 0. @irql PASSIVE_LEVEL @nt NtCreateKeyedEvent */
export const NtCreateKeyedEvent = createKeyedEvent.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwCreateKeyedEvent */
export const ZwCreateKeyedEvent = createKeyedEvent.zw;

const openKeyedEvent = systemService(
  'OpenKeyedEvent',
  (mode, desiredAccess: number, objectAttributes: ObjectAttributes | null) =>
    ObpOpenObjectByName(mode, ExpKeyedEventObjectType, desiredAccess, objectAttributes),
);

/** Opens the keyed event of a name. @irql PASSIVE_LEVEL @nt NtOpenKeyedEvent */
export const NtOpenKeyedEvent = openKeyedEvent.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwOpenKeyedEvent */
export const ZwOpenKeyedEvent = openKeyedEvent.zw;

/** Meets who has come to the other side, or waits for one. */
function* meet(
  keyed: KeyedEvent,
  key: string,
  side: KeyedSide,
  mode: MODE,
  alertable: boolean,
  timeout: Timeout,
): KernelCode<number> {
  const other = keyed.meet(key, side);
  if (other !== undefined) {
    yield* KeSetEvent(other.met, 1, false);
    return STATUS.SUCCESS;
  }
  const { machine, thread } = currentGuest('keyed event');
  if (!machine.hasObjectRoom) return STATUS.INSUFFICIENT_RESOURCES;
  const waiter = { thread, met: machine.createEvent('notification') };
  keyed.add(key, side, waiter);
  const reason = KWAIT_REASON.WrKeyedEvent;
  let status = yield* KeWaitForSingleObject(waiter.met, reason, mode, alertable, timeout);
  if (status !== STATUS.SUCCESS && !keyed.remove(key, side, waiter)) {
    // The other has come just now, and is about to say so.
    status = yield* KeWaitForSingleObject(waiter.met, reason, MODE.KernelMode, false, null);
  }
  waiter.met.delete();
  return status;
}

/** Both services: they differ in the side that they come to, and in the right that they need. */
function meeting(name: string, side: KeyedSide, access: KEYEDEVENT_ACCESS) {
  return systemService(
    name,
    function* (
      mode,
      handle: Handle,
      key: number,
      alertable: boolean,
      timeout100ns: Timeout,
    ): KernelCode<number> {
      if (key % 2 !== 0) return STATUS.INVALID_PARAMETER_1;
      const process = currentProcess(name);
      const place = `${process.handle}:${key}`;
      const use = (keyed: KeyedEvent) => meet(keyed, place, side, mode, alertable, timeout100ns);
      if (handle === 0) return yield* use(objectManager(process.machine).criticalSectionEvent);
      return yield* onHandle(mode, handle, access, ExpKeyedEventObjectType, use);
    },
  );
}

const waitForKeyedEvent = meeting('WaitForKeyedEvent', 'waiting', KEYEDEVENT_ACCESS.WAIT);

/**
 * Waits until a thread of the same process releases the key, an even number; one that has come to
 * release it before is let go on. Without a handle the event is that of critical sections.
 *
 * @returns STATUS_SUCCESS; STATUS_TIMEOUT, STATUS_USER_APC, STATUS_ALERTED; STATUS_INVALID_PARAMETER_1
 *   for an odd key; what handles come to.
 * @irql PASSIVE_LEVEL   @nt NtWaitForKeyedEvent
 */
export const NtWaitForKeyedEvent = waitForKeyedEvent.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwWaitForKeyedEvent */
export const ZwWaitForKeyedEvent = waitForKeyedEvent.zw;

const releaseKeyedEvent = meeting('ReleaseKeyedEvent', 'releasing', KEYEDEVENT_ACCESS.WAKE);

/** The other side of NtWaitForKeyedEvent: it waits just so until one comes to wait. @irql PASSIVE_LEVEL @nt NtReleaseKeyedEvent */
export const NtReleaseKeyedEvent = releaseKeyedEvent.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwReleaseKeyedEvent */
export const ZwReleaseKeyedEvent = releaseKeyedEvent.zw;
