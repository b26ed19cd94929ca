import { DBG, PLIST_ENTRY } from './hal';
import { LIST_ENTRY } from './shared/layout';

export function RtlInitializeListHead(head: PLIST_ENTRY): void {
  store<u32>(head, head, LIST_ENTRY.Flink);
  store<u32>(head, head, LIST_ENTRY.Blink);
}

export function RtlIsListEmpty(head: PLIST_ENTRY): bool {
  return load<u32>(head, LIST_ENTRY.Flink) == <u32>head;
}

export function RtlInsertTailList(head: PLIST_ENTRY, entry: PLIST_ENTRY): void {
  const last: usize = load<u32>(head, LIST_ENTRY.Blink);
  store<u32>(entry, head, LIST_ENTRY.Flink);
  store<u32>(entry, last, LIST_ENTRY.Blink);
  store<u32>(last, entry, LIST_ENTRY.Flink);
  store<u32>(head, entry, LIST_ENTRY.Blink);
}

export function RtlInsertHeadList(head: PLIST_ENTRY, entry: PLIST_ENTRY): void {
  RtlInsertTailList(load<u32>(head, LIST_ENTRY.Flink), entry);
  if (DBG) assert(load<u32>(head, LIST_ENTRY.Flink) == <u32>entry);
}

/** Unlinks `entry`; true if its list is empty now. */
export function RtlRemoveEntryList(entry: PLIST_ENTRY): bool {
  const next: usize = load<u32>(entry, LIST_ENTRY.Flink);
  const previous: usize = load<u32>(entry, LIST_ENTRY.Blink);
  if (DBG) assert(load<u32>(next, LIST_ENTRY.Blink) == <u32>entry);
  if (DBG) assert(load<u32>(previous, LIST_ENTRY.Flink) == <u32>entry);
  store<u32>(previous, next, LIST_ENTRY.Flink);
  store<u32>(next, previous, LIST_ENTRY.Blink);
  return next == previous;
}

/** Mixes a 64-bit value so that every input bit reaches every output bit. */
export function RtlMix64(value: u64): u64 {
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
  value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
  return value ^ (value >> 31);
}

/** The next draw of a stream whose state is the two words at `state`. */
export function RtlRandom64(state: usize): u64 {
  const next = load<u64>(state) + 0x9e3779b97f4a7c15;
  store<u64>(state, next);
  return RtlMix64(next);
}

/** Uniform in [0, bound), bound > 0: the high half of a 64 x 64 product, in integers only. */
export function RtlScale64(random: u64, bound: u64): u64 {
  const low = (random & 0xffffffff) * (bound >> 32);
  const cross =
    (random >> 32) * (bound & 0xffffffff) + (((random & 0xffffffff) * (bound & 0xffffffff)) >> 32);
  return (
    (random >> 32) * (bound >> 32) +
    (low >> 32) +
    (cross >> 32) +
    (((low & 0xffffffff) + (cross & 0xffffffff)) >> 32)
  );
}

/**
 * Exponentially distributed with the given mean, at least 1 and at most 32 means.
 *
 * -ln(u) from the exponent of u and a series for its mantissa: additions, multiplications and
 * divisions alone, which every engine rounds alike.
 */
export function RtlExponential64(random: u64, mean: u64): u64 {
  const bits = (random >> 11) | 1;
  const shift = <i32>clz(bits) - 11;
  const mantissa = <f64>(bits << shift) / 4503599627370496.0;
  const ratio = (mantissa - 1.0) / (mantissa + 1.0);
  const square = ratio * ratio;
  let series = 1.0 / 19.0;
  for (let odd = 17.0; odd > 0.0; odd -= 2.0) series = series * square + 1.0 / odd;
  const logarithm = 2.0 * ratio * series - <f64>(shift + 1) * 0.6931471805599453;
  const value = -logarithm * <f64>mean;
  const limit = 32.0 * <f64>mean;
  const drawn = <u64>(value > limit ? limit : value);
  return drawn == 0 ? 1 : drawn;
}
