import { DBG } from '../hal';
import { KTABLE } from '../shared/layout';
import { LIMIT } from '../shared/limits';

/**
 * Tables of rows: fresh rows first, then the earliest freed, so that a stale handle has the longest
 * time to be noticed. A row holds its generation; a row whose generations are used up is retired.
 */

/** The free list runs through the rows' third word pair, which no header field uses. */
const FREE_LINK: usize = 16;

/** A zeroed row with its generation stored, or 0 if the table is full. */
export function KiAllocateRow(table: usize): usize {
  const head: usize = load<u32>(table, KTABLE.FreeHead);
  const size = load<u32>(table, KTABLE.RowSize);
  let row = head;
  let generation: u32 = 1;
  if (head != 0) {
    const next = load<u32>(head + FREE_LINK);
    store<u32>(table, next, KTABLE.FreeHead);
    if (next == 0) store<u32>(table, 0, KTABLE.FreeTail);
    generation = load<u32>(head + load<u32>(table, KTABLE.Generation)) + 1;
  } else {
    const index = load<u32>(table, KTABLE.HighWater) + 1;
    if (index > load<u32>(table, KTABLE.Capacity)) return 0;
    store<u32>(table, index, KTABLE.HighWater);
    row = <usize>load<u32>(table, KTABLE.Base) + index * size;
  }
  for (let offset: u32 = 0; offset < size; offset += 8) store<u64>(row + offset, 0);
  store<u32>(row + load<u32>(table, KTABLE.Generation), generation);
  store<u32>(table, load<u32>(table, KTABLE.Count) + 1, KTABLE.Count);
  return row;
}

/** Whether there is room for another row. */
export function KiHasRow(table: usize): bool {
  if (load<u32>(table, KTABLE.FreeHead) != 0) return true;
  return load<u32>(table, KTABLE.HighWater) < load<u32>(table, KTABLE.Capacity);
}

export function KiFreeRow(table: usize, row: usize): void {
  if (DBG) assert(load<u32>(table, KTABLE.Count) != 0);
  store<u32>(table, load<u32>(table, KTABLE.Count) - 1, KTABLE.Count);
  const generation = row + load<u32>(table, KTABLE.Generation);
  store<u32>(row, 0xffffffff);
  // Bumped now, so that handles are stale from here on; allocation bumps again.
  const next = load<u32>(generation) + 1;
  store<u32>(generation, next);
  if (next > <u32>LIMIT.GenerationMask) return;
  store<u32>(row + FREE_LINK, 0);
  const tail: usize = load<u32>(table, KTABLE.FreeTail);
  if (tail != 0) store<u32>(tail + FREE_LINK, <u32>row);
  else store<u32>(table, <u32>row, KTABLE.FreeHead);
  store<u32>(table, <u32>row, KTABLE.FreeTail);
}

export function KiRowIndex(table: usize, row: usize): u32 {
  return <u32>((row - load<u32>(table, KTABLE.Base)) / load<u32>(table, KTABLE.RowSize));
}

export function KiMakeHandle(table: usize, tag: u64, row: usize): u64 {
  const generation = <u64>load<u32>(row + load<u32>(table, KTABLE.Generation));
  return (tag << LIMIT.TableShift) | (generation << LIMIT.TableIndexBits) | KiRowIndex(table, row);
}

/**
 * The row of a handle, or 0 if it is stale or was never one. The tag has been looked at. The table's
 * row size and where a row has its generation are given, so that no one looks them up.
 */
export function KiRowFromHandle(
  table: usize,
  handle: u64,
  rowSize: u32,
  generationField: u32,
): usize {
  const index = <u32>handle & 0xffffff;
  if (index == 0 || index > load<u32>(table, KTABLE.HighWater)) return 0;
  const row = <usize>load<u32>(table, KTABLE.Base) + index * rowSize;
  const generation = <u32>(handle >> LIMIT.TableIndexBits) & LIMIT.GenerationMask;
  return load<u32>(row + generationField) == generation ? row : 0;
}
