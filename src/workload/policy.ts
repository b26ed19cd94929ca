import type { ProfileOptions } from '../machine/profile';

/** Scheduling policies: NT's own, and two baselines on NT's queues without priorities and boosts. */
export type Policy = 'nt' | 'fifo' | 'rr';

/** The two baselines give every thread this level. */
export const BASELINE_PRIORITY = 8;

export const POLICIES: Readonly<Record<Policy, ProfileOptions>> = {
  nt: {},
  fifo: { quantumUnits: 'infinite', boosts: false, starvationNs: 0 },
  rr: { quantumUnits: 6, boosts: false, starvationNs: 0 },
};

/**
 * NT's priority for a Linux one: nice 0 is 8, nice -20 is 15, nice 19 is 1; real-time priorities
 * 1-99 spread over 16-31. Our choice: no document maps the two.
 */
export function mapPriority(linuxPriority: number): number {
  if (linuxPriority < 100)
    return 16 + Math.min(15, Math.floor(((98 - Math.max(0, linuxPriority)) * 16) / 99));
  return Math.max(1, Math.min(15, 8 - Math.round(((linuxPriority - 120) * 7) / 20)));
}
