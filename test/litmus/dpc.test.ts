import { describe, expect, test } from 'vitest';
import { KDPC_IMPORTANCE } from '../../assembly/shared/types';
import { KeStallExecutionProcessor } from '../../src/ke/ddi';
import { KeFlushQueuedDpcs, KeInsertQueueDpc, KeRemoveQueueDpc } from '../../src/ke/dpc';
import {
  KeAcquireSpinLock,
  KeAcquireSpinLockAtDpcLevel,
  KeReleaseSpinLock,
  KeReleaseSpinLockFromDpcLevel,
} from '../../src/ke/spinlock';
import { outcomes, type Stage, type Step } from './harness';
import { silent } from './steps';

/** A lock, what it guards, and a DPC that takes it to change that. */
function guarded({ machine }: Stage) {
  const lock = machine.createSpinLock();
  const shared = { holders: 0, most: 0, calls: 0 };
  const enter = () => {
    shared.holders++;
    shared.most = Math.max(shared.most, shared.holders);
  };
  const dpc = machine.createDpc(function* () {
    yield* KeAcquireSpinLockAtDpcLevel(lock);
    enter();
    shared.calls++;
    shared.holders--;
    yield* KeReleaseSpinLockFromDpcLevel(lock);
  });
  return { lock, shared, enter, dpc };
}

type Guarded = ReturnType<typeof guarded>;

const acquire = ({ lock, enter }: Guarded): Step =>
  silent(function* () {
    yield* KeAcquireSpinLock(lock);
    enter();
    return 0;
  });
const release = ({ lock, shared }: Guarded): Step =>
  silent(function* () {
    shared.holders--;
    yield* KeReleaseSpinLock(lock, 0);
    return 0;
  });
const inserted =
  ({ dpc }: Guarded): Step =>
  () =>
    KeInsertQueueDpc(dpc, null, null);
const remove = ({ dpc }: Guarded): Step =>
  // biome-ignore lint/correctness/useYield: a step is a generator, and this routine is none.
  function* () {
    return KeRemoveQueueDpc(dpc);
  };
const shown = ({ shared }: Guarded) => `most ${shared.most} calls ${shared.calls}`;

describe('a spin lock', () => {
  test('has one holder at a time, of threads and DPCs', async () => {
    const found = await outcomes({
      objects: guarded,
      threads: (all) => ({
        A: [acquire(all), release(all)],
        B: [acquire(all), release(all)],
        C: [inserted(all)],
      }),
      state: shown,
      without: ['one processor'],
    });
    expect(found).toEqual(['A | B | C true | most 1 calls 1']);
  });
});

describe('a DPC', () => {
  test('that the holder of its lock queues runs after the release, unless it is removed before', async () => {
    const found = await outcomes({
      objects: guarded,
      threads: (all) => ({
        A: [acquire(all), inserted(all), release(all)],
        B: [remove(all)],
      }),
      state: shown,
      without: ['one processor'],
    });
    expect(found).toEqual([
      'A true | B false | most 1 calls 1',
      'A true | B true | most 1 calls 0',
    ]);
  });

  test('for the processor of a lock holder runs once if it is queued twice before the release', async () => {
    const found = await outcomes({
      objects: guarded,
      threads: (all, { machine }) => ({
        A: [
          silent(function* () {
            yield* KeAcquireSpinLock(all.lock);
            all.dpc.targetProcessor = machine.currentProcessor;
            return 0;
          }),
          silent(() => KeReleaseSpinLock(all.lock, 0)),
        ],
        B: [inserted(all)],
        C: [inserted(all)],
      }),
      state: shown,
      without: ['one processor'],
    });
    expect(found).toEqual([
      'A | B false | C true | most 1 calls 1',
      'A | B true | C false | most 1 calls 1',
      'A | B true | C true | most 1 calls 2',
    ]);
  });

  test('has run when KeFlushQueuedDpcs returns', async () => {
    const found = await outcomes({
      objects: guarded,
      threads: (all) => ({
        A: [inserted(all)],
        B: [
          function* () {
            const before = all.shared.calls;
            yield* KeFlushQueuedDpcs();
            return [before, all.shared.calls];
          },
        ],
      }),
      state: shown,
    });
    expect(found).toEqual([
      'A true | B [0 0] | most 1 calls 1',
      'A true | B [0 1] | most 1 calls 1',
      'A true | B [1 1] | most 1 calls 1',
    ]);
  });

  test('of any importance, for any processor, has run when KeFlushQueuedDpcs returns', async () => {
    const found = await outcomes({
      objects: (stage) => {
        const all = guarded(stage);
        all.dpc.importance = KDPC_IMPORTANCE.LowImportance;
        return all;
      },
      threads: (all, { machine }) => ({
        A: [inserted(all)],
        B: [
          function* () {
            const before = all.dpc.queuedOn === undefined ? all.shared.calls : 'queued';
            yield* KeFlushQueuedDpcs();
            return [before, all.shared.calls];
          },
        ],
        C: [
          silent(() => {
            all.dpc.targetProcessor = machine.currentProcessor;
            return KeStallExecutionProcessor(700);
          }),
        ],
      }),
      state: shown,
      without: ['one processor'],
    });
    expect(found).toEqual([
      'A true | B [0 0] | C | most 1 calls 1',
      'A true | B [0 1] | C | most 1 calls 1',
      'A true | B [1 1] | C | most 1 calls 1',
      'A true | B [queued 1] | C | most 1 calls 1',
    ]);
  });
});
