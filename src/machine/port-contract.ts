import { KFLIGHT, PORT_CONTEXT } from '../../assembly/shared/layout';
import { PORT_STOP } from '../../assembly/shared/types';
import type { PortCore } from './port';

/** What is wrong with what a run came to; undefined: nothing. */
function complaintOf(
  used: number,
  budget: number,
  reason: number,
  number: number,
  ordered: number,
): string | undefined {
  if (!Number.isInteger(used) || used < 0 || used > budget)
    return `it used ${used} ns of a budget of ${budget} ns; it must use 0 up to the budget`;
  if (reason > PORT_STOP.Order) return `it stopped for reason ${reason}; give one of PORT_STOP`;
  if (reason === PORT_STOP.SystemCall && number > 0xffff)
    return `it gave system call ${number}; give an integer from 0 to 65535`;
  if (used === 0 && reason === PORT_STOP.Budget)
    return `it used nothing of a budget of ${budget} ns and did not say why it stopped`;
  if (used === 0 && reason === PORT_STOP.Order && ordered === 1)
    return 'it stopped before an instruction that others observe, in a run that may begin with one';
  return undefined;
}

/**
 * Runs the guest in flight whose row is at `flight`, by its port, for at most `budget` ns; the ns that it
 * used. Throws what the port throws, or what is wrong with what it did.
 */
export function runGuest(
  words: Uint32Array,
  flight: number,
  ports: readonly PortCore[],
  budget: number,
): number {
  const word = (address: number) => words[address >>> 2] as number;
  const context = word(flight + KFLIGHT.Context);
  const ordered = word(flight + KFLIGHT.Ordered);
  const port = ports[word(context + PORT_CONTEXT.Port)] as PortCore;
  const used = port.run(context, budget, ordered);
  const reason = word(context + PORT_CONTEXT.Reason);
  const number = word(context + PORT_CONTEXT.Number);
  const complaint = complaintOf(used, budget, reason, number, ordered);
  if (complaint !== undefined) throw new Error(complaint);
  return used;
}
