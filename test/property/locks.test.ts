import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { EResource } from '../../src/ex/eresource';
import {
  ExAcquireFastMutexUnsafe,
  ExReleaseFastMutexUnsafe,
  FastMutex,
} from '../../src/ex/fast-mutex';
import {
  ExAcquirePushLockExclusive,
  ExAcquirePushLockShared,
  ExfReleasePushLock,
  ExPushLock,
} from '../../src/ex/push-lock';
import {
  ExAcquireResourceExclusiveLite,
  ExAcquireResourceSharedLite,
  ExAcquireSharedStarveExclusive,
  ExAcquireSharedWaitForExclusive,
  ExConvertExclusiveToSharedLite,
  ExReleaseResourceForThreadLite,
  ExReleaseResourceLite,
} from '../../src/ex/resource';
import {
  ExAcquireRundownProtectionEx,
  ExReInitializeRundownProtection,
  ExReleaseRundownProtectionEx,
  ExRundownRef,
  ExWaitForRundownProtectionRelease,
} from '../../src/ex/rundown';
import { KeInsertQueueApc } from '../../src/ke/apc';
import type { KThread } from '../../src/machine/views';
import { quietMachine } from '../records';
import { check } from './check';
import { type Call, Crew, name, steps } from './crew';

/** Random calls of a few threads, one at a time, held to a model of the lock after each. */

const FILE = 'test/property/locks.test.ts';
const THREADS = 4;
const CREW = { count: THREADS, critical: true };
const LENGTH = { maxLength: 60, size: 'max' } as const;

/** Table 2.11 of the facts, as it stands there: who has a resource, and who waits for it. */
class ResourceModel {
  readonly owners = new Map<number, number>();
  exclusive = false;
  forExclusive: number[] = [];
  forShared: number[] = [];

  private grant(thread: number): void {
    this.owners.set(thread, (this.owners.get(thread) ?? 0) + 1);
  }

  private state(thread: number): string {
    if (this.owners.size === 0) return 'unowned';
    if (this.exclusive)
      return this.owners.has(thread) ? 'exclusive by caller' : 'exclusive by other';
    const by = this.owners.has(thread) ? 'caller' : 'others';
    return this.forExclusive.length === 0 ? `shared by ${by}` : `shared by ${by}, wanted`;
  }

  acquire(form: number, wait: boolean, thread: number): boolean | undefined {
    const granted = GRANTED[this.state(thread)]?.[form] === 'x';
    if (granted) {
      if (this.owners.size === 0) this.exclusive = form === 0;
      this.grant(thread);
      return true;
    }
    if (!wait) return false;
    (form === 0 ? this.forExclusive : this.forShared).push(thread);
    return undefined;
  }

  private shareOut(): void {
    this.exclusive = false;
    for (const thread of this.forShared) this.grant(thread);
    this.forShared = [];
  }

  release(thread: number): void {
    const left = (this.owners.get(thread) as number) - 1;
    if (left > 0) this.owners.set(thread, left);
    else this.owners.delete(thread);
    if (this.owners.size !== 0) return;
    const wasExclusive = this.exclusive;
    this.exclusive = false;
    if (this.forExclusive.length === 0 || (wasExclusive && this.forShared.length !== 0)) {
      this.shareOut();
    } else {
      this.exclusive = true;
      this.grant(this.forExclusive.shift() as number);
    }
  }

  convert(thread: number): void {
    if (this.exclusive && this.owners.has(thread)) this.shareOut();
  }
}

/** Which of the four forms is granted (x): exclusive, shared, starve exclusive, wait for exclusive. */
const GRANTED: Readonly<Record<string, string>> = {
  unowned: 'xxxx',
  'shared by others': '-xxx',
  'shared by others, wanted': '--x-',
  'exclusive by other': '----',
  'shared by caller': '-xxx',
  'shared by caller, wanted': '-xx-',
  'exclusive by caller': 'xxxx',
};

const FORMS = [
  ExAcquireResourceExclusiveLite,
  ExAcquireResourceSharedLite,
  ExAcquireSharedStarveExclusive,
  ExAcquireSharedWaitForExclusive,
];

const thread = fc.nat(THREADS - 1);
const resourceStep = fc.oneof(
  fc.record({ kind: fc.constant('acquire' as const), thread, form: fc.nat(3), wait: fc.boolean() }),
  fc.record({ kind: fc.constantFrom('release' as const, 'convert' as const), thread }),
  fc.record({ kind: fc.constant('releaseFor' as const), thread, target: thread }),
);
type ResourceStep = typeof resourceStep extends fc.Arbitrary<infer T> ? T : never;

function resourceCall(step: ResourceStep, crew: Crew, resource: EResource): Call {
  return function* () {
    switch (step.kind) {
      case 'acquire':
        return yield* (FORMS[step.form] as (typeof FORMS)[0])(resource, step.wait);
      case 'release':
        return yield* ExReleaseResourceLite(resource);
      case 'convert':
        return yield* ExConvertExclusiveToSharedLite(resource);
      default:
        return yield* ExReleaseResourceForThreadLite(
          resource,
          crew.threads[step.target] as KThread,
        );
    }
  };
}

/** What a step comes to in the model; 'no' if no thread makes it. */
function modelResource(step: ResourceStep, model: ResourceModel): unknown {
  switch (step.kind) {
    case 'acquire':
      return model.acquire(step.form, step.wait, step.thread);
    case 'release':
      if (!model.owners.has(step.thread)) return 'no';
      model.release(step.thread);
      return 'done';
    case 'convert':
      if (!model.exclusive || !model.owners.has(step.thread)) return 'no';
      model.convert(step.thread);
      return 'done';
    default:
      if (!model.owners.has(step.target)) return 'no';
      model.release(step.target);
      return 'done';
  }
}

test('ERESOURCE is had and waited for as its table says', async () => {
  await check(FILE, fc.array(resourceStep, LENGTH), 100, async (plan) => {
    const crew = new Crew(await quietMachine(), CREW);
    const resource = new EResource().initialize();
    const model = new ResourceModel();
    for (const step of plan) {
      if (crew.busy(step.thread)) continue;
      const expected = modelResource(step, model);
      if (expected === 'no') continue;
      expect(crew.call(step.thread, resourceCall(step, crew, resource))).toBe(expected);
      const owners = [...model.owners].map(([owner, count]) => [`t${owner}`, count]);
      expect(
        resource.ownerTable.map(({ owner, count }) => [(owner as KThread).name, count]).sort(),
      ).toEqual(owners.sort());
      expect(resource.exclusive).toBe(model.exclusive);
      expect(name(resource.exclusiveWaiters)).toEqual(model.forExclusive.map((t) => `t${t}`));
      expect(name(resource.sharedWaiters)).toEqual(model.forShared.map((t) => `t${t}`));
      const waiting = [...model.forExclusive, ...model.forShared];
      expect(crew.waiting).toEqual(crew.threads.map((_, index) => waiting.includes(index)));
    }
  });
});

const pushStep = fc.record({ thread, kind: fc.constantFrom('exclusive', 'shared', 'release') });

/** Who has a push lock, and who waits for it, where all go on as far as they can after each release. */
class PushModel {
  readonly owners = new Map<number, number>();
  exclusive = false;
  waiters: { readonly thread: number; readonly exclusive: boolean }[] = [];

  acquire(thread: number, exclusive: boolean): void {
    const wanted = this.waiters.some((waiter) => waiter.exclusive);
    const taken = exclusive ? this.owners.size !== 0 : this.exclusive || wanted;
    if (taken) this.waiters.push({ thread, exclusive });
    else this.take(thread, exclusive);
  }

  private take(thread: number, exclusive: boolean): void {
    this.exclusive = exclusive;
    this.owners.set(thread, (this.owners.get(thread) ?? 0) + 1);
  }

  release(thread: number): void {
    const left = (this.owners.get(thread) as number) - 1;
    if (left > 0) this.owners.set(thread, left);
    else this.owners.delete(thread);
    if (this.owners.size !== 0) return;
    this.exclusive = false;
    const run = this.waiters.findIndex(({ exclusive }) => exclusive);
    const count = run === 0 ? 1 : run === -1 ? this.waiters.length : run;
    for (const waiter of this.waiters.splice(0, count)) this.take(waiter.thread, waiter.exclusive);
  }
}

test('EX_PUSH_LOCK is had by one alone or by several, and nobody is forgotten who waits', async () => {
  await check(FILE, fc.array(pushStep, LENGTH), 100, async (plan) => {
    const crew = new Crew(await quietMachine(), CREW);
    const lock = new ExPushLock();
    const model = new PushModel();
    for (const { thread, kind } of plan) {
      if (crew.busy(thread)) continue;
      if (kind === 'release') {
        if (!model.owners.has(thread)) continue;
        model.release(thread);
        crew.call(
          thread,
          steps(() => ExfReleasePushLock(lock)),
        );
      } else {
        const exclusive = kind === 'exclusive';
        const acquire = exclusive ? ExAcquirePushLockExclusive : ExAcquirePushLockShared;
        model.acquire(thread, exclusive);
        crew.call(
          thread,
          steps(() => acquire(lock)),
        );
      }
      expect(name(lock.owners).sort()).toEqual([...model.owners.keys()].map((t) => `t${t}`).sort());
      const shares = [...model.owners.values()].reduce((sum, count) => sum + count, 0);
      const held = model.owners.size === 0 ? 0 : model.exclusive ? 1 : 1 + 16 * shares;
      const waiting = model.waiters.length === 0 ? 0 : !model.exclusive && shares > 1 ? 10 : 2;
      expect(lock.value).toBe(held + waiting);
      expect(crew.waiting).toEqual(
        crew.threads.map((_, index) => model.waiters.some((waiter) => waiter.thread === index)),
      );
    }
  });
});

const rundownStep = fc.record({
  thread,
  kind: fc.constantFrom('acquire', 'release', 'wait', 'reinitialize'),
  count: fc.integer({ min: 1, max: 3 }),
});

test('EX_RUNDOWN_REF is used until it is run down, and run down once nobody uses it', async () => {
  await check(FILE, fc.array(rundownStep, LENGTH), 100, async (plan) => {
    const crew = new Crew(await quietMachine(), CREW);
    const reference = new ExRundownRef();
    const model = { uses: 0, runDown: false, waiting: [] as number[] };
    for (const { thread, kind, count } of plan) {
      if (crew.busy(thread)) continue;
      let expected: unknown = 'done';
      let call: Call = steps(() => ExWaitForRundownProtectionRelease(reference));
      if (kind === 'acquire') {
        expected = !model.runDown;
        if (!model.runDown) model.uses += count;
        call = steps(() => ExAcquireRundownProtectionEx(reference, count));
      } else if (kind === 'release') {
        if (model.uses < count) continue;
        model.uses -= count;
        if (model.uses === 0) model.waiting = [];
        call = steps(() => ExReleaseRundownProtectionEx(reference, count));
      } else if (kind === 'wait') {
        model.runDown = true;
        if (model.uses !== 0) {
          model.waiting.push(thread);
          expected = undefined;
        }
      } else {
        if (!model.runDown || model.uses !== 0) continue;
        model.runDown = false;
        call = function* () {
          yield* ExAcquireRundownProtectionEx(reference, 1);
          ExReInitializeRundownProtection(reference);
        };
      }
      expect(crew.call(thread, call)).toBe(expected);
      expect(reference.count).toBe(2 * model.uses + (model.runDown ? 1 : 0));
      expect(crew.waiting).toEqual(crew.threads.map((_, index) => model.waiting.includes(index)));
    }
  });
});

const ownPriority = fc.oneof(fc.integer({ min: 1, max: 15 }), fc.constant(24));
const floorStep = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('acquire'), thread, lock: fc.nat(2) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('share'), thread, lock: fc.nat(1) }) },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('release'), thread, lock: fc.nat(2) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('set'), thread, lock: ownPriority }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('interrupt'), thread, lock: thread }) },
);

/** What each thread has: its own priority, or that of the highest who waits for what it owns, at most 14. */
function lifted(own: readonly number[], locks: readonly ResourceModel[]): number[] {
  const found = [...own];
  for (let changed = true; changed; ) {
    changed = false;
    for (const lock of locks) {
      const waiters = [...lock.forExclusive, ...lock.forShared];
      const floor = Math.min(14, Math.max(0, ...waiters.map((waiter) => found[waiter] as number)));
      for (const owner of lock.owners.keys()) {
        if ((found[owner] as number) >= floor) continue;
        found[owner] = floor;
        changed = true;
      }
    }
  }
  return found;
}

test('who owns what others wait for has their priority, and its own when nobody does', async () => {
  await check(FILE, fc.array(floorStep, LENGTH), 150, async (plan) => {
    const crew = new Crew(await quietMachine(), { ...CREW, disableBoost: true });
    const resources = [new EResource().initialize(), new EResource().initialize()];
    const mutex = new FastMutex();
    const models = [new ResourceModel(), new ResourceModel(), new ResourceModel()];
    const own = crew.threads.map(() => 8);
    for (const { kind, thread, lock } of plan) {
      if (crew.busy(thread)) continue;
      const model = models[lock] as ResourceModel;
      const resource = resources[lock];
      if (kind === 'set') {
        own[thread] = lock;
        crew.threads[thread]?.setPriority(lock);
      } else if (kind === 'interrupt') {
        // A special kernel-mode APC of whoever: a wait that it interrupts goes on where it was.
        const target = crew.threads[lock] as KThread;
        const apc = crew.machine.createApc(target, { kernelRoutine: (done) => done.delete() });
        const call = () => KeInsertQueueApc(apc, null, null, 0);
        expect(crew.call(thread, steps(call))).toBe(true);
        expect(apc.exists).toBe(false);
      } else if (kind === 'release') {
        if (!model.owners.has(thread)) continue;
        model.release(thread);
        const call = () =>
          resource === undefined
            ? ExReleaseFastMutexUnsafe(mutex)
            : ExReleaseResourceLite(resource);
        crew.call(thread, steps(call));
      } else if (resource === undefined) {
        if (model.owners.has(thread)) continue;
        model.acquire(0, true, thread);
        const call = () => ExAcquireFastMutexUnsafe(mutex);
        crew.call(thread, steps(call));
      } else {
        const form = kind === 'acquire' ? 0 : 1;
        model.acquire(form, true, thread);
        const call = () => (FORMS[form] as (typeof FORMS)[0])(resource, true);
        crew.call(thread, steps(call));
      }
      expect(crew.threads.map(({ priority }) => priority)).toEqual(lifted(own, models));
      const waiting = models.flatMap(({ forExclusive, forShared }) => [
        ...forExclusive,
        ...forShared,
      ]);
      expect(crew.waiting).toEqual(crew.threads.map((_, index) => waiting.includes(index)));
    }
  });
});
