import { describe, expect, test } from 'vitest';
import {
  ExInterlockedInsertHeadList,
  ExInterlockedInsertTailList,
  ExInterlockedPopEntryList,
  ExInterlockedPushEntryList,
  ExInterlockedRemoveHeadList,
  InitializeListHead,
  InsertHeadList,
  InsertTailList,
  IsListEmpty,
  ListEntry,
  PopEntryList,
  PushEntryList,
  RemoveEntryList,
  RemoveHeadList,
  RemoveTailList,
  SingleListEntry,
} from '../../src/ex/list';
import {
  ExInitializeSListHead,
  ExInterlockedFlushSList,
  ExInterlockedPopEntrySList,
  ExInterlockedPushEntrySList,
  ExQueryDepthSList,
  SListEntry,
  SListHeader,
} from '../../src/ex/slist';
import { KeGetCurrentIrql, KeLowerIrql, KeRaiseIrql } from '../../src/ke/irql';
import { Machine } from '../../src/machine/machine';
import { callGuest, runGuest } from '../ke/guest';

/** The records of a list, in its order, after a look at every link. */
function recordsOf(head: ListEntry<string>): string[] {
  const records: string[] = [];
  for (let entry = head.Flink; entry !== head; entry = entry.Flink) {
    expect([entry.Flink.Blink, entry.Blink.Flink]).toEqual([entry, entry]);
    records.push(entry.record as string);
  }
  return records;
}

describe('interlocked lists', () => {
  test('ex.list-002: insertions return what was first or last before', async () => {
    const { value } = await runGuest(function* (machine) {
      const head = new ListEntry<string>();
      const lock = machine.createSpinLock();
      const [e0, e1, e2] = ['e0', 'e1', 'e2'].map((name) => new ListEntry(name)) as [
        ListEntry<string>,
        ListEntry<string>,
        ListEntry<string>,
      ];
      const seen = [yield* ExInterlockedInsertTailList(head, e0, lock)];
      seen.push(yield* ExInterlockedInsertHeadList(head, e1, lock));
      const two = recordsOf(head);
      seen.push(yield* ExInterlockedInsertTailList(head, e2, lock));
      return [seen.map((entry) => entry?.record), two, recordsOf(head), KeGetCurrentIrql()];
    });
    expect(value).toEqual([[undefined, 'e0', 'e0'], ['e1', 'e0'], ['e1', 'e0', 'e2'], 0]);
  });

  test('ex.list-003: entries are popped in the opposite order, at HIGH_LEVEL too', async () => {
    const { value } = await runGuest(function* (machine) {
      const head = new SListHeader<string>();
      const lock = machine.createSpinLock();
      const [e0, e1, e2] = ['e0', 'e1', 'e2'].map((name) => new SListEntry(name)) as [
        SListEntry<string>,
        SListEntry<string>,
        SListEntry<string>,
      ];
      const seen: unknown[] = [];
      const pop = function* () {
        seen.push((yield* ExInterlockedPopEntrySList(head, lock))?.record ?? null, head.Depth);
      };
      const push = function* (entry: SListEntry<string>) {
        const first = yield* ExInterlockedPushEntrySList(head, entry, lock);
        seen.push(first?.record ?? null, head.Depth);
      };
      KeRaiseIrql(15);
      yield* pop();
      for (const entry of [e0, e1]) yield* push(entry);
      for (let count = 0; count < 3; count++) yield* pop();
      for (const entry of [e0, e1]) yield* push(entry);
      yield* pop();
      for (const entry of [e1, e2]) yield* push(entry);
      const flushed = yield* ExInterlockedFlushSList(head);
      seen.push(flushed?.record, head.Depth, head.Next);
      yield* KeLowerIrql(0);
      return seen;
    });
    const first = [null, 0, null, 1, 'e0', 2, 'e1', 1, 'e0', 0, null, 0];
    expect(value).toEqual([...first, null, 1, 'e0', 2, 'e1', 1, 'e0', 2, 'e1', 3, 'e2', 0, null]);
  });

  test('ex.list-003: so are those of a list with a spin lock', async () => {
    const { value } = await runGuest(function* (machine) {
      const head = new SingleListEntry<string>();
      const lock = machine.createSpinLock();
      const [e0, e1] = [new SingleListEntry('e0'), new SingleListEntry('e1')];
      KeRaiseIrql(15);
      const seen = [yield* ExInterlockedPopEntryList(head, lock)];
      for (const entry of [e0, e1]) seen.push(yield* ExInterlockedPushEntryList(head, entry, lock));
      for (let count = 0; count < 3; count++)
        seen.push(yield* ExInterlockedPopEntryList(head, lock));
      const level = KeGetCurrentIrql();
      yield* KeLowerIrql(0);
      return [seen.map((entry) => entry?.record ?? null), level];
    });
    expect(value).toEqual([[null, null, 'e0', 'e1', 'e0', null], 15]);
  });

  test('ExInterlockedRemoveHeadList takes the first, and NULL from an empty list', async () => {
    const { value } = await runGuest(function* (machine) {
      const head = new ListEntry<string>();
      const lock = machine.createSpinLock();
      for (const name of ['a', 'b']) {
        yield* ExInterlockedInsertTailList(head, new ListEntry(name), lock);
      }
      const seen: unknown[] = [];
      for (let count = 0; count < 3; count++) {
        seen.push((yield* ExInterlockedRemoveHeadList(head, lock))?.record ?? null);
      }
      return [seen, IsListEmpty(head)];
    });
    expect(value).toEqual([['a', 'b', null], true]);
  });

  test('an operation on a sequenced list is one step of a DDI, one with a spin lock two', async () => {
    const { value } = await runGuest(function* (machine) {
      const lock = machine.createSpinLock();
      const head = new ListEntry();
      const sequenced = new SListHeader();
      const start = machine.now;
      yield* ExInterlockedPushEntrySList(sequenced, new SListEntry(), null);
      const pushed = machine.now;
      yield* ExInterlockedInsertHeadList(head, new ListEntry(), lock);
      return [pushed - start, machine.now - pushed];
    });
    expect(value).toEqual([200, 400]);
  });
});

describe('lists', () => {
  test('doubly linked: insertion and removal at both ends', async () => {
    const value = await callGuest(() => {
      const head = new ListEntry<string>();
      InsertTailList(head, new ListEntry('b'));
      InsertHeadList(head, new ListEntry('a'));
      const c = new ListEntry('c');
      InsertTailList(head, c);
      const all = recordsOf(head);
      const ends = [RemoveTailList(head).record, RemoveHeadList(head).record];
      const left = recordsOf(head);
      const last = RemoveEntryList(head.Flink);
      const empty = [IsListEmpty(head), RemoveHeadList(head) === head];
      InsertHeadList(head, c);
      InitializeListHead(head);
      return [all, ends, left, last, empty, IsListEmpty(head)];
    });
    expect(value).toEqual([['a', 'b', 'c'], ['c', 'a'], ['b'], true, [true, true], true]);
  });

  test('singly linked: last in, first out', async () => {
    const value = await callGuest(() => {
      const head = new SingleListEntry<string>();
      PushEntryList(head, new SingleListEntry('a'));
      PushEntryList(head, new SingleListEntry('b'));
      return [1, 2, 3].map(() => PopEntryList(head)?.record ?? null);
    });
    expect(value).toEqual(['b', 'a', null]);
  });

  test.each([
    ['an entry that is removed twice', (entry: ListEntry) => void RemoveEntryList(entry)],
    [
      'an insertion behind a head whose links are damaged',
      (_entry: ListEntry, head: ListEntry) => {
        head.Blink = new ListEntry();
        InsertTailList(head, new ListEntry());
      },
    ],
    [
      'an insertion in front of one',
      (_entry: ListEntry, head: ListEntry) => {
        head.Flink = new ListEntry();
        InsertHeadList(head, new ListEntry());
      },
    ],
  ])('%s is bugcheck KERNEL_SECURITY_CHECK_FAILURE', async (_what, damage) => {
    const machine = await Machine.create();
    machine.systemProcess.createThread(function* () {
      const head = new ListEntry();
      const [entry, other] = [new ListEntry(), new ListEntry()];
      InsertTailList(head, entry);
      InsertTailList(head, other);
      RemoveEntryList(entry);
      damage(entry, head);
      yield* KeLowerIrql(0);
    });
    expect(machine.run()).toMatchObject({
      name: 'KERNEL_SECURITY_CHECK_FAILURE',
      parameters: [3n, 0n, 0n, 0n],
    });
  });
});

describe('sequenced lists', () => {
  test('count their changes, and their entries modulo 2^16', async () => {
    const { value } = await runGuest(function* () {
      const head = new SListHeader();
      head.Depth = 0xffff;
      const entry = new SListEntry();
      yield* ExInterlockedPushEntrySList(head, entry, null);
      const wrapped = ExQueryDepthSList(head);
      yield* ExInterlockedPopEntrySList(head, null);
      yield* ExInterlockedPopEntrySList(head, null);
      yield* ExInterlockedPushEntrySList(head, entry, null);
      yield* ExInterlockedFlushSList(head);
      yield* ExInterlockedFlushSList(head);
      return [wrapped, head.Sequence, ExQueryDepthSList(head)];
    });
    expect(value).toEqual([0, 4, 0]);
  });

  test('a flush gives the whole chain, whose entries can be pushed again', async () => {
    const { value } = await runGuest(function* () {
      const head = new SListHeader<number>();
      for (let number = 0; number < 4; number++) {
        yield* ExInterlockedPushEntrySList(head, new SListEntry(number), null);
      }
      const chain: number[] = [];
      const first = yield* ExInterlockedFlushSList(head);
      for (let entry = first; entry !== null; entry = entry.Next) chain.push(entry.record ?? -1);
      const again = yield* ExInterlockedPushEntrySList(head, first as SListEntry<number>, null);
      ExInitializeSListHead(head);
      yield* ExInterlockedPushEntrySList(head, first as SListEntry<number>, null);
      return [chain, again, head.Depth];
    });
    expect(value).toEqual([[3, 2, 1, 0], null, 1]);
  });

  test('an entry that is in a list cannot be pushed', async () => {
    const machine = await Machine.create();
    machine.systemProcess.createThread(function* () {
      const entry = new SListEntry();
      yield* ExInterlockedPushEntrySList(new SListHeader(), entry, null);
      yield* ExInterlockedPushEntrySList(new SListHeader(), entry, null);
    });
    expect(machine.run()).toMatchObject({
      name: 'KERNEL_SECURITY_CHECK_FAILURE',
      parameters: [3n, 0n, 0n, 0n],
    });
  });

  test('ExQueryDepthSList above DISPATCH_LEVEL is a violation', async () => {
    await expect(
      runGuest(function* () {
        KeRaiseIrql(3);
        ExQueryDepthSList(new SListHeader());
        yield* KeLowerIrql(0);
      }),
    ).rejects.toThrow('ExQueryDepthSList was called at a device level (3)');
  });
});
