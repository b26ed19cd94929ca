import { KTHREAD_STATE } from '../../assembly/shared/types';
import { DeviceObject, DriverObject, IoObject } from '../machine/driver';
import { MachineError } from '../machine/errors';
import type { Machine } from '../machine/machine';
import { KernelObject, KProcess, KThread } from '../machine/views';
import type { ObjectDirectory } from './directory';
import type { ObjectType } from './type';
import { IoDeviceObjectType, IoDriverObjectType, PsProcessType, PsThreadType } from './types';

/** Objects: what the object manager knows of a body, and its counts. */

/** Anything that can have a header: a row of the core, or what is the host's alone. */
export interface ObjectBody {
  readonly machine: Machine;
  /** @internal */
  objectHeader: object | undefined;
}

/** An object that is the host's alone. */
export abstract class HostObject implements ObjectBody {
  /** @internal */
  objectHeader: object | undefined;

  constructor(readonly machine: Machine) {}

  /** What a wait for it waits for; undefined: such a wait is over at once. */
  get waitObject(): KernelObject | undefined {
    return undefined;
  }
}

/** OBJECT_HEADER. */
export class ObjectHeader {
  /** References: each handle, the name, and every pointer somebody keeps is one. */
  pointerCount = 1;
  handleCount = 0;
  /** Its last component; of an object without a name ''. */
  name = '';
  directory: ObjectDirectory | undefined;
  permanent = false;
  /** It was made by kernel mode. */
  kernelObject = false;
  /** OBJ_EXCLUSIVE: the only process that may have handles. */
  exclusiveProcess: KProcess | undefined;
  securityDescriptor: unknown;

  constructor(
    readonly type: ObjectType,
    readonly body: ObjectBody,
  ) {}
}

/**
 * The references that are not the header's: that a process or thread lives, or its embedder keeps it;
 * those of the I/O manager, of which one stands for all of the header's.
 */
function ownReferences({ body, pointerCount }: ObjectHeader): number {
  if (body instanceof IoObject) return body.pointerCount - (pointerCount > 0 ? 1 : 0);
  if (body instanceof KernelObject && !body.exists) return 0;
  if (body instanceof KThread)
    return (body.state === KTHREAD_STATE.Terminated ? 0 : 1) + (body.held ? 1 : 0);
  if (body instanceof KProcess) return (body.exited ? 0 : 1) + (body.held ? 1 : 0);
  return 0;
}

/** PointerCount as it is shown. */
export function shownPointerCount(header: ObjectHeader): number {
  const { body, pointerCount, handleCount } = header;
  const perHandle = body.machine.profile.handleReferences;
  return pointerCount + ownReferences(header) + handleCount * (perHandle - 1);
}

/** The type of a body that is given its header by the first who asks. */
function typeOf(body: ObjectBody): ObjectType | undefined {
  if (body instanceof KThread) return PsThreadType;
  if (body instanceof KProcess) return PsProcessType;
  if (body instanceof DriverObject) return IoDriverObjectType;
  return body instanceof DeviceObject ? IoDeviceObjectType : undefined;
}

/** The header of an object. Processes, threads, drivers and devices are given theirs by the first who asks. */
export function headerOf(routine: string, body: ObjectBody): ObjectHeader {
  const known = body.objectHeader;
  if (known !== undefined) return known as ObjectHeader;
  const type = typeOf(body);
  if (type === undefined) {
    throw new MachineError(
      `${routine}: this ${body.constructor.name} is no object of the object manager; make it with an Nt or Zw routine, or insert it with ObInsertObject`,
    );
  }
  const header = new ObjectHeader(type, body);
  header.pointerCount = 0;
  body.objectHeader = header;
  return header;
}
