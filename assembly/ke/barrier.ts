import { PKOBJECT, PKPRCB } from '../hal';
import { KBARRIER } from '../shared/layout';
import { BARRIER } from '../shared/opcode';
import { KiReleaseFirstSpinner, KiSpin } from './spinlock';

/**
 * Barriers: where processors meet. Who comes early spins, as for a spin lock, and who comes last lets
 * all go on. As with DEFERRED_REVERSE_BARRIER the count's highest bit changes with each round.
 */

const ROUND: u32 = 0x80000000;

/** What BARRIER says; 1 for who comes last, else 0. */
export function KiMeetAtBarrier(prcb: PKPRCB, barrier: PKOBJECT, what: u32): u32 {
  const word = load<u32>(barrier, KBARRIER.Barrier);
  const round = word & ROUND;
  let left = word & ~ROUND;
  if (left == 0) return 0;
  if ((what & BARRIER.Arrive) != 0) left--;
  store<u32>(barrier, round | left, KBARRIER.Barrier);
  if (left != 0) {
    if ((what & BARRIER.Spin) != 0) KiSpin(prcb, barrier, 0);
    return 0;
  }
  if ((what & BARRIER.Again) != 0) {
    const total = load<u32>(barrier, KBARRIER.TotalProcessors);
    store<u32>(barrier, (round ^ ROUND) | total, KBARRIER.Barrier);
  }
  while (load<u32>(barrier, KBARRIER.Spinners) != 0) KiReleaseFirstSpinner(barrier);
  return 1;
}
