import { LIMIT } from '../../assembly/shared/limits';
import { OP, SPIN } from '../../assembly/shared/opcode';
import { KOBJECTS } from '../../assembly/shared/types';
import type { Request } from '../machine/generator';
import type { Lock } from '../machine/lock';
import type { Machine } from '../machine/machine';
import { KSpinLock } from '../machine/spinlock';
import { KMutant, type KThread } from '../machine/views';
import type { WatchedCall } from '../machine/watch';
import { awaitedBy } from './awaited';
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

/** Who takes locks: a thread, or a DPC. */
export interface Taker {
  /** The thread, or what the core calls the DPC that runs. */
  readonly key: KThread | number;
  /** The one that runs, or that the DPC has interrupted. */
  readonly thread: KThread;
  /** In words. */
  readonly name: string;
  /** The DPC. */
  readonly call?: WatchedCall;
}

export function takerOf(thread: KThread): Taker {
  return { key: thread, thread, name: `thread '${thread.name}'` };
}

/** What the order of locks asks of who watches, and tells. */
export interface OrderWatch {
  place(thread: KThread): readonly SourceFrame[];
  /** The sort of callback that a thread is in. */
  callback(thread: KThread): string | undefined;
  found(
    rule: string,
    taker: Taker,
    what: string,
    chain: readonly string[],
    place: readonly SourceFrame[],
  ): void;
}

export class LockOrder {
  private readonly order = new OrderGraph();
  private readonly raised = new Map<string, Raised>();
  private readonly coreLocks = new Map<number, CoreLock>();
  /** Mutants and spin locks that have been taken and not released. */
  private readonly holds = new Map<Taker['key'], CoreLock[]>();
  /** Run-down protection that threads have: nobody else's to know, and no lock to return without. */
  private readonly used = new Map<KThread, Lock[]>();

  constructor(
    private readonly machine: Machine,
    private readonly watch: OrderWatch,
  ) {}

  /** A callback of a sort is called in a thread. */
  raising(thread: KThread, sort: string): void {
    const taker = takerOf(thread);
    for (const lock of this.kept(taker)) this.ordered(taker, lock, this.raisedOf(sort));
  }

  /** A thread or DPC takes a lock, or waits for it: where it only tries, it waits for nobody. */
  taking(taker: Taker, lock: Taken): void {
    for (const held of this.kept(taker)) this.ordered(taker, held, lock);
    if (taker.call !== undefined) return;
    const sort = this.watch.callback(taker.thread);
    if (sort !== undefined) this.ordered(taker, this.raisedOf(sort), lock);
  }

  /** Mutants and spin locks are the core's: instructions take and release them. */
  instruction(taker: Taker, request: Request): void {
    const [word = 0] = request;
    const opcode = word & 0xff;
    const sort = CORE_LOCKS[opcode];
    if (sort === undefined) return;
    const { handles, tries } = awaitedBy(request);
    const locks = handles.flatMap((handle) => this.coreLock(handle, sort) ?? []);
    const held = this.holds.get(taker.key) ?? [];
    this.holds.set(taker.key, held);
    if (RELEASES.includes(opcode)) {
      for (const lock of locks) {
        const last = held.lastIndexOf(lock);
        if (last !== -1) held.splice(last, 1);
      }
      return;
    }
    for (const lock of tries ? [] : locks) {
      const shared = ((word >>> 16) & SPIN.Shared) !== 0;
      if (opcode === OP.AcquireSpinLock && held.includes(lock)) this.recursion(taker, lock, shared);
      this.taking(taker, lock);
    }
    held.push(...locks);
  }

  /** A mutant or spin lock; undefined for what is neither. */
  private coreLock(handle: number, sort: string): CoreLock | undefined {
    const known = this.coreLocks.get(handle);
    if (known !== undefined) return known;
    const mutant = sort === 'mutant' ? new KMutant(this.machine, handle) : undefined;
    if (mutant !== undefined && (!mutant.exists || mutant.type !== KOBJECTS.MutantObject))
      return undefined;
    const index = handle % 2 ** LIMIT.TableIndexBits;
    const object = this.machine.hostObject(this.machine.core.hostAddress(handle) >>> 0);
    const named = object instanceof KSpinLock && object.handle === handle;
    const lock = new CoreLock(named ? object.name : `${sort} ${index}`, mutant);
    this.coreLocks.set(handle, lock);
    return lock;
  }

  /** What it holds now: a wait for a mutant need not have got it. */
  *heldBy({ key, thread }: Taker): Generator<Taken> {
    if (key === thread) yield* thread.locks?.held ?? [];
    for (const lock of this.holds.get(key) ?? []) {
      if (lock.mutant === undefined || (lock.mutant.exists && lock.mutant.owner === thread))
        yield lock;
    }
  }

  /** That, and what it uses. */
  private *kept(taker: Taker): Generator<Taken> {
    yield* this.heldBy(taker);
    if (taker.call === undefined) yield* this.used.get(taker.thread) ?? [];
  }

  /** Whether a thread has what it waits for. */
  has(thread: KThread, lock: Lock): boolean {
    return thread.locks?.held.has(lock) === true || this.used.get(thread)?.includes(lock) === true;
  }

  uses(thread: KThread, lock: Lock): void {
    const used = this.used.get(thread) ?? [];
    this.used.set(thread, used);
    used.push(lock);
  }

  /** A use ends: the thread's, or one that it ends for another. */
  usesNoMore(thread: KThread, lock: Lock): void {
    const own = this.used.get(thread);
    const all = own === undefined ? [...this.used.values()] : [own, ...this.used.values()];
    const used = all.find((each) => each.includes(lock));
    used?.splice(used.lastIndexOf(lock), 1);
  }

  /** A DPC has returned. */
  ended(key: number): void {
    this.holds.delete(key);
  }

  /** Somebody waits for what he has; or would, if another waited between the two. */
  recursion(taker: Taker, lock: Taken, shared = false): void {
    const why = shared ? 'if somebody waits to have it alone, it waits' : 'and waits';
    const what = `acquires ${lock.name}, which it has, ${why} for ever`;
    this.watch.found('LK-03', taker, what, [], this.watch.place(taker.thread));
  }

  private raisedOf(sort: string): Raised {
    const known = this.raised.get(sort) ?? new Raised(sort);
    this.raised.set(sort, known);
    return known;
  }

  private ordered(taker: Taker, from: Node, to: Node): void {
    const words = (each: Node) => (each instanceof Raised ? `a ${each.sort}` : each.name);
    const circle = this.order.add(from, to, () => {
      const [place] = this.watch.place(taker.thread);
      const where = place === undefined ? '' : ` (${place.file}:${place.line})`;
      if (to instanceof Raised)
        return `${taker.name} holds ${words(from)} while ${words(to)} is called${where}`;
      if (from instanceof Raised)
        return `${words(from)} takes ${words(to)} in ${taker.name}${where}`;
      return `${taker.name} takes ${words(to)} while it holds ${words(from)}${where}`;
    });
    if (circle === undefined) return;
    const raised = [from, ...circle.map((edge: Edge) => edge.to)].find(
      (each) => each instanceof Raised,
    );
    const chain = circle.map(({ text }) => text);
    const place = this.watch.place(taker.thread);
    if (raised === undefined)
      this.watch.found(
        'LK-01',
        taker,
        `${words(to)} is taken while ${words(from)} is held, and the other way round`,
        chain,
        place,
      );
    else
      this.watch.found(
        'CB-06',
        taker,
        `a lock is held while ${words(raised as Raised)} is called, which takes it: they can wait for each other for ever`,
        chain,
        place,
      );
  }
}

/** Instructions that take or release a lock of the core's, and what that is. */
const CORE_LOCKS: Readonly<Record<number, string>> = {
  [OP.Wait]: 'mutant',
  [OP.WaitMultiple]: 'mutant',
  [OP.SignalAndWait]: 'mutant',
  [OP.ReleaseMutant]: 'mutant',
  [OP.AcquireSpinLock]: 'spin lock',
  [OP.ReleaseSpinLock]: 'spin lock',
};

const RELEASES: readonly number[] = [OP.ReleaseMutant, OP.ReleaseSpinLock];
