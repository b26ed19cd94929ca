import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  ExInterlockedInsertHeadList,
  ExInterlockedInsertTailList,
  ExInterlockedRemoveHeadList,
  ListEntry,
} from '../../src/ex/list';
import {
  ExInterlockedFlushSList,
  ExInterlockedPopEntrySList,
  ExInterlockedPushEntrySList,
  SListEntry,
  SListHeader,
} from '../../src/ex/slist';
import { KeStallExecutionProcessor } from '../../src/ke/ddi';
import { Machine } from '../../src/machine/machine';
import { check } from './check';

const FILE = 'test/property/lists.test.ts';

type Step<K extends string> = { readonly kind: K; readonly ns: number };

/** Two to four threads, each with what it does, and how long it computes before each. */
const plans = <K extends string>(...kinds: K[]) =>
  fc.array(
    fc.array(fc.record({ kind: fc.constantFrom(...kinds), ns: fc.integer({ min: 0, max: 3 }) }), {
      maxLength: 20,
    }),
    { minLength: 2, maxLength: 4 },
  );

/** Runs a thread a plan on as many processors; whatever they throw. */
async function runThreads<K extends string>(
  threads: readonly (readonly Step<K>[])[],
  body: (machine: Machine) => (step: Step<K>) => Generator<readonly number[], void, number>,
): Promise<void> {
  const machine = await Machine.create({ processors: threads.length });
  const act = body(machine);
  for (const [index, steps] of threads.entries()) {
    machine.systemProcess.createThread(
      function* () {
        for (const step of steps) {
          if (step.ns > 0) yield* KeStallExecutionProcessor(step.ns);
          yield* act(step);
        }
      },
      { affinity: 1n << BigInt(index) },
    );
  }
  const result = machine.run({ maxEvents: 100_000 });
  if (result.reason === 'bugcheck') throw result.cause ?? new Error(result.explanation);
  expect(result.reason).toBe('idle');
}

test('a sequenced list is a stack, whatever processors do to it at once', async () => {
  await check(FILE, plans('push', 'pop', 'flush'), 150, async (threads) => {
    const head = new SListHeader<number>();
    let stack: number[] = [];
    let last = 0;
    let changes = 0;
    await runThreads(
      threads,
      () =>
        function* ({ kind }) {
          // What a routine does happens as it is called; the model's step is at the same time.
          const top = stack.at(-1);
          if (kind === 'push') {
            last++;
            stack.push(last);
            changes++;
            const first = yield* ExInterlockedPushEntrySList(head, new SListEntry(last), null);
            expect(first?.record).toBe(top);
          } else if (kind === 'pop') {
            stack.pop();
            if (top !== undefined) changes++;
            expect((yield* ExInterlockedPopEntrySList(head, null))?.record).toBe(top);
          } else {
            const all = stack.toReversed();
            stack = [];
            if (top !== undefined) changes++;
            const chain: number[] = [];
            const flushed = yield* ExInterlockedFlushSList(head);
            for (let entry = flushed; entry !== null; entry = entry.Next)
              chain.push(entry.record ?? 0);
            expect(chain).toEqual(all);
          }
        },
    );
    expect([head.Depth, head.Sequence, head.Next?.record]).toEqual([
      stack.length,
      changes,
      stack.at(-1),
    ]);
  });
});

test('an interlocked list loses no entry, and its links match, whatever processors do at once', async () => {
  await check(FILE, plans('head', 'tail', 'remove'), 150, async (threads) => {
    const head = new ListEntry<number>();
    const inserted: number[] = [];
    const removed: number[] = [];
    await runThreads(threads, (machine) => {
      const lock = machine.createSpinLock();
      return function* ({ kind }) {
        if (kind === 'remove') {
          const entry = yield* ExInterlockedRemoveHeadList(head, lock);
          if (entry !== null) removed.push(entry.record as number);
          return;
        }
        const entry = new ListEntry(inserted.length);
        inserted.push(inserted.length);
        if (kind === 'head') yield* ExInterlockedInsertHeadList(head, entry, lock);
        else yield* ExInterlockedInsertTailList(head, entry, lock);
      };
    });
    const left: number[] = [];
    for (let entry = head.Flink; entry !== head; entry = entry.Flink) {
      expect([entry.Flink.Blink, entry.Blink.Flink]).toEqual([entry, entry]);
      left.push(entry.record as number);
    }
    expect([...left, ...removed].sort((a, b) => a - b)).toEqual(inserted);
  });
});

test('on one processor it is a queue with two ends', async () => {
  const steps = fc.array(fc.constantFrom('head', 'tail', 'remove'), { maxLength: 40 });
  await check(FILE, steps, 100, async (kinds) => {
    const head = new ListEntry<number>();
    const queue: number[] = [];
    const plan = kinds.map((kind) => ({ kind, ns: 0 }));
    await runThreads([plan], (machine) => {
      const lock = machine.createSpinLock();
      let last = 0;
      return function* ({ kind }) {
        if (kind === 'remove') {
          expect((yield* ExInterlockedRemoveHeadList(head, lock))?.record).toBe(queue.shift());
          return;
        }
        last++;
        const entry = new ListEntry(last);
        if (kind === 'head') {
          const first = yield* ExInterlockedInsertHeadList(head, entry, lock);
          expect(first?.record).toBe(queue[0]);
          queue.unshift(last);
        } else {
          const before = yield* ExInterlockedInsertTailList(head, entry, lock);
          expect(before?.record).toBe(queue.at(-1));
          queue.push(last);
        }
      };
    });
  });
});
