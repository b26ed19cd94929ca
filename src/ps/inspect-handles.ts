import { OBJ } from '../ob/attributes';
import { handleAttributes, handleTable } from '../ob/handle';
import { HANDLE_FLAG } from '../ob/handle-table';
import { type ObjectHeader, shownPointerCount } from '../ob/object';
import { nameOf } from '../ob/query';
import { KernelObject, KProcess, KThread } from '../machine/views';
import { processIdOf, threadIdOf } from './cid';

/** A handle of a process, as plain data. */
export interface InspectedHandle {
  /** As the process itself has it; of the System process, the kernel's as positive numbers. */
  readonly handle: number;
  /** Of the object: Event, Process … */
  readonly type: string;
  /** Absent for an object that is the host's alone. */
  readonly address?: number;
  readonly grantedAccess: number;
  readonly inherit: boolean;
  readonly protectFromClose: boolean;
  readonly handleCount: number;
  readonly pointerCount: number;
  /** The object's path in the namespace; absent: it has none. */
  readonly name?: string;
  /** Of a process, or of a thread's process. */
  readonly processId?: number;
  readonly threadId?: number;
}

/** Whom a process or thread object is of. */
function clientOf({ body }: ObjectHeader): Pick<InspectedHandle, 'processId' | 'threadId'> {
  if (body instanceof KProcess) return { processId: processIdOf(body) };
  if (body instanceof KThread)
    return { processId: processIdOf(body.process), threadId: threadIdOf(body) };
  return {};
}

export function handleCountOf(process: KProcess): number {
  return process.handleTable === undefined ? 0 : handleTable(process).count;
}

/** The handles of a process, in their order; those of the kernel are the System process's. */
export function inspectHandles(process: KProcess): InspectedHandle[] {
  if (process.handleTable === undefined) return [];
  const table = handleTable(process);
  return [...table.indices()].map((index) => {
    const header = table.header(index) as ObjectHeader;
    const word = table.word(index);
    const attributes = handleAttributes(word);
    const path = nameOf(header);
    const { body } = header;
    return {
      handle: index * 4,
      type: header.type.name,
      ...(body instanceof KernelObject && body.exists ? { address: body.address } : {}),
      grantedAccess: word & HANDLE_FLAG.Access,
      inherit: (attributes & OBJ.INHERIT) !== 0,
      protectFromClose: (attributes & OBJ.PROTECT_CLOSE) !== 0,
      handleCount: header.handleCount,
      pointerCount: shownPointerCount(header),
      ...(path === '' ? {} : { name: path }),
      ...clientOf(header),
    };
  });
}
