import { STATUS } from '../../../assembly/shared/status';
import { type KernelCode, systemService } from '../../ke/mode';
import { currentGuest } from '../../machine/guest';
import type { Machine } from '../../machine/machine';
import type { KEvent } from '../../machine/views';
import { failed, type HandleResult, type ObjectAttributes } from '../attributes';
import { ObpCreateObject } from '../create';
import { HostObject } from '../object';
import { DbgkDebugObjectType } from '../types';

/** Debug objects: that they are there. Nothing is debugged. */

/** Rights of debug objects: DEBUG_READ_EVENT is `DEBUG_ACCESS.READ_EVENT`. */
export const enum DEBUG_ACCESS {
  READ_EVENT = 1,
  PROCESS_ASSIGN = 2,
  SET_INFORMATION = 4,
  QUERY_INFORMATION = 8,
  ALL_ACCESS = 0x1f000f,
}

/** DEBUG_KILL_ON_CLOSE. */
export const DEBUG_KILL_ON_CLOSE = 1;

/** DEBUG_OBJECT. */
export class DebugObject extends HostObject {
  constructor(
    machine: Machine,
    /** Signaled while there are events to be read: never. */
    private readonly eventsPresent: KEvent,
    readonly killOnClose: boolean,
  ) {
    super(machine);
  }

  override get waitObject(): KEvent {
    return this.eventsPresent;
  }
}

DbgkDebugObjectType.procedures = {
  delete(body) {
    (body as DebugObject).waitObject.delete();
    return undefined;
  },
};

const createDebugObject = systemService(
  'CreateDebugObject',
  function* (
    mode,
    desiredAccess: number,
    objectAttributes: ObjectAttributes | null,
    flags: number,
  ): KernelCode<HandleResult> {
    if ((flags & ~DEBUG_KILL_ON_CLOSE) !== 0) return failed(STATUS.INVALID_PARAMETER);
    const { machine } = currentGuest('NtCreateDebugObject');
    return yield* ObpCreateObject({
      mode,
      type: DbgkDebugObjectType,
      desiredAccess,
      attributes: objectAttributes,
      make: () =>
        machine.hasObjectRoom
          ? new DebugObject(machine, machine.createEvent('notification'), flags !== 0)
          : undefined,
    });
  },
);

/** Makes a debug object, or opens the one of its name if OBJ_OPENIF allows. @irql PASSIVE_LEVEL @nt NtCreateDebugObject (partial: nothing can be debugged) */
export const NtCreateDebugObject = createDebugObject.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwCreateDebugObject (partial: nothing can be debugged) */
export const ZwCreateDebugObject = createDebugObject.zw;
