import type { Machine } from '../machine/machine';
import type { KProcess } from '../machine/views';
import type { Handle } from './attributes';
import { handleAttributes, handleTable } from './handle';
import { HANDLE_FLAG } from './handle-table';
import type { ObjectBody, ObjectHeader } from './object';
import { objectManager } from './state';
import type { ObjectType } from './type';

/** A look at handles, for queries and tools. */

/** An open handle. */
export interface OpenHandle {
  readonly process: KProcess;
  /** Of the System process's, which are the kernel's, without the high half. */
  readonly handle: Handle;
  readonly object: ObjectBody;
  readonly type: ObjectType;
  readonly typeIndex: number;
  readonly grantedAccess: number;
  /** OBJ.INHERIT and OBJ.PROTECT_CLOSE. */
  readonly attributes: number;
}

/** How many handles a process has. */
export function handleCount(process: KProcess): number {
  return process.handleTable === undefined ? 0 : handleTable(process).count;
}

/** The handles of a process, in the order of their values. */
export function* handlesOf(process: KProcess): Generator<OpenHandle> {
  if (process.handleTable === undefined) return;
  const table = handleTable(process);
  const manager = objectManager(process.machine);
  for (const index of table.indices()) {
    const { body, type } = table.header(index) as ObjectHeader;
    const word = table.word(index);
    yield {
      process,
      handle: index * 4,
      object: body,
      type,
      typeIndex: manager.typeIndex(type),
      grantedAccess: word & HANDLE_FLAG.Access,
      attributes: handleAttributes(word),
    };
  }
}

/** The handles of every process of a machine. */
export function* everyHandle(machine: Machine): Generator<OpenHandle> {
  for (const process of machine.allProcesses()) yield* handlesOf(process);
}
