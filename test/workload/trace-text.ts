/** Builders of single trace lines: `who` is COMM-PID, times are in microseconds. */
const stamp = (us: number): string => (us / 1e6).toFixed(6);

const line = (who: string, us: number, event: string, flags = 'd..2.', cpu = 0): string =>
  `  ${who} [${String(cpu).padStart(3, '0')}] ${flags} ${stamp(us)}: ${event}\n`;

const split = (who: string): [string, string] => {
  const dash = who.lastIndexOf('-');
  return [who.slice(0, dash), who.slice(dash + 1)];
};

export interface Where {
  readonly cpu?: number;
  readonly flags?: string;
}

export function switchTo(
  us: number,
  prev: string,
  state: string,
  next: string,
  where: Where = {},
): string {
  const [prevComm, prevPid] = split(prev);
  const [nextComm, nextPid] = split(next);
  const event = `sched_switch: prev_comm=${prevComm} prev_pid=${prevPid} prev_prio=120 prev_state=${state} ==> next_comm=${nextComm} next_pid=${nextPid} next_prio=120`;
  return line(prev, us, event, where.flags, where.cpu);
}

export function waking(us: number, waker: string, target: string, where: Where = {}): string {
  const [comm, pid] = split(target);
  return line(
    waker,
    us,
    `sched_waking: comm=${comm} pid=${pid} prio=120 target_cpu=000`,
    where.flags,
    where.cpu,
  );
}

export function wakeup(us: number, waker: string, target: string, where: Where = {}): string {
  return waking(us, waker, target, where).replace('sched_waking', 'sched_wakeup');
}

export function event(us: number, who: string, text: string, where: Where = {}): string {
  return line(who, us, text, where.flags, where.cpu);
}
