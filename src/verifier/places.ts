import type { KThread } from '../machine/views';
import { locate, markPlace, type SourceFrame } from './location';

/** Where drivers have called routines, and given the kernel their own. */
export class Places {
  private readonly last = new Map<KThread, Error>();
  private readonly origins = new WeakMap<object, Error>();

  /** A thread calls a routine. */
  called(thread: KThread): Error {
    const place = markPlace();
    this.last.set(thread, place);
    return place;
  }

  /** The kernel is given a routine to call. */
  registers(routine: object): void {
    this.origins.set(routine, markPlace());
  }

  /** Where a thread called a routine last; undefined: it has not. */
  lastOf(thread: KThread): Error | undefined {
    return this.last.get(thread);
  }

  originOf(routine: object): Error | undefined {
    return this.origins.get(routine);
  }

  /** Where a routine was registered, or else a thread of a name has called one last. */
  of(routine: object | undefined, name: string): readonly SourceFrame[] {
    const origin = routine && this.origins.get(routine);
    const known = origin ?? [...this.last].find(([thread]) => thread.name === name)?.[1];
    return known === undefined ? [] : locate(known);
  }
}
