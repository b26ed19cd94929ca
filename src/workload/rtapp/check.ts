import { WorkloadError } from '../errors';
import {
  eventsOf,
  forkedTasks,
  type Phase,
  type Place,
  type Task,
  type Workload,
  type WorkloadEvent,
  type WorkloadNote,
} from './model';

/** What can be seen of a workload before it runs: what could never work, and what looks odd. */

function failIn(workload: Workload): (place: Place, problem: string, remedy: string) => never {
  return ({ line, column }, problem, remedy) => {
    throw new WorkloadError(workload.name, line, column, problem, remedy);
  };
}
type Fail = ReturnType<typeof failIn>;

/** The tasks that have a thread at some time. */
function runningTasks(workload: Workload): Set<Task> {
  const forked = forkedTasks(workload);
  return new Set(workload.tasks.filter(({ name, instances }) => instances > 0 || forked.has(name)));
}

/** How many threads meet at each barrier. */
export function barrierUsers(workload: Workload): Map<string, number> {
  const users = new Map<string, number>();
  for (const task of workload.tasks) {
    for (const event of eventsOf(task)) {
      if (event.kind === 'barrier') {
        users.set(event.name, (users.get(event.name) ?? 0) + task.instances);
      }
    }
  }
  return users;
}

function checkBarriers(workload: Workload, fail: Fail): void {
  const users = barrierUsers(workload);
  const forked = forkedTasks(workload);
  for (const task of workload.tasks) {
    const seen = new Set<string>();
    for (const event of eventsOf(task)) {
      if (event.kind !== 'barrier') continue;
      const what = `barrier "${event.name}"`;
      if (forked.has(task.name)) {
        fail(
          event.place,
          `${what} in task "${task.name}", which is forked: how many would meet is not known`,
          'take the barrier out, or start the threads with "instance"',
        );
      }
      if (seen.has(event.name)) {
        fail(
          event.place,
          `${what} stands twice in task "${task.name}": its thread would have to meet itself`,
          'give each place to meet a name of its own',
        );
      }
      seen.add(event.name);
      if ((users.get(event.name) ?? 0) === 1) {
        fail(
          event.place,
          `${what} has one user`,
          'a barrier takes two threads or more: name it in another task, or raise "instance"',
        );
      }
    }
  }
}

/** The pass in which a lock is held over the end of a loop is the second. */
const passes = (loop: number) => (loop === 1 ? 1 : 2);

/** Follows what a thread of the task holds, through two rounds of each loop. */
function checkLocks(task: Task, fail: Fail): void {
  const held = new Set<string>();
  const step = (event: WorkloadEvent): void => {
    if (event.kind === 'lock') {
      if (held.has(event.name)) {
        fail(
          event.place,
          `"lock" of "${event.name}", which task "${task.name}" holds: it would wait for itself for ever`,
          'unlock it first, in this round of the loop or in the one before',
        );
      }
      held.add(event.name);
    } else if (event.kind === 'unlock') {
      if (!held.delete(event.name)) {
        fail(
          event.place,
          `"unlock" of "${event.name}", which task "${task.name}" does not hold`,
          'lock it first, in every round of the loop',
        );
      }
    } else if (event.kind === 'wait' && !held.has(event.mutex)) {
      fail(
        event.place,
        `"wait" with the mutex "${event.mutex}", which task "${task.name}" does not hold`,
        'lock it first: the wait releases it and takes it again',
      );
    }
  };
  for (let round = 0; round < passes(task.loop); round++) {
    for (const phase of task.phases) {
      for (let pass = 0; pass < passes(phase.loop); pass++) phase.events.forEach(step);
    }
  }
}

/** Each costs a level of recursion. */
const MAX_FORK_DEPTH = 1000;

/**
 * The names of all tasks, each behind those that it forks.
 *
 * @throws WorkloadError for a fork of what is no task, or that comes back to its own task.
 */
export function forkOrder(workload: Workload): string[] {
  const fail: Fail = failIn(workload);
  const byName = new Map(workload.tasks.map((task) => [task.name, task]));
  const finished = new Set<string>();
  const open = new Set<string>();
  const visit = (task: Task): void => {
    if (finished.has(task.name)) return;
    open.add(task.name);
    for (const event of eventsOf(task)) {
      if (event.kind !== 'fork') continue;
      const forked = byName.get(event.name);
      if (forked === undefined) {
        fail(
          event.place,
          `"fork" of "${event.name}", which is no task`,
          `the tasks are ${[...byName.keys()].slice(0, 20).join(', ')}`,
        );
      }
      if (open.has(forked.name)) {
        fail(
          event.place,
          `task "${forked.name}" forks itself, in its own events or through others: there would be no end of threads`,
          'let the fork name a task that does not come back to this one',
        );
      }
      if (open.size === MAX_FORK_DEPTH) {
        fail(
          event.place,
          `more than ${MAX_FORK_DEPTH} tasks that fork each other in a row`,
          'let one task fork several others',
        );
      }
      visit(forked);
    }
    open.delete(task.name);
    finished.add(task.name);
  };
  for (const task of workload.tasks) visit(task);
  return [...finished];
}

/** Whether a thread goes through the events without a step. */
export function takesNoStep(events: readonly WorkloadEvent[]): boolean {
  return events.every(
    (event) =>
      (event.kind === 'run' && event.ns === 0) || (event.kind === 'timer' && event.periodNs === 0),
  );
}

/** Whether a thread goes through the phase without a step. */
export function isEmpty({ cpus, linuxPriority, events }: Phase): boolean {
  return cpus === undefined && linuxPriority === undefined && takesNoStep(events);
}

function checkLoops(workload: Workload, task: Task, fail: Fail): void {
  const forEver = task.phases.findIndex(({ loop }) => loop === -1);
  const after = forEver < 0 ? undefined : task.phases[forEver + 1];
  if (after !== undefined) {
    fail(
      after.place,
      `phase "${after.name}" of task "${task.name}" is never reached: the one before it loops for ever`,
      'give that one a number of loops',
    );
  }
  if (task.loop !== -1 && forEver < 0) return;
  const idle = forEver < 0 ? task.phases.every(isEmpty) : isEmpty(task.phases[forEver] as Phase);
  if (idle) {
    fail(
      task.place,
      `task "${task.name}" does nothing, for ever`,
      'give it an event that takes time, or a number of loops',
    );
  }
  if (workload.durationNs === undefined) {
    fail(
      task.place,
      `task "${task.name}" loops for ever, and the workload has no duration`,
      'give "duration" in "global" in seconds, or the task a number of loops',
    );
  }
}

/** The events of these kinds in tasks that run, by name; the first of each. */
function firstByName(
  tasks: ReadonlySet<Task>,
  kinds: readonly WorkloadEvent['kind'][],
): Map<string, WorkloadEvent> {
  const found = new Map<string, WorkloadEvent>();
  for (const task of tasks) {
    for (const event of eventsOf(task)) {
      if (!kinds.includes(event.kind) || !('name' in event)) continue;
      if (!found.has(event.name)) found.set(event.name, event);
    }
  }
  return found;
}

function oddities(workload: Workload, running: ReadonlySet<Task>): WorkloadNote[] {
  const notes: WorkloadNote[] = [];
  const compare = (
    what: string,
    waits: ReadonlyMap<string, WorkloadEvent>,
    wakes: ReadonlyMap<string, WorkloadEvent>,
  ) => {
    for (const [name, { kind, place }] of waits) {
      if (!wakes.has(name)) {
        notes.push({ place, text: `"${kind}" on ${what} "${name}" that nobody ever wakes` });
      }
    }
    for (const [name, { kind, place }] of wakes) {
      if (!waits.has(name)) {
        notes.push({ place, text: `"${kind}" of ${what} "${name}" that nobody waits for` });
      }
    }
  };
  compare('condition', firstByName(running, ['wait']), firstByName(running, ['signal', 'broad']));
  compare('the name', firstByName(running, ['suspend']), firstByName(running, ['resume']));
  for (const task of workload.tasks) {
    if (running.has(task)) continue;
    const text = `task "${task.name}" has no thread: its "instance" is 0 and nobody forks it`;
    notes.push({ place: task.place, text });
  }
  return notes;
}

/**
 * Checks what can be seen of a workload before it runs.
 *
 * @returns what is no error, and looks as if something else was meant.
 * @throws WorkloadError for what could only hang: a barrier with one user, an unlock without a lock,
 *   a mutex locked twice, a task that forks itself, no end.
 */
export function checkWorkload(workload: Workload): WorkloadNote[] {
  const fail: Fail = failIn(workload);
  const running = runningTasks(workload);
  forkOrder(workload);
  checkBarriers(workload, fail);
  for (const task of workload.tasks) checkLocks(task, fail);
  for (const task of running) checkLoops(workload, task, fail);
  if (workload.tasks.every(({ instances }) => instances === 0)) {
    const place = workload.tasks[0]?.place ?? { line: 0, column: 0 };
    fail(place, 'no task has a thread to begin with', 'give one an "instance" of 1 or more');
  }
  return oddities(workload, running);
}
