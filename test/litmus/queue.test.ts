import { describe, expect, test } from 'vitest';
import { STATUS } from '../../assembly/shared/status';
import { MODE } from '../../assembly/shared/types';
import { KeInsertQueue, KeRemoveQueue, KeRundownQueue } from '../../src/ke/queue';
import type { KQueue } from '../../src/machine/queue';
import { outcomes, type Stage, type Step, statusName } from './harness';
import { silent, states } from './steps';

const queueFor =
  (maximum: number) =>
  ({ machine }: Stage) => ({ queue: machine.createQueue(maximum) });

const insert = (queue: KQueue, entry: string): Step => silent(() => KeInsertQueue(queue, entry));

/** Its outcome is the entry, or the status in its place. */
const remove = (queue: KQueue, due: () => number | null = () => null): Step =>
  function* () {
    const { status, entry } = yield* KeRemoveQueue(queue, MODE.KernelMode, due());
    return status === STATUS.SUCCESS ? entry : statusName(status);
  };

/** Its outcome is the entries that were left. */
const rundown = (queue: KQueue): Step =>
  // biome-ignore lint/correctness/useYield: a step is a generator, and this routine is none.
  function* () {
    return KeRundownQueue(queue);
  };

describe('a queue', () => {
  test('gives each entry to one thread', async () => {
    const found = await outcomes({
      objects: queueFor(4),
      threads: ({ queue }) => ({
        A: [insert(queue, 'x'), insert(queue, 'y')],
        B: [remove(queue)],
        C: [remove(queue)],
      }),
      state: states,
    });
    expect(found).toEqual(['A | B x | C y | queue 0', 'A | B y | C x | queue 0']);
  });

  test('whose maximum is one lets the second thread on when the first waits again or ends', async () => {
    const found = await outcomes({
      objects: queueFor(1),
      threads: ({ queue }) => ({
        A: [insert(queue, 'x'), insert(queue, 'y')],
        B: [remove(queue), remove(queue)],
        C: [remove(queue)],
      }),
      state: states,
    });
    expect(found).toEqual([
      'A | B x y | C … | queue 0',
      'A | B x … | C y | queue 0',
      'A | B y … | C x | queue 0',
    ]);
  });

  test('keeps an entry for which a wait has timed out', async () => {
    const found = await outcomes({
      objects: queueFor(4),
      threads: ({ queue }, { until }) => ({
        A: [insert(queue, 'x')],
        B: [remove(queue, () => until('timeout'))],
      }),
      moments: ['timeout'],
      state: states,
    });
    expect(found).toEqual(['A | B TIMEOUT | queue 1', 'A | B x | queue 0']);
  });

  test('that is run down gives an entry to a thread or to KeRundownQueue, and waits end', async () => {
    const found = await outcomes({
      objects: queueFor(4),
      threads: ({ queue }) => ({
        A: [insert(queue, 'x')],
        B: [remove(queue)],
        C: [rundown(queue)],
      }),
      state: states,
    });
    expect(found).toEqual([
      'A | B ABANDONED | C [] | queue 1',
      'A | B ABANDONED | C [x] | queue 0',
      'A | B x | C [] | queue 0',
    ]);
  });
});
