import { describe, expect, test } from 'vitest';
import { STATUS } from '../../assembly/shared/status';
import { IRQL, KWAIT_REASON, MODE } from '../../assembly/shared/types';
import { EResource, resourceOwnerPointer, systemResources } from '../../src/ex/eresource';
import {
  ExAcquireResourceExclusiveLite,
  ExAcquireResourceSharedLite,
  ExAcquireSharedStarveExclusive,
  ExAcquireSharedWaitForExclusive,
  ExConvertExclusiveToSharedLite,
  ExDeleteResourceLite,
  ExEnterCriticalRegionAndAcquireResourceExclusive,
  ExEnterCriticalRegionAndAcquireResourceShared,
  ExEnterCriticalRegionAndAcquireSharedWaitForExclusive,
  ExGetCurrentResourceThread,
  ExGetExclusiveWaiterCount,
  ExGetSharedWaiterCount,
  ExInitializeResourceLite,
  ExIsResourceAcquiredExclusiveLite,
  ExIsResourceAcquiredLite,
  ExIsResourceAcquiredSharedLite,
  ExReinitializeResourceLite,
  ExReleaseResourceAndLeaveCriticalRegion,
  ExReleaseResourceForThreadLite,
  ExReleaseResourceLite,
  ExSetResourceOwnerPointer,
  ExSetResourceOwnerPointerEx,
  FLAG_OWNER_POINTER_IS_THREAD,
} from '../../src/ex/resource';
import {
  KeAreAllApcsDisabled,
  KeAreApcsDisabled,
  KeEnterCriticalRegion,
  KeLeaveCriticalRegion,
  KeLowerIrql,
  KeRaiseIrql,
} from '../../src/ke/irql';
import { KeDelayExecutionThread, NtYieldExecution } from '../../src/ke/time';
import type { NtCall, Request } from '../../src/machine/guest';
import { Machine } from '../../src/machine/machine';
import { callGuest, runGuest } from '../ke/guest';
import { type Holder, holder, startHolder } from '../ke/holder';
import { quietMachine } from '../records';

/** What the calling thread is told of a resource: exclusive, its acquisitions, exclusive and shared waiters. */
const status = (resource: EResource) => [
  ExIsResourceAcquiredExclusiveLite(resource),
  ExIsResourceAcquiredSharedLite(resource),
  ExGetExclusiveWaiterCount(resource),
  ExGetSharedWaiterCount(resource),
];

const SHARED_FORMS = [
  ExAcquireResourceSharedLite,
  ExAcquireSharedStarveExclusive,
  ExAcquireSharedWaitForExclusive,
];

type Body = (
  resource: EResource,
  machine: Machine,
) => Generator<Request, readonly unknown[], number>;

/** Runs steps in a critical region, with a resource that nobody has; what they give. */
async function inRegion(body: Body, options: { readonly checkIrql?: boolean } = {}) {
  const { value } = await runGuest(function* (machine) {
    const resource = new EResource();
    ExInitializeResourceLite(resource);
    KeEnterCriticalRegion();
    const results = yield* body(resource, machine);
    yield* KeLeaveCriticalRegion();
    return results;
  }, options);
  return value;
}

/** A thread that has a resource, or waits for it, in a critical region. */
const owner = (
  machine: Machine,
  name: string,
  resource: EResource,
  acquire: () => NtCall<boolean>,
): Holder =>
  holder(machine, name, {
    enter: KeEnterCriticalRegion,
    acquire,
    release: () => ExReleaseResourceLite(resource),
    leave: KeLeaveCriticalRegion,
  });

const sharer = (machine: Machine, name: string, resource: EResource, wait = true) =>
  owner(machine, name, resource, () => ExAcquireResourceSharedLite(resource, wait));
const writer = (machine: Machine, name: string, resource: EResource, wait = true) =>
  owner(machine, name, resource, () => ExAcquireResourceExclusiveLite(resource, wait));

/** Ms, as a timeout. */
const ms = (count: number) => count * -10_000;

describe('a resource', () => {
  test('ex.resource-001: is initialized at DISPATCH_LEVEL and deleted at APC_LEVEL', async () => {
    const { value } = await runGuest(function* () {
      const resource = new EResource();
      KeRaiseIrql(IRQL.DISPATCH_LEVEL);
      const initialized = ExInitializeResourceLite(resource);
      yield* KeLowerIrql(IRQL.APC_LEVEL);
      const deleted = ExDeleteResourceLite(resource);
      yield* KeLowerIrql(IRQL.PASSIVE_LEVEL);
      return [initialized, deleted];
    });
    expect(value).toEqual([STATUS.SUCCESS, STATUS.SUCCESS]);
  });

  test('ex.resource-002: that is initialized is in the list of the system, and nobody has it', async () => {
    const value = await callGuest((machine) => {
      const resource = new EResource();
      const initialized = ExInitializeResourceLite(resource);
      const listed = systemResources(machine).includes(resource);
      return [initialized, listed, resource, status(resource)];
    });
    expect(value).toEqual([STATUS.SUCCESS, true, expect.anything(), [false, 0, 0, 0]]);
    expect(value?.[2]).toMatchObject({
      activeCount: 0,
      flag: 0,
      ownerTable: [],
      sharedWaiters: [],
      exclusiveWaiters: [],
      contentionCount: 0,
      numberOfSharedWaiters: 0,
      numberOfExclusiveWaiters: 0,
    });
  });

  test('ex.resource-003: is shared once more in every form', async () => {
    const value = await inRegion(function* (resource) {
      const seen: unknown[] = [yield* ExAcquireResourceSharedLite(resource, false)];
      seen.push(status(resource));
      for (const acquire of SHARED_FORMS) {
        for (const wait of [false, true]) {
          seen.push(yield* acquire(resource, wait));
          seen.push(status(resource));
        }
      }
      for (let count = 0; count < 7; count++) yield* ExReleaseResourceLite(resource);
      return seen;
    });
    expect(value).toEqual([
      ...[true, [false, 1, 0, 0], true, [false, 2, 0, 0], true, [false, 3, 0, 0]],
      ...[true, [false, 4, 0, 0], true, [false, 5, 0, 0], true, [false, 6, 0, 0]],
      ...[true, [false, 7, 0, 0]],
    ]);
  });

  test('ex.resource-004: that is shared is neither made exclusive nor converted', async () => {
    const value = await inRegion(
      function* (resource) {
        for (let count = 0; count < 7; count++) yield* ExAcquireResourceSharedLite(resource, false);
        const upgraded = yield* ExAcquireResourceExclusiveLite(resource, false);
        const before = status(resource);
        yield* ExConvertExclusiveToSharedLite(resource);
        const after = status(resource);
        for (let count = 0; count < 7; count++) yield* ExReleaseResourceLite(resource);
        return [upgraded, before, after, status(resource)];
      },
      { checkIrql: false },
    );
    expect(value).toEqual([false, [false, 7, 0, 0], [false, 7, 0, 0], [false, 0, 0, 0]]);
  });

  test('ex.resource-005: is taken once more in every form by who has it alone', async () => {
    const value = await inRegion(function* (resource) {
      const seen: unknown[] = [];
      for (const acquire of [ExAcquireResourceExclusiveLite, ...SHARED_FORMS]) {
        for (const wait of [false, true]) {
          seen.push(yield* acquire(resource, wait));
          seen.push(status(resource).join());
        }
      }
      const { activeCount, flag } = resource;
      for (let count = 0; count < 8; count++) yield* ExReleaseResourceLite(resource);
      return [...seen, activeCount, flag];
    });
    expect(value).toEqual([
      ...[true, 'true,1,0,0', true, 'true,2,0,0', true, 'true,3,0,0', true, 'true,4,0,0'],
      ...[true, 'true,5,0,0', true, 'true,6,0,0', true, 'true,7,0,0', true, 'true,8,0,0'],
      ...[1, 0x80],
    ]);
  });

  test('ex.resource-006: keeps its count when it is converted', async () => {
    const value = await inRegion(function* (resource) {
      for (let count = 0; count < 8; count++) yield* ExAcquireResourceExclusiveLite(resource, true);
      yield* ExConvertExclusiveToSharedLite(resource);
      const converted = status(resource);
      for (let count = 0; count < 8; count++) yield* ExReleaseResourceLite(resource);
      return [converted, status(resource), resource.flag];
    });
    expect(value).toEqual([[false, 8, 0, 0], [false, 0, 0, 0], 0]);
  });

  test.each([
    IRQL.PASSIVE_LEVEL,
    IRQL.APC_LEVEL,
  ])('ex.resource-007: is acquired together with a critical region at IRQL %i', async (irql) => {
    const { value } = await runGuest(function* (_, thread) {
      const resource = new EResource();
      ExInitializeResourceLite(resource);
      thread.win32Thread = 'W32THREAD';
      KeRaiseIrql(irql);
      const seen: unknown[] = [KeAreApcsDisabled()];
      const see = (returned: unknown) => {
        const count = ExIsResourceAcquiredSharedLite(resource);
        seen.push([returned, KeAreApcsDisabled(), KeAreAllApcsDisabled(), count]);
      };
      see(yield* ExEnterCriticalRegionAndAcquireResourceShared(resource));
      see(yield* ExEnterCriticalRegionAndAcquireResourceShared(resource));
      see(yield* ExEnterCriticalRegionAndAcquireSharedWaitForExclusive(resource));
      for (let count = 0; count < 3; count++) {
        see(yield* ExReleaseResourceAndLeaveCriticalRegion(resource));
      }
      yield* KeLowerIrql(IRQL.PASSIVE_LEVEL);
      return seen;
    });
    const all = irql === IRQL.APC_LEVEL;
    expect(value).toEqual([
      false,
      ['W32THREAD', true, all, 1],
      ['W32THREAD', true, all, 2],
      ['W32THREAD', true, all, 3],
      [undefined, true, all, 2],
      [undefined, true, all, 1],
      [undefined, false, all, 0],
    ]);
  });

  test('ExEnterCriticalRegionAndAcquireResourceExclusive has it alone', async () => {
    const { value } = await runGuest(function* () {
      const resource = new EResource().initialize();
      const returned = yield* ExEnterCriticalRegionAndAcquireResourceExclusive(resource);
      const held = status(resource);
      yield* ExReleaseResourceAndLeaveCriticalRegion(resource);
      return [returned, held, KeAreApcsDisabled()];
    });
    expect(value).toEqual([null, [true, 1, 0, 0], false]);
  });

  test('ex.resource-009: counts the threads that share it', async () => {
    const value = await inRegion(function* (resource, machine) {
      const first = sharer(machine, 'S1', resource, false);
      const second = sharer(machine, 'S2', resource, false);
      yield* startHolder(first);
      const seen = [first.result(), resource.activeCount, status(resource)];
      yield* startHolder(second);
      seen.push(second.result(), resource.activeCount);
      second.finish();
      yield* second.join();
      seen.push(resource.activeCount);
      first.finish();
      return seen;
    });
    expect(value).toEqual([true, 1, [false, 0, 0, 0], true, 2, 1]);
  });

  test('ex.resource-010: that is shared makes who wants it alone wait', async () => {
    const value = await inRegion(function* (resource, machine) {
      const first = sharer(machine, 'S1', resource);
      const hasty = writer(machine, 'X', resource, false);
      const patient = writer(machine, 'X', resource);
      yield* startHolder(first);
      yield* startHolder(hasty);
      const seen = [hasty.result(), resource.activeCount];
      seen.push(yield* startHolder(patient, ms(10)));
      const waiting = status(resource);
      for (const each of [first, hasty, patient]) each.finish();
      return [...seen, waiting];
    });
    expect(value).toEqual([false, 1, STATUS.TIMEOUT, [false, 0, 1, 0]]);
  });

  test('ex.resource-011: that somebody wants alone is not shared by others meanwhile', async () => {
    const value = await inRegion(function* (resource, machine) {
      const first = sharer(machine, 'S1', resource);
      const waiting = writer(machine, 'X', resource);
      const late = sharer(machine, 'late', resource, false);
      const polite = owner(machine, 'polite', resource, () =>
        ExAcquireSharedWaitForExclusive(resource, false),
      );
      yield* startHolder(first);
      yield* startHolder(waiting, ms(10));
      yield* startHolder(late);
      yield* startHolder(polite);
      for (const each of [first, waiting, late, polite]) each.finish();
      return [late.result(), polite.result()];
    });
    expect(value).toEqual([false, false]);
  });

  test('ex.resource-013: counts who waits, to have it alone and to share it', async () => {
    const value = await inRegion(function* (resource, machine) {
      const first = sharer(machine, 'S1', resource);
      const second = sharer(machine, 'S2', resource);
      const waiting = writer(machine, 'X', resource);
      yield* startHolder(first);
      yield* startHolder(waiting, ms(10));
      const late = yield* startHolder(second, ms(10));
      const seen = [late, status(resource), resource.contentionCount];
      for (const each of [first, waiting, second]) each.finish();
      return seen;
    });
    expect(value).toEqual([STATUS.TIMEOUT, [false, 0, 1, 1], 2]);
  });

  test('ex.resource-016: is as new once it is initialized again', async () => {
    const value = await inRegion(function* (resource, machine) {
      const first = sharer(machine, 'S1', resource);
      const waiting = writer(machine, 'X', resource);
      yield* startHolder(first);
      yield* startHolder(waiting, ms(10));
      first.finish();
      waiting.finish();
      yield* waiting.join();
      const before = resource.contentionCount;
      const again = ExReinitializeResourceLite(resource);
      const { activeCount, flag, contentionCount } = resource;
      const after = [activeCount, flag, contentionCount, ...status(resource)];
      const listed = systemResources(machine).length;
      return [
        before,
        again,
        after,
        ExDeleteResourceLite(resource),
        listed,
        systemResources(machine),
      ];
    });
    expect(value).toEqual([1, STATUS.SUCCESS, [0, 0, 0, false, 0, 0, 0], STATUS.SUCCESS, 1, []]);
  });

  test('ex.resource-018: of one thread counts up and down', async () => {
    const value = await inRegion(function* (resource) {
      const thread = ExGetCurrentResourceThread();
      const seen: unknown[] = [];
      yield* ExAcquireResourceExclusiveLite(resource, false);
      seen.push(status(resource));
      yield* ExAcquireResourceExclusiveLite(resource, false);
      seen.push(status(resource));
      yield* ExAcquireResourceSharedLite(resource, false);
      seen.push(status(resource));
      for (let count = 0; count < 3; count++) {
        yield* ExReleaseResourceForThreadLite(resource, thread);
        seen.push(status(resource));
      }
      return seen;
    });
    expect(value).toEqual([
      [true, 1, 0, 0],
      [true, 2, 0, 0],
      [true, 3, 0, 0],
      [true, 2, 0, 0],
      [true, 1, 0, 0],
      [false, 0, 0, 0],
    ]);
  });

  test('ex.resource-019: that its thread shares is not had alone, and is shared in each form', async () => {
    const value = await inRegion(function* (resource) {
      const thread = ExGetCurrentResourceThread();
      const seen: unknown[] = [
        yield* ExAcquireResourceSharedLite(resource, false),
        yield* ExAcquireResourceSharedLite(resource, false),
        yield* ExAcquireResourceExclusiveLite(resource, false),
        status(resource),
      ];
      yield* ExReleaseResourceForThreadLite(resource, thread);
      seen.push(status(resource));
      yield* ExReleaseResourceForThreadLite(resource, thread);
      seen.push(status(resource));
      for (const acquire of [ExAcquireSharedStarveExclusive, ExAcquireSharedWaitForExclusive]) {
        seen.push(yield* acquire(resource, false), ExIsResourceAcquiredLite(resource));
        yield* ExReleaseResourceForThreadLite(resource, thread);
      }
      return seen;
    });
    expect(value).toEqual([
      ...[true, true, false, [false, 2, 0, 0], [false, 1, 0, 0], [false, 0, 0, 0]],
      ...[true, 1, true, 1],
    ]);
  });

  test('ex.resource-021: goes from who has it alone to who waits to share it', async () => {
    const value = await inRegion(function* (resource, machine) {
      yield* ExAcquireResourceExclusiveLite(resource, false);
      let woken: unknown;
      const other = holder(machine, 'other', {
        enter: KeEnterCriticalRegion,
        acquire: () => ExAcquireResourceSharedLite(resource, true),
        release: () => {
          woken = status(resource);
          return ExReleaseResourceLite(resource);
        },
        leave: KeLeaveCriticalRegion,
      });
      yield* startHolder(other, ms(10));
      const seen: unknown[] = [status(resource)];
      seen.push(yield* ExAcquireResourceExclusiveLite(resource, false), status(resource));
      yield* ExReleaseResourceForThreadLite(resource, ExGetCurrentResourceThread());
      yield* ExReleaseResourceForThreadLite(resource, ExGetCurrentResourceThread());
      other.finish();
      yield* other.join();
      return [...seen, woken];
    });
    expect(value).toEqual([[true, 1, 0, 1], true, [true, 2, 0, 1], [false, 1, 0, 0]]);
  });

  test('ex.resource-022: that another thread has alone is not to be had, and who does not wait is not counted', async () => {
    const value = await inRegion(function* (resource, machine) {
      const other = writer(machine, 'other', resource);
      yield* startHolder(other);
      const seen: unknown[] = [];
      for (const acquire of [ExAcquireResourceExclusiveLite, ...SHARED_FORMS]) {
        seen.push(yield* acquire(resource, false));
      }
      seen.push(status(resource));
      other.finish();
      return seen;
    });
    expect(value).toEqual([false, false, false, false, [false, 0, 0, 0]]);
  });

  test('ex.resource-023: is shared once more by who shares it, whoever wants it alone', async () => {
    const value = await inRegion(function* (resource, machine) {
      yield* ExAcquireResourceSharedLite(resource, false);
      const other = writer(machine, 'other', resource);
      yield* startHolder(other, ms(10));
      const seen: unknown[] = [status(resource)];
      for (const acquire of SHARED_FORMS) {
        seen.push(yield* acquire(resource, false), ExIsResourceAcquiredSharedLite(resource));
        if (seen.at(-2) === true) yield* ExReleaseResourceLite(resource);
      }
      yield* ExReleaseResourceLite(resource);
      const got = yield* startHolder(other);
      const { exclusive } = resource;
      other.finish();
      return [...seen, got, exclusive];
    });
    expect(value).toEqual([
      [false, 1, 1, 0],
      ...[true, 2, true, 2, false, 1],
      ...[STATUS.SUCCESS, true],
    ]);
  });

  test('ex.resource-024: that others share and want is shared by who starves those', async () => {
    const value = await inRegion(function* (resource, machine) {
      const first = sharer(machine, 'first', resource);
      const second = writer(machine, 'second', resource);
      yield* startHolder(first);
      yield* startHolder(second, ms(10));
      const seen: unknown[] = [
        yield* ExAcquireResourceExclusiveLite(resource, false),
        yield* ExAcquireResourceSharedLite(resource, false),
        yield* ExAcquireSharedStarveExclusive(resource, false),
        ExIsResourceAcquiredSharedLite(resource),
        yield* ExAcquireSharedWaitForExclusive(resource, false),
      ];
      yield* ExReleaseResourceLite(resource);
      first.finish();
      second.finish();
      return seen;
    });
    expect(value).toEqual([false, false, true, 1, false]);
  });

  test('is waited for, for WrResource', async () => {
    const machine = await Machine.create();
    const resource = new EResource('volume').initialize();
    const first = writer(machine, 'first', resource);
    const second = sharer(machine, 'second', resource);
    machine.systemProcess.createThread(function* () {
      yield* startHolder(first);
      yield* startHolder(second, ms(1));
    });
    const result = machine.run();
    expect(second.thread.waitReason).toBe(KWAIT_REASON.WrResource);
    expect(resource.sharedWaiters).toEqual([second.thread]);
    expect(result).toMatchObject({
      reason: 'idle',
      waiting: [{ name: 'first' }, { name: 'second', waitsFor: 'volume (WrResource)' }],
    });
  });
});

describe('the order in which a resource is handed over', () => {
  /** Who has the resource after each release, of threads that came in the order given; x wants it alone. */
  async function convoy(names: readonly string[], first: string): Promise<readonly string[]> {
    const machine = await quietMachine();
    const resource = new EResource().initialize();
    const make = (name: string) =>
      name.startsWith('x') ? writer(machine, name, resource) : sharer(machine, name, resource);
    const holders = [first, ...names].map(make);
    const owners: string[] = [];
    machine.systemProcess.createThread(function* () {
      for (const each of holders) yield* startHolder(each, ms(1));
      for (;;) {
        const having = resource.owners.map(({ name }) => name);
        owners.push(having.join(' '));
        if (having.length === 0) return;
        for (const each of holders.filter(({ thread }) => having.includes(thread.name))) {
          each.finish();
          yield* each.join();
        }
      }
    });
    machine.run();
    return owners;
  }

  test('is all who wait to share it, then those who want it alone one after the other', async () => {
    const order = await convoy(['s1', 'x1', 's2', 'x2', 's3'], 'x0');
    expect(order).toEqual(['x0', 's1 s2 s3', 'x1', 'x2', '']);
  });

  test('is who wants it alone when the last who shared it has gone, then all who wait to share it', async () => {
    const order = await convoy(['x1', 's1', 'x2', 's2'], 's0');
    expect(order).toEqual(['s0', 'x1', 's1 s2', 'x2', '']);
  });

  test('of a convoy goes back and forth between the two', async () => {
    const machine = await quietMachine();
    const resource = new EResource().initialize();
    const turns: string[] = [];
    const start = machine.createEvent('notification');
    for (const [name, acquire] of [
      ['w', ExAcquireResourceExclusiveLite],
      ['r', ExAcquireResourceSharedLite],
      ['v', ExAcquireResourceExclusiveLite],
    ] as const) {
      machine.systemProcess.createThread(
        function* () {
          KeEnterCriticalRegion();
          for (let round = 0; round < 3; round++) {
            yield* acquire(resource, true);
            turns.push(name);
            yield* KeDelayExecutionThread(MODE.KernelMode, false, ms(1));
            yield* ExReleaseResourceLite(resource);
          }
          yield* KeLeaveCriticalRegion();
        },
        { name, waitsFor: start },
      );
    }
    start.set();
    machine.run();
    expect(turns).toEqual(['w', 'r', 'v', 'r', 'w', 'r', 'v', 'w', 'v']);
  });
});

describe('ExConvertExclusiveToSharedLite', () => {
  test('lets all who wait to share it in, and leaves those who want it alone', async () => {
    const value = await inRegion(function* (resource, machine) {
      yield* ExAcquireResourceExclusiveLite(resource, true);
      const holders = [
        sharer(machine, 's1', resource),
        writer(machine, 'x', resource),
        sharer(machine, 's2', resource),
      ];
      for (const each of holders) yield* startHolder(each, ms(1));
      yield* ExConvertExclusiveToSharedLite(resource);
      const names = resource.owners.map(({ name }) => name);
      const seen = [names.slice(1), resource.flag, status(resource)];
      yield* ExReleaseResourceLite(resource);
      for (const each of holders) each.finish();
      return seen;
    });
    expect(value).toEqual([['s1', 's2'], 0, [false, 1, 1, 0]]);
  });

  test('of one who does not have it alone is SHARED_RESOURCE_CONV_ERROR under Driver Verifier', async () => {
    const machine = await Machine.create();
    const resource = new EResource().initialize();
    const thread = machine.systemProcess.createThread(function* () {
      KeEnterCriticalRegion();
      yield* ExAcquireResourceSharedLite(resource, true);
      yield* ExConvertExclusiveToSharedLite(resource);
    });
    expect(machine.run()).toMatchObject({
      reason: 'bugcheck',
      code: 0x1f,
      name: 'SHARED_RESOURCE_CONV_ERROR',
      parameters: [1n, BigInt(thread.address), 0n, 0n],
    });
  });
});

describe('an owner pointer', () => {
  test('has what the thread had, and releases it', async () => {
    const value = await inRegion(function* (resource) {
      yield* ExAcquireResourceExclusiveLite(resource, true);
      yield* ExAcquireResourceExclusiveLite(resource, true);
      yield* ExSetResourceOwnerPointer(resource, 0xabc3);
      const seen: unknown[] = [status(resource), resource.ownerTable, resource.flag];
      yield* ExReleaseResourceForThreadLite(resource, 0xabc3);
      yield* ExReleaseResourceForThreadLite(resource, 0xabc3n);
      return [...seen, resource.activeCount];
    });
    expect(value).toEqual([[false, 0, 0, 0], [{ owner: 0xabc3n, count: 2 }], 0x80, 0]);
  });

  test('that shares it already gets what another thread shared too', async () => {
    const value = await inRegion(function* (resource) {
      yield* ExAcquireResourceSharedLite(resource, true);
      yield* ExSetResourceOwnerPointer(resource, 7);
      yield* ExAcquireResourceSharedLite(resource, true);
      const both = resource.activeCount;
      yield* ExSetResourceOwnerPointerEx(resource, 7, 0);
      const { ownerTable } = resource;
      yield* ExReleaseResourceForThreadLite(resource, 7);
      yield* ExReleaseResourceForThreadLite(resource, 7);
      return [both, ownerTable, resource.activeCount];
    });
    expect(value).toEqual([2, [{ owner: 7n, count: 2 }], 0]);
  });

  test('can stand for a thread', async () => {
    const value = await inRegion(function* (resource, machine) {
      const other = machine.systemProcess.createThread(function* () {}, { start: false });
      yield* ExAcquireResourceExclusiveLite(resource, true);
      const pointer = resourceOwnerPointer(other);
      yield* ExSetResourceOwnerPointerEx(resource, pointer, FLAG_OWNER_POINTER_IS_THREAD);
      const { owners } = resource;
      yield* ExReleaseResourceForThreadLite(resource, pointer);
      return [owners[0] === other, resource.owners];
    });
    expect(value).toEqual([true, []]);
  });

  test.each([
    ['without both low bits', 0xabc2, 0],
    ['of no thread, with FLAG_OWNER_POINTER_IS_THREAD', 0xabc3, FLAG_OWNER_POINTER_IS_THREAD],
    ['that is no number', Number.NaN, 0],
  ])('%s is RESOURCE_OWNER_POINTER_INVALID', async (_, pointer, flags) => {
    const machine = await Machine.create();
    const resource = new EResource().initialize();
    const thread = machine.systemProcess.createThread(function* () {
      KeEnterCriticalRegion();
      yield* ExAcquireResourceExclusiveLite(resource, true);
      yield* ExSetResourceOwnerPointerEx(resource, pointer, flags);
    });
    expect(machine.run()).toMatchObject({
      reason: 'bugcheck',
      code: 0x132,
      name: 'RESOURCE_OWNER_POINTER_INVALID',
      parameters: [1n, 1n, BigInt(thread.address), expect.any(BigInt)],
    });
  });
});

describe('misuse of a resource', () => {
  const misuse = async (body: (resource: EResource) => Generator<Request, void, number>) => {
    const machine = await Machine.create();
    const resource = new EResource('volume');
    const thread = machine.systemProcess.createThread(() => body(resource), { name: 'careless' });
    return { machine, thread, result: machine.run() };
  };

  test('RESOURCE_NOT_OWNED: it is released by a thread that does not have it', async () => {
    const { thread, result } = await misuse(function* (resource) {
      ExInitializeResourceLite(resource);
      KeEnterCriticalRegion();
      yield* ExReleaseResourceLite(resource);
    });
    expect(result).toMatchObject({
      reason: 'bugcheck',
      code: 0xe3,
      name: 'RESOURCE_NOT_OWNED',
      parameters: [1n, BigInt(thread.address), 0n, 0n],
    });
    expect(String((result as { cause: unknown }).cause)).toContain(
      "ExReleaseResourceLite: volume is not owned by thread 'careless'",
    );
  });

  test('RESOURCE_NOT_OWNED: its owner pointer has it', async () => {
    const { result } = await misuse(function* (resource) {
      ExInitializeResourceLite(resource);
      KeEnterCriticalRegion();
      yield* ExAcquireResourceSharedLite(resource, true);
      yield* ExSetResourceOwnerPointer(resource, 3);
      yield* ExReleaseResourceLite(resource);
    });
    expect(result).toMatchObject({ code: 0xe3, parameters: [1n, expect.any(BigInt), 1n, 0n] });
  });

  test.each([0, 2, 4n])('ERESOURCE_INVALID_RELEASE: it is released for %s', async (target) => {
    const { thread, result } = await misuse(function* (resource) {
      ExInitializeResourceLite(resource);
      KeEnterCriticalRegion();
      yield* ExReleaseResourceForThreadLite(resource, target);
    });
    expect(result).toMatchObject({
      reason: 'bugcheck',
      code: 0x16e,
      name: 'ERESOURCE_INVALID_RELEASE',
      parameters: [1n, BigInt(thread.address), BigInt(target), 0n],
    });
  });

  test.each([
    [
      'is acquired with APCs enabled',
      0x37n,
      function* (resource: EResource) {
        ExInitializeResourceLite(resource);
        yield* ExAcquireResourceSharedLite(resource, true);
      },
    ],
    [
      'is released with APCs enabled',
      0x38n,
      function* (resource: EResource) {
        ExInitializeResourceLite(resource);
        KeEnterCriticalRegion();
        yield* ExAcquireResourceSharedLite(resource, true);
        yield* KeLeaveCriticalRegion();
        yield* ExReleaseResourceLite(resource);
      },
    ],
    [
      'is acquired at DISPATCH_LEVEL',
      0x20007n,
      function* (resource: EResource) {
        ExInitializeResourceLite(resource);
        KeRaiseIrql(IRQL.DISPATCH_LEVEL);
        yield* ExAcquireResourceSharedLite(resource, false);
      },
    ],
    [
      'is initialized twice',
      0xd0n,
      function* (resource: EResource) {
        ExInitializeResourceLite(resource);
        yield* NtYieldExecution();
        ExInitializeResourceLite(resource);
      },
    ],
    [
      'is deleted without having been initialized',
      0xd1n,
      function* (resource: EResource) {
        yield* NtYieldExecution();
        ExDeleteResourceLite(resource);
      },
    ],
    [
      'is acquired without having been initialized',
      0x1002n,
      function* (resource: EResource) {
        KeEnterCriticalRegion();
        yield* ExAcquireResourceSharedLite(resource, true);
      },
    ],
    [
      'is deleted while somebody has it',
      0x100bn,
      function* (resource: EResource) {
        ExInitializeResourceLite(resource);
        KeEnterCriticalRegion();
        yield* ExAcquireResourceSharedLite(resource, true);
        ExDeleteResourceLite(resource);
      },
    ],
  ])('that %s is violation 0x%x', async (_, violation, body) => {
    const { result } = await misuse(body);
    expect(result).toMatchObject({
      reason: 'bugcheck',
      code: 0xc4,
      parameters: [violation, expect.any(BigInt), expect.any(BigInt), expect.any(BigInt)],
    });
  });

  test('KERNEL_LOCK_ENTRY_LEAKED_ON_THREAD_TERMINATION: a thread ends that has it', async () => {
    const { thread, result } = await misuse(function* (resource) {
      ExInitializeResourceLite(resource);
      KeEnterCriticalRegion();
      yield* ExAcquireResourceSharedLite(resource, true);
      yield* KeLeaveCriticalRegion();
    });
    expect(result).toMatchObject({
      code: 0x153,
      parameters: [BigInt(thread.address), 1n, 1n, 0n],
    });
  });

  test('system threads release it for a thread with APCs enabled', async () => {
    const { value } = await runGuest(function* () {
      const resource = new EResource().initialize();
      KeEnterCriticalRegion();
      yield* ExAcquireResourceSharedLite(resource, true);
      yield* KeLeaveCriticalRegion();
      yield* ExReleaseResourceForThreadLite(resource, ExGetCurrentResourceThread());
      return resource.activeCount;
    });
    expect(value).toBe(0);
  });
});
