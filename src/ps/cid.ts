import type { KProcess, KThread } from '../machine/views';

/**
 * Client ids: one space for processes and threads, multiples of 4. They are made from the rows of the
 * machine's tables, which are reused in the order in which they were freed: an id comes back when its
 * object has gone. The first process, System, is 4; 0 is Idle.
 */

const ROW_STEP = 8;
const PROCESS_OFFSET = 4;

/** CLIENT_ID. */
export interface ClientId {
  readonly UniqueProcess: number;
  readonly UniqueThread: number;
}

/** The id of the process in a row; row 0 is Idle. */
export function processIdOfRow(row: number): number {
  return row === 0 ? 0 : row * ROW_STEP - PROCESS_OFFSET;
}

/** The row of a process id, whose two low bits do not count; 0 if no process can have it. */
export function rowOfProcessId(id: number): number {
  const row = (Math.floor(id / 4) * 4 + PROCESS_OFFSET) / ROW_STEP;
  return Number.isInteger(row) ? row : 0;
}

/** The same for threads; row 0 is an idle thread. */
export function threadIdOfRow(row: number): number {
  return row * ROW_STEP;
}

export function rowOfThreadId(id: number): number {
  const row = (Math.floor(id / 4) * 4) / ROW_STEP;
  return Number.isInteger(row) ? row : 0;
}

/** The ids of a thread and of the process that it belongs to. */
export function clientIdOf(thread: KThread): ClientId {
  return {
    UniqueProcess: processIdOfRow(thread.process.index),
    UniqueThread: threadIdOfRow(thread.index),
  };
}

export function processIdOf(process: KProcess): number {
  return processIdOfRow(process.index);
}

export function threadIdOf(thread: KThread): number {
  return threadIdOfRow(thread.index);
}
