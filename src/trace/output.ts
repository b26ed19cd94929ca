import { MachineError } from '../machine/errors';
import type { Machine } from '../machine/machine';
import { decodeRecord, type TraceNames } from '../machine/records';
import { CsvWriter } from './csv';
import { PerfettoWriter } from './perfetto';
import type { TraceWriter } from './roster';

const SUFFIXES = ['.pftrace', '.perfetto-trace', '.csv'];

/**
 * A writer of the format that the name of the file asks for.
 *
 * @throws MachineError for a name with another suffix; it tells those there are.
 */
export function traceWriterFor(
  path: string,
  names: TraceNames,
  write: (bytes: Uint8Array) => void,
): TraceWriter {
  if (path.endsWith('.csv')) return new CsvWriter(names, write);
  if (SUFFIXES.some((suffix) => path.endsWith(suffix))) return new PerfettoWriter(names, write);
  throw new MachineError(
    `'${path}': which format is meant? Let the name end in one of ${SUFFIXES.join(', ')}`,
  );
}

/** Hands a machine's records to a writer as they are drained. Returns what ends that. */
export function recordTo(machine: Machine, writer: TraceWriter): () => void {
  return machine.trace.subscribe((batch) => {
    for (let index = 0; index < batch.count; index++) writer.add(decodeRecord(batch, index));
  });
}

/** Names of a machine's threads and processes, as they were given when they were made. */
export function machineNames(machine: Machine): TraceNames {
  return {
    thread: (index) => machine.thread(index)?.name,
    process: (index) => machine.process(index)?.name,
  };
}
