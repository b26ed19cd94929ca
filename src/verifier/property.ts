import type { DriverObject } from '../machine/driver';
import { KThread } from '../machine/views';
import { Kept } from '../machine/watch';

/** What drivers have taken from the kernel and must give back before they are gone. */

const RULE: Readonly<Record<Kept, string>> = {
  [Kept.Pool]: 'UN-02',
  [Kept.Handle]: 'UN-03',
  [Kept.Reference]: 'UN-04',
  [Kept.Storage]: 'UN-05',
  [Kept.Timer]: 'UN-01',
};

/** What there can be one of by each name, however often it is taken. */
const COUNTED: readonly Kept[] = [Kept.Pool, Kept.Reference];

interface Taken {
  readonly kind: Kept;
  readonly what: string;
  /** What it is of, while it has not been given back in another way. */
  readonly still: () => object | undefined;
  /** Where it was taken first. */
  readonly place: Error;
  count: number;
}

/** What a driver left. */
export interface Left {
  readonly rule: string;
  readonly what: string;
  /** Where the first was taken. */
  readonly place: Error;
}

export class Property {
  private readonly taken = new Map<DriverObject, Map<unknown, Taken>>();

  takes(
    driver: DriverObject,
    kind: Kept,
    thing: unknown,
    what: string,
    place: Error,
    still: () => object | undefined = () => thing as object,
  ): void {
    const taken = this.taken.get(driver) ?? new Map<unknown, Taken>();
    this.taken.set(driver, taken);
    const known = taken.get(thing);
    if (known === undefined || !COUNTED.includes(kind))
      taken.set(thing, { kind, what, still, place, count: 1 });
    else known.count++;
  }

  /** Whoever gives it back. */
  returns(driver: DriverObject | undefined, thing: unknown): void {
    const owners = driver === undefined ? [] : [driver];
    for (const owner of [...owners, ...this.taken.keys()]) {
      const known = this.taken.get(owner)?.get(thing);
      if (known === undefined) continue;
      known.count--;
      if (known.count === 0) this.taken.get(owner)?.delete(thing);
      return;
    }
  }

  /** Whether a driver has something that keeps an object there: of its own, or of a thread of a process. */
  holds(driver: DriverObject, object: object): boolean {
    return [...(this.taken.get(driver)?.values() ?? [])].some(({ still }) => {
      const kept = still();
      return kept === object || (kept instanceof KThread && kept.process === object);
    });
  }

  /** What it has when it goes: one of each rule stands for all. */
  leftBy(driver: DriverObject): Left[] {
    const taken = [...(this.taken.get(driver)?.values() ?? [])];
    this.taken.delete(driver);
    return Object.entries(RULE).flatMap(([kind, rule]) => {
      const some = taken.filter((each) => each.kind === Number(kind) && each.still() !== undefined);
      const [first] = some;
      if (first === undefined) return [];
      const more = some.length === 1 ? '' : `, and ${some.length - 1} more`;
      return [{ rule, what: `is gone and has left ${first.what}${more}`, place: first.place }];
    });
  }
}
