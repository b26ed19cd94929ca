import { expect, test } from 'vitest';
import type { KMutant } from '../../src/machine/views';
import { outcomes, type Stage } from './harness';
import { releaseMutant, set, states, wait, waitAll, waitAny } from './steps';

const oneMutant = ({ machine }: Stage) => ({ mutant: machine.createMutant() });
const owned = ({ mutant }: { readonly mutant: KMutant }) =>
  `mutant ${mutant.signalState}${mutant.abandoned ? ' abandoned' : ''}`;

test('KeReleaseMutant hands a mutant to one thread at a time', async () => {
  const found = await outcomes({
    objects: oneMutant,
    threads: ({ mutant }) => ({
      A: [wait(mutant), releaseMutant(mutant)],
      B: [wait(mutant), releaseMutant(mutant)],
      C: [wait(mutant), releaseMutant(mutant)],
    }),
    state: owned,
  });
  expect(found).toEqual(['A SUCCESS | B SUCCESS | C SUCCESS | mutant 1']);
});

test('a thread that ends with a mutant abandons it to the next, and to that one alone', async () => {
  const found = await outcomes({
    objects: oneMutant,
    threads: ({ mutant }) => ({
      A: [wait(mutant)],
      B: [wait(mutant), releaseMutant(mutant)],
      C: [wait(mutant), releaseMutant(mutant)],
    }),
    state: owned,
  });
  expect(found).toEqual([
    'A SUCCESS | B ABANDONED | C SUCCESS | mutant 1',
    'A SUCCESS | B SUCCESS | C ABANDONED | mutant 1',
    'A SUCCESS | B SUCCESS | C SUCCESS | mutant 1 abandoned',
  ]);
});

test('of threads that all end with it, each but the first gets an abandoned mutant', async () => {
  const found = await outcomes({
    objects: oneMutant,
    threads: ({ mutant }) => ({ A: [wait(mutant)], B: [wait(mutant)], C: [wait(mutant)] }),
    state: owned,
  });
  expect(found).toEqual([
    'A ABANDONED | B ABANDONED | C SUCCESS | mutant 1 abandoned',
    'A ABANDONED | B SUCCESS | C ABANDONED | mutant 1 abandoned',
    'A SUCCESS | B ABANDONED | C ABANDONED | mutant 1 abandoned',
  ]);
});

test('a wait with a timeout gets an abandoned mutant or leaves it', async () => {
  const found = await outcomes({
    objects: oneMutant,
    threads: ({ mutant }, { until }) => ({
      A: [wait(mutant), function* () {}],
      B: [wait(mutant, () => until('timeout'))],
    }),
    moments: ['timeout'],
    state: owned,
  });
  expect(found).toEqual([
    'A ABANDONED | B SUCCESS | mutant 1 abandoned',
    'A SUCCESS | B ABANDONED | mutant 1 abandoned',
    'A SUCCESS | B TIMEOUT | mutant 1 abandoned',
  ]);
});

test('a wait for all with an abandoned mutant is STATUS_ABANDONED, once the rest is there', async () => {
  const found = await outcomes({
    objects: ({ machine }) => ({
      mutant: machine.createMutant(),
      event: machine.createEvent('synchronization'),
    }),
    threads: ({ mutant, event }) => ({
      A: [wait(mutant)],
      B: [set(event)],
      C: [waitAll([event, mutant]), releaseMutant(mutant)],
    }),
    state: states,
  });
  expect(found).toEqual([
    'A SUCCESS | B | C ABANDONED | mutant 1 event 0',
    'A SUCCESS | B | C SUCCESS | mutant 1 event 0',
  ]);
});

test('a wait for any with an abandoned mutant says which and that', async () => {
  const found = await outcomes({
    objects: ({ machine }) => ({
      event: machine.createEvent('synchronization'),
      mutant: machine.createMutant(),
    }),
    threads: ({ mutant, event }) => ({
      A: [wait(mutant), function* () {}],
      B: [set(event)],
      C: [waitAny([event, mutant])],
    }),
    state: states,
  });
  expect(found).toEqual([
    'A ABANDONED | B | C 0x1 | event 1 mutant 1',
    'A SUCCESS | B | C 0x81 | event 1 mutant 1',
    'A SUCCESS | B | C SUCCESS | event 0 mutant 1',
  ]);
});

test('an owner that waits again is not blocked; who comes in between is, until the last release', async () => {
  const found = await outcomes({
    objects: oneMutant,
    threads: ({ mutant }) => ({
      A: [wait(mutant), wait(mutant), releaseMutant(mutant), releaseMutant(mutant)],
      B: [wait(mutant, 0)],
      C: [wait(mutant), releaseMutant(mutant)],
    }),
    state: owned,
  });
  expect(found).toEqual([
    'A ABANDONED SUCCESS | B SUCCESS | C SUCCESS | mutant 1',
    'A SUCCESS SUCCESS | B SUCCESS | C ABANDONED | mutant 1',
    'A SUCCESS SUCCESS | B SUCCESS | C SUCCESS | mutant 1 abandoned',
    'A SUCCESS SUCCESS | B TIMEOUT | C SUCCESS | mutant 1',
  ]);
});

test('KeReleaseMutant by who does not own it raises, and changes nothing', async () => {
  const found = await outcomes({
    objects: oneMutant,
    threads: ({ mutant }) => ({
      A: [wait(mutant), releaseMutant(mutant)],
      B: [releaseMutant(mutant)],
    }),
    state: owned,
  });
  expect(found).toEqual(['A SUCCESS | B MUTANT_NOT_OWNED | mutant 1']);
});
