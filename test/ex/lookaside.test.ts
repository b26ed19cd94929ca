import { describe, expect, test } from 'vitest';
import {
  ExAllocateFromLookasideListEx,
  ExAllocateFromNPagedLookasideList,
  ExAllocateFromPagedLookasideList,
  ExDeleteLookasideListEx,
  ExDeleteNPagedLookasideList,
  ExDeletePagedLookasideList,
  ExFlushLookasideListEx,
  ExFreeToLookasideListEx,
  ExFreeToNPagedLookasideList,
  ExFreeToPagedLookasideList,
  ExInitializeLookasideListEx,
  ExInitializeNPagedLookasideList,
  ExInitializePagedLookasideList,
  type LookasideList,
} from '../../src/ex/lookaside';
import {
  ExAllocatePool2,
  ExAllocatePoolWithTag,
  ExFreePool,
  ExFreePoolWithTag,
  POOL_FLAG_NON_PAGED,
  POOL_FLAG_PAGED,
  POOL_FLAG_RAISE_ON_FAILURE,
  POOL_TYPE,
  type PoolBlock,
  poolUsage,
} from '../../src/ex/pool';
import { KeStallExecutionProcessor } from '../../src/ke/ddi';
import { KeLowerIrql, KeRaiseIrql } from '../../src/ke/irql';
import { Machine } from '../../src/machine/machine';
import { callGuest, runGuest } from '../ke/guest';

type Body = Generator<readonly number[], void, number>;

/** How a machine stops whose only thread does that. */
async function stopOf(body: () => Body | undefined) {
  const machine = await Machine.create();
  machine.systemProcess.createThread(function* () {
    const generator = body();
    if (generator !== undefined) yield* generator;
    yield* KeStallExecutionProcessor(1);
  });
  return machine.run();
}

const allocate = () => ExAllocatePool2(POOL_FLAG_NON_PAGED, 100, 'Test') as PoolBlock;

describe('pool', () => {
  test('is counted by tag and kind, until it is freed', async () => {
    const value = await callGuest((machine) => {
      const kept = [
        ExAllocatePool2(POOL_FLAG_NON_PAGED, 100, 'Tag2'),
        ExAllocatePool2(POOL_FLAG_PAGED, 50, 'Tag1'),
        ExAllocatePoolWithTag(POOL_TYPE.NonPagedPoolNx, 7, 'Tag1'),
      ] as PoolBlock[];
      ExFreePoolWithTag(allocate(), 'Test');
      ExFreePoolWithTag(allocate(), '');
      ExFreePool(allocate());
      ExFreePoolWithTag(kept[0] as PoolBlock, 'Tag2');
      return poolUsage(machine);
    });
    expect(value).toEqual([
      { tag: 'Tag1', paged: false, allocations: 1, frees: 0, bytes: 7 },
      { tag: 'Tag1', paged: true, allocations: 1, frees: 0, bytes: 50 },
      { tag: 'Tag2', paged: false, allocations: 1, frees: 1, bytes: 0 },
      { tag: 'Test', paged: false, allocations: 3, frees: 3, bytes: 0 },
    ]);
  });

  test('no bytes and flags of no kind, or of two, are NULL, or raised', async () => {
    const value = await callGuest(() => {
      const kinds = POOL_FLAG_NON_PAGED | POOL_FLAG_PAGED;
      const nothing = [
        ExAllocatePool2(POOL_FLAG_PAGED, 0, 'Test'),
        ExAllocatePool2(0, 1, 'Test'),
        ExAllocatePool2(kinds, 1, 'Test'),
      ];
      expect(() => ExAllocatePool2(kinds | POOL_FLAG_RAISE_ON_FAILURE, 1, 'Test')).toThrow(
        'status 0xc000000d was raised',
      );
      return nothing;
    });
    expect(value).toEqual([null, null, null]);
  });

  test('paged pool is not for DISPATCH_LEVEL', async () => {
    await expect(
      runGuest(function* () {
        KeRaiseIrql(2);
        ExFreePool(allocate());
        ExAllocatePool2(POOL_FLAG_PAGED, 1, 'Test');
        yield* KeLowerIrql(0);
      }),
    ).rejects.toThrow(
      'ExAllocatePool2 was called at DISPATCH_LEVEL (2); it needs at most APC_LEVEL',
    );
  });

  test('a tag of five characters is refused', async () => {
    await expect(callGuest(() => ExAllocatePool2(POOL_FLAG_PAGED, 1, 'Large'))).rejects.toThrow(
      "ExAllocatePool2: tag is 'Large'; give one to four ASCII characters",
    );
  });

  test.each([
    [
      'freed twice',
      [7n, 0n, 0n, 0n],
      () => {
        const block = allocate();
        ExFreePool(block);
        ExFreePool(block);
      },
    ],
    [
      'freed with another tag',
      [0xan, 0n, 0x74736554n, 0x72656854n],
      () => ExFreePoolWithTag(allocate(), 'Ther'),
    ],
    ['freed, but never allocated', [0x46n, 0n, 0n, 0n], () => ExFreePool({} as PoolBlock)],
    [
      'allocated without a tag',
      [0x9bn, 1n, 5n, 0n],
      () => void ExAllocatePool2(POOL_FLAG_PAGED, 5, ''),
    ],
  ])('%s is bugcheck BAD_POOL_CALLER', async (_what, parameters, misuse) => {
    const result = await stopOf(() => {
      misuse();
      return undefined;
    });
    expect(result).toMatchObject({ name: 'BAD_POOL_CALLER', parameters });
  });
});

describe('lookaside lists', () => {
  test('give again what was freed, count what they could not, and keep 4 entries', async () => {
    const { value } = await runGuest(function* (machine) {
      const list = ExInitializeNPagedLookasideList(null, null, 0, 24, 'Look', 0);
      const blocks: PoolBlock[] = [];
      for (let count = 0; count < 6; count++) {
        blocks.push((yield* ExAllocateFromNPagedLookasideList(list)) as PoolBlock);
      }
      for (const block of blocks) yield* ExFreeToNPagedLookasideList(list, block);
      const again = yield* ExAllocateFromNPagedLookasideList(list);
      const figures = [
        [list.TotalAllocates, list.AllocateMisses, list.AllocateHits],
        [list.TotalFrees, list.FreeMisses, list.FreeHits],
        [list.Size, list.Tag, list.Type, list.Depth, list.ListHead.Depth],
      ];
      const before = poolUsage(machine);
      yield* ExDeleteNPagedLookasideList(list);
      return [blocks.indexOf(again as PoolBlock), figures, before, poolUsage(machine)];
    });
    const usage = { tag: 'Look', paged: false, allocations: 6 };
    expect(value).toEqual([
      3,
      [
        [7, 6, 1],
        [6, 2, 4],
        [24, 'Look', 512, 4, 3],
      ],
      [{ ...usage, frees: 2, bytes: 96 }],
      [{ ...usage, frees: 5, bytes: 24 }],
    ]);
  });

  test('have routines of their own, which may block', async () => {
    const { value } = await runGuest(function* () {
      const made: unknown[] = [];
      const { status, value: list } = ExInitializeLookasideListEx<{ number: number }>(
        function* (poolType, numberOfBytes, tag, lookaside) {
          yield* KeStallExecutionProcessor(1);
          made.push(poolType, numberOfBytes, tag, lookaside === list);
          return { number: made.length };
        },
        function* (entry) {
          yield* KeStallExecutionProcessor(1);
          made.push(entry.number);
        },
        POOL_TYPE.PagedPool,
        0,
        32,
        'Ownr',
        0,
      );
      const own = list as LookasideList<{ number: number }>;
      const entry = yield* ExAllocateFromLookasideListEx(own);
      yield* ExFreeToLookasideListEx(own, entry as { number: number });
      const kept = own.ListHead.Depth;
      yield* ExFlushLookasideListEx(own);
      yield* ExDeleteLookasideListEx(own);
      return [status, made, kept];
    });
    expect(value).toEqual([0, [1, 32, 'Ownr', true, 4], 1]);
  });

  test('may have entries that are linked by a field `next`', async () => {
    interface Node {
      readonly next: Node | null;
    }
    const { value } = await runGuest(function* () {
      const { value: list } = ExInitializeLookasideListEx<Node>(
        () => ({ next: null }),
        () => undefined,
        POOL_TYPE.PagedPool,
        0,
        32,
        'Node',
        0,
      );
      return yield* ExAllocateFromLookasideListEx(list as LookasideList<Node>);
    });
    expect(value).toEqual({ next: null });
  });

  test('raise a failure to allocate, or return NULL', async () => {
    const { value } = await runGuest(function* () {
      const results: unknown[] = [];
      for (const flags of [0, 2, 1]) {
        const { value: list } = ExInitializeLookasideListEx(
          () => null,
          null,
          512,
          flags,
          8,
          'T',
          0,
        );
        try {
          results.push(yield* ExAllocateFromLookasideListEx(list as LookasideList));
        } catch (error) {
          results.push((error as { status: number }).status);
        }
      }
      return results;
    });
    expect(value).toEqual([null, null, 0xc000009a]);
  });

  test('ExInitializeLookasideListEx refuses a pool type and flags that there are not', async () => {
    const value = await callGuest(() =>
      [
        ExInitializeLookasideListEx(null, null, 3 as POOL_TYPE, 0, 8, 'T', 0),
        ExInitializeLookasideListEx(null, null, 1, 3, 8, 'T', 0),
      ].map(({ status }) => status),
    );
    expect(value).toEqual([0xc00000f2, 0xc00000f3]);
  });

  test('of paged pool are not for DISPATCH_LEVEL', async () => {
    await expect(
      runGuest(function* () {
        const list = ExInitializePagedLookasideList(null, null, 0, 8, 'T', 0);
        const block = yield* ExAllocateFromPagedLookasideList(list);
        yield* ExFreeToPagedLookasideList(list, block as PoolBlock);
        yield* ExDeletePagedLookasideList(list);
        const other = ExInitializePagedLookasideList(null, null, 0, 8, 'T', 0);
        KeRaiseIrql(2);
        yield* ExAllocateFromPagedLookasideList(other);
      }),
    ).rejects.toThrow('ExAllocateFromPagedLookasideList was called at DISPATCH_LEVEL (2)');
  });

  test('cost a DDI an operation', async () => {
    const { value } = await runGuest(function* (machine) {
      const list = ExInitializeNPagedLookasideList(null, null, 0, 8, 'T', 0);
      const start = machine.now;
      const block = yield* ExAllocateFromNPagedLookasideList(list);
      yield* ExFreeToNPagedLookasideList(list, block as PoolBlock);
      return machine.now - start;
    });
    expect(value).toBe(400);
  });

  test.each([
    [
      'an entry freed to it twice',
      3n,
      function* (list: LookasideList): Body {
        const block = (yield* ExAllocateFromNPagedLookasideList(list)) as PoolBlock;
        yield* ExFreeToNPagedLookasideList(list, block);
        yield* ExFreeToNPagedLookasideList(list, block);
      },
    ],
    [
      'a list deleted twice',
      3n,
      function* (list: LookasideList): Body {
        yield* ExDeleteNPagedLookasideList(list);
        yield* ExDeleteNPagedLookasideList(list);
      },
    ],
    [
      'an allocation from a deleted list',
      5n,
      function* (list: LookasideList): Body {
        yield* ExDeleteNPagedLookasideList(list);
        yield* ExAllocateFromNPagedLookasideList(list);
      },
    ],
  ])('%s is bugcheck KERNEL_SECURITY_CHECK_FAILURE', async (_what, kind, misuse) => {
    const result = await stopOf(() =>
      misuse(ExInitializeNPagedLookasideList(null, null, 0, 8, 'T', 0)),
    );
    expect(result).toMatchObject({
      name: 'KERNEL_SECURITY_CHECK_FAILURE',
      parameters: [kind, 0n, 0n, 0n],
    });
  });
});
