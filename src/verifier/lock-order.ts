import { LIMIT } from '../../assembly/shared/limits';
import { OP } from '../../assembly/shared/opcode';
import { KOBJECTS } from '../../assembly/shared/types';
import type { Request } from '../machine/generator';
import type { Lock } from '../machine/lock';
import type { Machine } from '../machine/machine';
import { KMutant, type KThread } from '../machine/views';
import type { SourceFrame } from './location';
import { type Edge, OrderGraph } from './order';

/** In which order threads take locks, and raise callbacks while they hold some. */

/** A kind of callback, as something that is raised while locks are held. */
class Raised {
  constructor(readonly sort: string) {}
}

/** A mutant or spin lock, by its handle. */
class CoreLock {
  constructor(
    readonly name: string,
    /** Undefined: a spin lock. */
    readonly mutant: KMutant | undefined,
  ) {}
}

type Taken = Lock | CoreLock;
type Node = Taken | Raised;

/** What the order of locks asks of who watches, and tells. */
export interface OrderWatch {
  place(thread: KThread): readonly SourceFrame[];
  /** The sort of callback that a thread is in. */
  callback(thread: KThread): string | undefined;
  found(
    rule: string,
    thread: KThread,
    what: string,
    chain: readonly string[],
    place: readonly SourceFrame[],
  ): void;
}

export class LockOrder {
  private readonly order = new OrderGraph();
  private readonly raised = new Map<string, Raised>();
  private readonly coreLocks = new Map<number, CoreLock>();
  /** Mutants and spin locks that threads have taken and not released. */
  private readonly holds = new Map<KThread, CoreLock[]>();

  constructor(
    private readonly machine: Machine,
    private readonly watch: OrderWatch,
  ) {}

  /** A callback of a sort is called in a thread. */
  raising(thread: KThread, sort: string): void {
    for (const lock of this.heldBy(thread)) this.ordered(thread, lock, this.raisedOf(sort));
  }

  /** A thread takes a lock, or waits for it. */
  taking(thread: KThread, lock: Taken): void {
    for (const held of this.heldBy(thread)) this.ordered(thread, held, lock);
    const sort = this.watch.callback(thread);
    if (sort !== undefined) this.ordered(thread, this.raisedOf(sort), lock);
  }

  /** Mutants and spin locks are the core's: instructions take and release them. */
  instruction(thread: KThread, request: Request): void {
    const [word = 0, low = 0, high = 0] = request;
    const opcode = word & 0xff;
    const sort = CORE_LOCKS[opcode];
    if (sort === undefined) return;
    const handle = low + high * 2 ** 32;
    const released = opcode === OP.ReleaseMutant || opcode === OP.ReleaseSpinLock;
    let lock = this.coreLocks.get(handle);
    if (lock === undefined) {
      const spin = opcode === OP.AcquireSpinLock || opcode === OP.ReleaseSpinLock;
      const mutant = spin ? undefined : new KMutant(this.machine, handle);
      if (mutant !== undefined && mutant.type !== KOBJECTS.MutantObject) return;
      lock = new CoreLock(`${sort} ${handle % 2 ** LIMIT.TableIndexBits}`, mutant);
      this.coreLocks.set(handle, lock);
    }
    const held = this.holds.get(thread) ?? [];
    this.holds.set(thread, held);
    if (released) {
      const last = held.lastIndexOf(lock);
      if (last !== -1) held.splice(last, 1);
      return;
    }
    if (opcode === OP.AcquireSpinLock && held.includes(lock)) this.recursion(thread, lock);
    this.taking(thread, lock);
    held.push(lock);
  }

  /** What it holds now: a wait for a mutant need not have got it. */
  *heldBy(thread: KThread): Generator<Taken> {
    yield* thread.locks?.held ?? [];
    for (const lock of this.holds.get(thread) ?? []) {
      if (lock.mutant === undefined || (lock.mutant.exists && lock.mutant.owner === thread))
        yield lock;
    }
  }

  /** A thread waits for what it has. */
  recursion(thread: KThread, lock: Taken): void {
    const what = `acquires ${lock.name}, which it has, and waits for ever`;
    this.watch.found('LK-03', thread, what, [], this.watch.place(thread));
  }

  private raisedOf(sort: string): Raised {
    const known = this.raised.get(sort) ?? new Raised(sort);
    this.raised.set(sort, known);
    return known;
  }

  private ordered(thread: KThread, from: Node, to: Node): void {
    const words = (each: Node) => (each instanceof Raised ? `a ${each.sort}` : each.name);
    const circle = this.order.add(from, to, () => {
      const [place] = this.watch.place(thread);
      const where = place === undefined ? '' : ` (${place.file}:${place.line})`;
      if (to instanceof Raised)
        return `thread '${thread.name}' holds ${words(from)} while ${words(to)} is called${where}`;
      if (from instanceof Raised)
        return `${words(from)} takes ${words(to)} in thread '${thread.name}'${where}`;
      return `thread '${thread.name}' takes ${words(to)} while it holds ${words(from)}${where}`;
    });
    if (circle === undefined) return;
    const raised = [from, ...circle.map((edge: Edge) => edge.to)].find(
      (each) => each instanceof Raised,
    );
    const chain = circle.map(({ text }) => text);
    const place = this.watch.place(thread);
    if (raised === undefined)
      this.watch.found(
        'LK-01',
        thread,
        `${words(to)} is taken while ${words(from)} is held, and the other way round`,
        chain,
        place,
      );
    else
      this.watch.found(
        'CB-06',
        thread,
        `a lock is held while ${words(raised as Raised)} is called, which takes it: they can wait for each other for ever`,
        chain,
        place,
      );
  }
}

/** Instructions that take or release a lock of the core's, and what that is. */
const CORE_LOCKS: Readonly<Record<number, string>> = {
  [OP.Wait]: 'mutant',
  [OP.ReleaseMutant]: 'mutant',
  [OP.AcquireSpinLock]: 'spin lock',
  [OP.ReleaseSpinLock]: 'spin lock',
};
