/** The places of a longest increasing selection of distinct numbers, in order; in O(n log n). */
export function longestIncreasing(values: readonly number[]): number[] {
  /** By length less one, the place of the lowest value that a selection of that length can end with. */
  const ends: number[] = [];
  const previous: number[] = [];
  values.forEach((value, place) => {
    let low = 0;
    let high = ends.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((values[ends[middle] as number] as number) < value) low = middle + 1;
      else high = middle;
    }
    previous.push(low === 0 ? -1 : (ends[low - 1] as number));
    ends[low] = place;
  });
  const selected: number[] = [];
  let place = ends.at(-1) ?? -1;
  while (place >= 0) {
    selected.push(place);
    place = previous[place] as number;
  }
  return selected.reverse();
}
