import { DriverUnloadError } from '../machine/driver';
import { waitingCircle } from '../machine/deadlock';
import { GoneError, VerifierError } from '../machine/errors';
import type { Machine } from '../machine/machine';
import { decodeRecord } from '../machine/records';
import type { DeadlockLink, RunResult } from '../machine/result';
import type { WatchedCall } from '../machine/watch';
import { THREAD } from './callback-calls';
import type { NewFinding } from './finding';
import { locate, locationOf, type SourceFrame } from './location';
import type { Places } from './places';
import type { Returned } from './routines';
import { ruleOfStop, type Stop } from './stops';

/** What the end of a run says of a driver: what the machine has stopped for, or who waits for ever. */

const driverIn = (stack: readonly string[]) =>
  stack.find((routine) => routine.includes('!'))?.split('!')[0];

/** A level that a thread routine has is its caller's: what it calls has to allow for APC_LEVEL. */
function ruleOf(result: Stop, failed: WatchedCall | undefined): string {
  if (result.cause instanceof GoneError) return 'CB-28';
  const rule = ruleOfStop(result);
  const atApcLevel = result.parameters[1] === 1n;
  return rule === 'IR-01' && atApcLevel && failed?.sort === THREAD ? 'CB-14' : rule;
}

/** Ns in which a thread stops the machine for what a routine has left when it returned. */
const AFTERMATH_NS = 100_000;

/** The routine that has just returned in the thread that the machine stopped in. */
function justReturned(result: Stop, last: Returned | undefined): WatchedCall | undefined {
  if (last === undefined || result.now - last.timeNs > AFTERMATH_NS) return undefined;
  const name = last.thread.exists ? last.thread.name : undefined;
  return name === result.thread || !last.thread.exists ? last.call : undefined;
}

/** What was thrown, behind the name of a bugcheck. */
function thrownIn(cause: unknown): string {
  if (cause === undefined) return '';
  return ` (${cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause)})`;
}

/**
 * The finding of a bugcheck. `last` is the routine that returned last, `failed` the callback that an
 * exception has left, `placeOf` where a routine was registered, or else a thread has called one last;
 * undefined if no driver had to do with it.
 */
export function findingOfStop(
  result: Stop,
  last: Returned | undefined,
  failed: WatchedCall | undefined,
  placeOf: Places['of'],
): NewFinding | undefined {
  const { cause, name, explanation, stack, lastRecords, now, thread = 'idle' } = result;
  const inside = stack.find((routine) => routine.includes('!'));
  const left = cause instanceof DriverUnloadError ? cause : undefined;
  const returned = inside === undefined ? justReturned(result, last) : undefined;
  const driver = left?.driver.name ?? driverIn(stack) ?? returned?.driver?.name;
  if (driver === undefined) return undefined;
  const hostStack = cause instanceof Error ? locate(cause) : [];
  const words = cause instanceof VerifierError ? `${name}: ${cause.message}` : undefined;
  const routine =
    returned === undefined
      ? inside && `routine ${inside}`
      : `${returned.sort} ${driver}!${returned.routine.name}`;
  return {
    rule: ruleOf(result, failed),
    message: left?.message ?? words ?? `${name}${thrownIn(cause)}: ${explanation}`,
    driver,
    ...(left !== undefined || routine === undefined ? {} : { routine }),
    thread,
    process: '',
    timeNs: now,
    ...locationOf(
      hostStack.length > 0
        ? hostStack
        : placeOf(left?.leftovers[0]?.routine ?? returned?.routine, thread),
    ),
    hostStack,
    stack,
    chain: [],
    lastRecords,
  };
}

const describeLink = ({ thread, waitsFor, ownedBy }: DeadlockLink) =>
  `thread '${thread}' waits for ${waitsFor}, which is for '${ownedBy}' to give`;

/** Who waits in a circle, when a run has ended; empty: nobody. */
export function circleOf(machine: Machine, result: RunResult): readonly DeadlockLink[] {
  if (result.reason === 'deadlock') return result.circle;
  return result.reason === 'bugcheck' ? [] : waitingCircle(machine);
}

/**
 * The finding of a circle of threads that wait for each other; `placeOf` is where one called last.
 * Undefined if the code of no driver is in it.
 */
export function findingOfCircle(
  machine: Machine,
  circle: readonly DeadlockLink[],
  placeOf: (thread: string) => readonly SourceFrame[],
): NewFinding | undefined {
  for (const { thread: name } of circle) {
    const thread = [...machine.allThreads()].find((each) => each.name === name);
    const stack = machine.guests.chainOf(thread?.index ?? 0).map(({ routine }) => routine);
    const driver = driverIn(stack);
    if (driver === undefined) continue;
    const inside = stack.find((routine) => routine.includes('!'));
    const last = machine.trace.last(16);
    const hostStack = placeOf(name);
    return {
      rule: 'LK-06',
      message: `waits in a circle of ${circle.length} thread${circle.length === 1 ? '' : 's'} that nobody can leave`,
      driver,
      routine: `routine ${inside}`,
      thread: name,
      process: thread?.process.name ?? '',
      timeNs: machine.now,
      ...locationOf(hostStack),
      hostStack,
      stack,
      chain: circle.map(describeLink),
      lastRecords: Array.from({ length: last.count }, (_, index) => decodeRecord(last, index)),
    };
  }
  return undefined;
}
