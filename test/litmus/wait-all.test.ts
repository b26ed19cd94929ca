import { describe, expect, test } from 'vitest';
import { outcomes, type Stage } from './harness';
import { pulse, release, releaseMutant, reset, set, states, wait, waitAll, waitAny } from './steps';

const twoEvents = ({ machine }: Stage) => ({
  first: machine.createEvent('synchronization'),
  second: machine.createEvent('synchronization'),
});

describe('a wait for all', () => {
  test('takes both objects at once or neither: another wait for one of them may win, not share', async () => {
    const found = await outcomes({
      objects: twoEvents,
      threads: ({ first, second }) => ({
        A: [set(first)],
        B: [set(second)],
        C: [waitAll([first, second])],
        D: [wait(first)],
      }),
      state: states,
    });
    expect(found).toEqual([
      'A | B | C SUCCESS | D … | first 0 second 0',
      'A | B | C … | D SUCCESS | first 0 second 1',
    ]);
  });

  test('of two that overlap one takes all of its objects, the other none', async () => {
    const found = await outcomes({
      objects: ({ machine }) => ({
        left: machine.createEvent('synchronization'),
        middle: machine.createEvent('synchronization'),
        right: machine.createEvent('synchronization'),
      }),
      threads: ({ left, middle, right }) => ({
        A: [set(left), set(middle), set(right)],
        B: [waitAll([left, middle])],
        C: [waitAll([right, middle])],
      }),
      state: states,
    });
    expect(found).toEqual([
      'A | B SUCCESS | C … | left 0 middle 0 right 1',
      'A | B … | C SUCCESS | left 1 middle 0 right 0',
    ]);
  });

  test('that times out has taken nothing', async () => {
    const found = await outcomes({
      objects: twoEvents,
      threads: ({ first, second }, { until }) => ({
        A: [set(first)],
        B: [set(second)],
        C: [waitAll([first, second], () => until('timeout'))],
      }),
      moments: ['timeout'],
      state: states,
    });
    expect(found).toEqual([
      'A | B | C SUCCESS | first 0 second 0',
      'A | B | C TIMEOUT | first 1 second 1',
    ]);
  });

  test('does not keep a signal that is taken back before the other comes', async () => {
    const found = await outcomes({
      objects: twoEvents,
      threads: ({ first, second }) => ({
        A: [set(first), reset(first)],
        B: [set(second)],
        C: [waitAll([first, second])],
      }),
      state: states,
    });
    expect(found).toEqual([
      'A | B | C SUCCESS | first 0 second 0',
      'A | B | C … | first 0 second 1',
    ]);
  });

  test('ends by a pulse only if the other object is signaled then', async () => {
    const found = await outcomes({
      objects: twoEvents,
      threads: ({ first, second }) => ({
        A: [pulse(first)],
        B: [set(second)],
        C: [waitAll([first, second])],
      }),
      state: states,
    });
    expect(found).toEqual([
      'A | B | C SUCCESS | first 0 second 0',
      'A | B | C … | first 0 second 1',
    ]);
  });

  test('of a semaphore and a mutant takes a count with the mutant, and none without', async () => {
    const found = await outcomes({
      objects: ({ machine }) => ({
        semaphore: machine.createSemaphore(0, 9),
        mutant: machine.createMutant(),
      }),
      threads: ({ semaphore, mutant }) => ({
        A: [wait(mutant), release(semaphore), releaseMutant(mutant)],
        B: [waitAll([semaphore, mutant]), releaseMutant(mutant)],
        C: [wait(semaphore)],
      }),
      state: states,
    });
    expect(found).toEqual([
      'A SUCCESS | B SUCCESS | C … | semaphore 0 mutant 1',
      'A SUCCESS | B … | C SUCCESS | semaphore 0 mutant 1',
    ]);
  });

  test('and one for any share a signal by who came first', async () => {
    const found = await outcomes({
      objects: twoEvents,
      threads: ({ first, second }) => ({
        A: [set(first), set(second)],
        B: [waitAll([first, second])],
        C: [waitAny([first, second])],
      }),
      state: states,
    });
    expect(found).toEqual([
      'A | B SUCCESS | C … | first 0 second 0',
      'A | B … | C SUCCESS | first 0 second 1',
    ]);
  });
});

describe('philosophers', () => {
  test('that take both forks in one wait never deadlock', async () => {
    const found = await outcomes({
      objects: ({ machine }) => ({
        one: machine.createSemaphore(1, 1),
        two: machine.createSemaphore(1, 1),
        three: machine.createSemaphore(1, 1),
      }),
      threads: ({ one, two, three }) => ({
        A: [waitAll([one, two]), release(one), release(two)],
        B: [waitAll([two, three]), release(two), release(three)],
        C: [waitAll([three, one]), release(three), release(one)],
      }),
      state: states,
    });
    expect(found).toEqual(['A SUCCESS | B SUCCESS | C SUCCESS | one 1 two 1 three 1']);
  });

  test('that take one fork after the other may deadlock', async () => {
    const found = await outcomes({
      objects: ({ machine }) => ({
        one: machine.createMutant(),
        two: machine.createMutant(),
      }),
      threads: ({ one, two }) => ({
        A: [wait(one), wait(two), releaseMutant(two), releaseMutant(one)],
        B: [wait(two), wait(one), releaseMutant(one), releaseMutant(two)],
      }),
      state: states,
    });
    expect(found).toEqual([
      'A SUCCESS SUCCESS | B SUCCESS SUCCESS | one 1 two 1',
      'A SUCCESS … | B SUCCESS … | one 0 two 0',
    ]);
  });
});
