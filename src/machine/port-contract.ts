import { PORT_STOP } from '../../assembly/shared/types';

/** What is wrong with what a run came to; undefined: nothing. */
export function complaintOf(
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
