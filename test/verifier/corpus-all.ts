import { PAIRS } from './corpus';
import { CALLBACKS } from './corpus-callbacks';
import { GENERAL } from './corpus-general';
import { LEFTOVERS } from './corpus-leftovers';
import { MORE } from './corpus-more';
import { ORDER } from './corpus-order';
import { RETURNS } from './corpus-returns';
import { WAITS } from './corpus-waits';
import type { Pair } from './drivers';

/** Every small driver that breaks a rule, with its twin that keeps it. */
export const CORPUS: readonly Pair[] = [
  ...PAIRS,
  ...ORDER,
  ...CALLBACKS,
  ...MORE,
  ...GENERAL,
  ...LEFTOVERS,
  ...WAITS,
  ...RETURNS,
];

/** The first driver that breaks a rule. */
export function badDriverOf(rule: string): ReturnType<Pair['bad']> {
  return (CORPUS.find((pair) => pair.rule === rule) as Pair).bad();
}
