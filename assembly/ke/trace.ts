import { NEVER, SYSTEM } from '../hal';
import { RECORD, RECORD_HEADER } from '../shared/event';
import { KSYSTEM } from '../shared/layout';

/**
 * The trace ring and the digest of the run.
 *
 * Write and read positions only grow; their difference is what the host has not drained. The digest
 * covers every record, drained or overwritten, and is the identity of a run.
 */

/** Records that one step may write at the most, of which the longest are batches of readied threads. */
const RESERVE: u64 = 256;

export function KiTrace(
  type: u32,
  processor: u32,
  flags: u32,
  a: u32,
  b: u32,
  c: u32,
  d: u32,
  e: u32,
): void {
  const time = load<u64>(SYSTEM, KSYSTEM.Time64);
  const header =
    type | (processor << RECORD_HEADER.ProcessorShift) | (flags << RECORD_HEADER.FlagsShift);
  const position = load<u64>(SYSTEM, KSYSTEM.TraceWrite64);
  const mask = load<u32>(SYSTEM, KSYSTEM.TraceCapacity) - 1;
  const record =
    <usize>load<u32>(SYSTEM, KSYSTEM.TraceBase) + <usize>(<u32>position & mask) * RECORD.Size;
  const word1 = <u64>header | ((<u64>a) << 32);
  const word2 = <u64>b | ((<u64>c) << 32);
  const word3 = <u64>d | ((<u64>e) << 32);
  store<u64>(record, time, RECORD.Time64);
  store<u64>(record, word1, RECORD.Header);
  store<u64>(record, word2, RECORD.B);
  store<u64>(record, word3, RECORD.D);
  store<u64>(SYSTEM, position + 1, KSYSTEM.TraceWrite64);

  const mixed =
    (time * 0x9e3779b97f4a7c15) ^
    rotl<u64>(word1 * 0xbf58476d1ce4e5b9, 17) ^
    rotl<u64>(word2 * 0x94d049bb133111eb, 31) ^
    rotl<u64>(word3 * 0xd6e8feb86659fd93, 47);
  const digest = load<u64>(SYSTEM, KSYSTEM.Digest64) ^ mixed;
  store<u64>(SYSTEM, rotl<u64>(digest, 29) * 0xff51afd7ed558ccd, KSYSTEM.Digest64);
}

/**
 * The write position from which on a step must wait for the host to drain the ring; none if the
 * oldest are overwritten instead, which the host counts.
 */
export function KiTraceStop(): u64 {
  if (load<u32>(SYSTEM, KSYSTEM.TraceOverwrite) != 0) return NEVER;
  const capacity = <u64>load<u32>(SYSTEM, KSYSTEM.TraceCapacity);
  return load<u64>(SYSTEM, KSYSTEM.TraceRead64) + capacity - RESERVE;
}
