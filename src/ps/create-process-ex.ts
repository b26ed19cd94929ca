import { KPROCESS } from '../../assembly/shared/layout';
import { STATUS } from '../../assembly/shared/status';
import { type KernelCode, systemService } from '../ke/mode';
import { currentGuest } from '../machine/guest';
import type { KProcess } from '../machine/views';
import {
  captureAttributes,
  failed,
  type Handle,
  type HandleResult,
  type ObjectAttributes,
} from '../ob/attributes';
import { obInheritHandles } from '../ob/handle';
import { readHandle } from '../ob/services/on-handle';
import { SECTION_ACCESS, type SectionObject } from '../ob/services/section';
import { MmSectionObjectType, PsProcessType } from '../ob/types';
import { PROCESS_ACCESS, withImpliedProcessRights } from './access';
import { clientIdOf } from './cid';
import { newProcess } from './create';
import { PROCESS_CREATE_FLAGS } from './create-services';
import {
  discardProcess,
  executiveOf,
  imageOf,
  isTerminating,
  type ProcessOrigin,
} from './executive';
import { exitThreadless } from './exit';
import type { Image } from './image';
import { joinAtCreation } from './job-create';
import { processManager } from './manager';
import { inheritedClass } from './new-process';
import { openObject } from './open-services';
import { sectionImage } from './section-services';
import { inheritToken } from './token';

/** Processes that are made without a thread: of a section of an image, or after their parent. */

/** PROCESS_CREATE_FLAGS of which this does what they say, or that mean nothing here. */
const KNOWN_FLAGS = 0xff;

/** The image of a section, or why there is none. */
function* imageOfSection(mode: Parameters<typeof readHandle>[0], handle: Handle) {
  return yield* readHandle(
    mode,
    handle,
    SECTION_ACCESS.MAP_EXECUTE,
    MmSectionObjectType,
    (section: SectionObject): Image | number => sectionImage(section) ?? STATUS.SECTION_NOT_IMAGE,
  );
}

/** Makes the process, without a handle to it yet. */
function make(parent: KProcess, image: Image | undefined, inherits: boolean): KProcess | number {
  if (isTerminating(parent)) return STATUS.PROCESS_IS_TERMINATING;
  const { machine, thread: creator } = currentGuest('NtCreateProcessEx');
  const ps = processManager(machine);
  const executable = image ?? imageOf(ps, parent);
  const { sessionId } = executiveOf(ps, parent);
  const options = {
    name: executable?.path ?? parent.name,
    parent,
    affinity: machine.memory.big(parent.address + KPROCESS.Affinity64),
    priorityClass: inheritedClass(parent),
  };
  const origin: ProcessOrigin = {
    sessionId,
    image: executable,
    creator: clientIdOf(creator),
    inheritsHandles: inherits,
  };
  const process = newProcess(ps, options, origin);
  if (process === undefined) return STATUS.INSUFFICIENT_RESOURCES;
  const joined = joinAtCreation(process, parent, undefined);
  if (joined !== STATUS.SUCCESS) return joined;
  inheritToken(parent, process);
  if (inherits) obInheritHandles(parent, process);
  return process;
}

const createProcessEx = systemService(
  'CreateProcessEx',
  function* (
    mode,
    desiredAccess: number,
    objectAttributes: ObjectAttributes | null,
    parentProcess: Handle,
    flags: number,
    sectionHandle: Handle,
    _debugPort: Handle,
    _tokenHandle: Handle,
    _reserved: number,
  ): KernelCode<HandleResult> {
    if ((flags & ~KNOWN_FLAGS) !== 0) return failed(STATUS.INVALID_PARAMETER);
    const { status, captured } = captureAttributes(objectAttributes);
    if (status !== STATUS.SUCCESS) return failed(status);
    const image = sectionHandle === 0 ? undefined : yield* imageOfSection(mode, sectionHandle);
    if (typeof image === 'number') return failed(image);
    const inherits = (flags & PROCESS_CREATE_FLAGS.INHERIT_HANDLES) !== 0;
    const access = PROCESS_ACCESS.CREATE_PROCESS;
    const made = yield* readHandle(mode, parentProcess, access, PsProcessType, (parent: KProcess) =>
      make(parent, image, inherits),
    );
    if (typeof made === 'number') return failed(made);
    const granted = withImpliedProcessRights(desiredAccess);
    const opened = yield* openObject(mode, made, granted, captured.attributes);
    if (opened.status === STATUS.SUCCESS) made.close();
    else discardProcess(made);
    return opened;
  },
);

/**
 * Makes a process without a thread, of a section of an image or (0) after its parent. With its first
 * thread it is told of as any other; one that never has a thread ends with NtTerminateProcess or its
 * last reference, and its end alone is told of.
 *
 * @returns SUCCESS with a handle; INVALID_PARAMETER for unknown flags; SECTION_NOT_IMAGE;
 *   PROCESS_IS_TERMINATING; INSUFFICIENT_RESOURCES; INVALID_HANDLE; OBJECT_TYPE_MISMATCH; ACCESS_DENIED.
 * @irql PASSIVE_LEVEL
 * @nt NtCreateProcessEx (partial: of the flags INHERIT_HANDLES is looked at, debug port and token are not; what a parent has in memory is not cloned)
 */
export const NtCreateProcessEx = createProcessEx.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwCreateProcessEx (partial: of the flags INHERIT_HANDLES is looked at, debug port and token are not; what a parent has in memory is not cloned) */
export const ZwCreateProcessEx = createProcessEx.zw;

PsProcessType.procedures = {
  ...PsProcessType.procedures,
  abandoned: (process) => exitThreadless(processManager(process.machine), process, STATUS.SUCCESS),
};
