import { systemService } from '../../ke/mode';
import { currentGuest } from '../../machine/guest';
import type { Machine } from '../../machine/machine';
import type { KEvent } from '../../machine/views';
import type { ObjectAttributes } from '../attributes';
import { ObpCreateObject, ObpOpenObjectByName } from '../create';
import { HostObject } from '../object';
import { PsJobType } from '../types';

/** Job objects: that they are there. No process is in one. */

/** Rights of jobs: JOB_OBJECT_QUERY is `JOB_OBJECT_ACCESS.QUERY`. */
export const enum JOB_OBJECT_ACCESS {
  ASSIGN_PROCESS = 1,
  SET_ATTRIBUTES = 2,
  QUERY = 4,
  TERMINATE = 8,
  SET_SECURITY_ATTRIBUTES = 0x10,
  IMPERSONATE = 0x20,
  ALL_ACCESS = 0x1f003f,
}

/** EJOB. */
export class JobObject extends HostObject {
  constructor(
    machine: Machine,
    /** Signaled when a limit of the whole job's time is passed. */
    private readonly event: KEvent,
  ) {
    super(machine);
  }

  override get waitObject(): KEvent {
    return this.event;
  }
}

PsJobType.procedures = {
  delete(body) {
    (body as JobObject).waitObject.delete();
    return undefined;
  },
};

const createJobObject = systemService(
  'CreateJobObject',
  (mode, desiredAccess: number, objectAttributes: ObjectAttributes | null) => {
    const { machine } = currentGuest('NtCreateJobObject');
    return ObpCreateObject({
      mode,
      type: PsJobType,
      desiredAccess,
      attributes: objectAttributes,
      make: () =>
        machine.hasObjectRoom
          ? new JobObject(machine, machine.createEvent('notification'))
          : undefined,
    });
  },
);

/** Makes a job, or opens the one of its name if OBJ_OPENIF allows. @irql PASSIVE_LEVEL @nt NtCreateJobObject (partial: no process can be assigned) */
export const NtCreateJobObject = createJobObject.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwCreateJobObject (partial: no process can be assigned) */
export const ZwCreateJobObject = createJobObject.zw;

const openJobObject = systemService(
  'OpenJobObject',
  (mode, desiredAccess: number, objectAttributes: ObjectAttributes | null) =>
    ObpOpenObjectByName(mode, PsJobType, desiredAccess, objectAttributes),
);

/** Opens the job of a name. @irql PASSIVE_LEVEL @nt NtOpenJobObject */
export const NtOpenJobObject = openJobObject.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwOpenJobObject */
export const ZwOpenJobObject = openJobObject.zw;
