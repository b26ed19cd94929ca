import { describe, expect, test } from 'vitest';
import { beginsMs, endsMs, levelsOf, processorsOf, run, runText } from './run';

const figuresOf = ({ report }: Awaited<ReturnType<typeof run>>) =>
  report.threads.map(({ name, figures }) => [name, Math.floor(figures.runNs / 1e6)]);

describe('loops and time', () => {
  test('a task runs its phases as often as their loops and its own say', async () => {
    const ran = await run({
      t: { loop: 3, phases: { a: { loop: 2, run: 5000 }, b: { run: 1000 } } },
    });
    expect(figuresOf(ran)).toEqual([['t-0', 33]]);
    expect(ran.report).toMatchObject({ stopped: 'idle', waiting: [] });
  });

  test('the duration ends everything, and the report is up to then', async () => {
    const ran = await run({ t: { run: 1000, sleep: 1000 } }, {}, { duration: 1 });
    expect(ran.report).toMatchObject({ stopped: 'time', endNs: 1e9, waiting: [] });
    expect(ran.report.threads[0]?.ended).toBe(false);
  });

  test('a delay comes before the first phase', async () => {
    const ran = await run({ t: { loop: 1, delay: 30_000, run: 1000 } });
    expect(beginsMs(ran, 0)).toEqual([0, 30]);
    expect(endsMs(ran)).toEqual([31]);
  });

  test('a sleep ends at the first clock tick at or after its time', async () => {
    const tasks = { t: { loop: 1, sleep: 1000, run: 1000 } };
    expect(endsMs(await run(tasks, { timerResolutionNs: 15_625_000 }))).toEqual([16]);
    expect(endsMs(await run(tasks))).toEqual([2]);
  });

  test('a calibration of p ns makes a run whole loops of p ns, and leaves a runtime as it is', async () => {
    const tasks = (event: string) => ({ t: { loop: 1, [event]: 1 } });
    const runNs = async (event: string, calibration: number) =>
      (await run(tasks(event), {}, { calibration })).report.overall.runNs;
    const loops = (await runNs('run', 300)) - (await runNs('run', 100));
    const whole = (await runNs('runtime', 300)) - (await runNs('runtime', 100));
    expect([loops, whole]).toEqual([-100, 0]);
  });

  test('a run of nothing takes no time, whatever loops around it', async () => {
    const ran = await run({ t: { loop: 1_000_000_000, phases: { p: { loop: 1000, run: 0 } } } });
    expect(ran.report.stopped).toBe('idle');
    expect(ran.report.endNs).toBeLessThan(10_000);
  });

  test('a yield gives way to another thread of the same level', async () => {
    const ran = await run(
      { a: { loop: 1, run: 2000, yield: '', run1: 3000 }, b: { loop: 1, run: 1000 } },
      { processors: 1 },
    );
    expect(endsMs(ran)).toEqual([6, 3]);
  });
});

describe('mutexes', () => {
  test('a locked mutex keeps a second task waiting until it is unlocked', async () => {
    const ran = await run({
      a: { loop: 1, lock: 'm', run: 5000, unlock: 'm', run1: 5000 },
      b: { loop: 1, lock: 'm', run: 3000, unlock: 'm' },
    });
    expect(endsMs(ran)).toEqual([10, 8]);
  });

  test('those that wait for a mutex get it in the order in which they came', async () => {
    const waiter = (delay: number) => ({ loop: 1, delay, lock: 'm', run: 1000, unlock: 'm' });
    const ran = await run({
      holder: { loop: 1, lock: 'm', run: 20_000, unlock: 'm' },
      third: waiter(6000),
      first: waiter(2000),
      second: waiter(4000),
    });
    expect(endsMs(ran)).toEqual([20, 23, 21, 22]);
  });

  test('two tasks that lock two mutexes in opposite order wait for ever, and the report says for what', async () => {
    const ran = await run({
      a: { loop: 1, lock: 'x', run: 2000, lock1: 'y' },
      b: { loop: 1, lock: 'y', run: 2000, lock1: 'x' },
    });
    expect(ran.report).toMatchObject({
      stopped: 'idle',
      waiting: [
        { name: 'a-0', waitsFor: 'mutex "y"' },
        { name: 'b-1', waitsFor: 'mutex "x"' },
      ],
    });
  });
});

describe('conditions', () => {
  const waiter = { loop: 1, lock: 'm', wait: { ref: 'c', mutex: 'm' }, run: 1000, unlock: 'm' };

  test('a signal wakes the thread that has waited longest, which then takes the mutex again', async () => {
    const ran = await run({
      late: { ...waiter, delay: 4000 },
      early: { ...waiter, delay: 2000 },
      waker: { loop: 1, delay: 10_000, lock: 'm', signal: 'c', run: 3000, unlock: 'm' },
    });
    expect(endsMs(ran)).toEqual([-1, 14, 13]);
    expect(ran.report.waiting).toEqual([{ name: 'late-0', waitsFor: 'condition "c"' }]);
  });

  test('a signal that nobody waits for is lost', async () => {
    const ran = await run({
      late: { ...waiter, delay: 10_000 },
      waker: { loop: 1, signal: 'c' },
    });
    expect(ran.report.waiting).toEqual([{ name: 'late-0', waitsFor: 'condition "c"' }]);
  });

  test('a broad wakes all that wait, and the mutex lets them through one by one', async () => {
    const ran = await run({
      w: { ...waiter, instance: 3 },
      waker: { loop: 1, delay: 5000, broad: 'c' },
    });
    expect(endsMs(ran)).toEqual([6, 7, 8, 5]);
    expect(ran.report.waiting).toEqual([]);
  });

  test.each([
    ['locks around it', { lock: 'm', sync: { ref: 'c', mutex: 'm' }, unlock: 'm' }],
    ['a lock of its own', { sync: { ref: 'c', mutex: 'm' } }],
  ])('two tasks take turns by sync, with %s', async (_, sync) => {
    const ran = await run({
      a: { loop: 3, run: 1000, ...sync },
      b: { loop: 3, delay: 500, run: 2000, ...sync },
    });
    expect(figuresOf(ran)).toEqual([
      ['a-0', 3],
      ['b-1', 6],
    ]);
    expect(ran.report.waiting).toEqual([{ name: 'b-1', waitsFor: 'condition "c"' }]);
  });

  test('a wait is queued the moment the mutex is free: a higher thread that signals then finds it', async () => {
    const ran = await run(
      {
        low: { loop: 1, lock: 'm', run: 5000, wait: { ref: 'c', mutex: 'm' }, unlock: 'm' },
        high: { loop: 1, priority: -20, delay: 1000, lock: 'm', signal: 'c', unlock: 'm' },
      },
      { processors: 1 },
    );
    expect(ran.report).toMatchObject({ stopped: 'idle', waiting: [] });
  });
});

describe('barriers', () => {
  test('three threads at a barrier go on together when the last has come', async () => {
    const ran = await run({
      a: { loop: 1, run: 1000, barrier: 'b', run1: 1000 },
      b: { loop: 1, run: 2000, barrier: 'b', run1: 1000 },
      c: { loop: 1, run: 5000, barrier: 'b', run1: 1000 },
    });
    expect(endsMs(ran)).toEqual([6, 6, 6]);
  });

  test('instances of a task each count as a user', async () => {
    const ran = await run({
      a: { instance: 3, loop: 1, barrier: 'b', run1: 1000 },
      b: { loop: 1, run: 4000, barrier: 'b' },
    });
    expect(endsMs(ran)).toEqual([5, 5, 5, 4]);
  });

  test('a fast thread that comes back to the barrier does not take the place of a slow one', async () => {
    const ran = await run(
      {
        fast: { loop: 200, barrier: 'b' },
        slow: { loop: 200, priority: 10, run: 700, barrier: 'b' },
        middle: { instance: 2, loop: 200, run: 100, barrier: 'b' },
      },
      { processors: 2 },
    );
    expect(ran.report).toMatchObject({ stopped: 'idle', waiting: [] });
    expect(figuresOf(ran).map(([, ms]) => ms)).toEqual([0, 140, 20, 20]);
  });

  test('a thread that meets less often than the others leaves them waiting, by name', async () => {
    const ran = await run({ a: { loop: 2, barrier: 'b' }, c: { loop: 1, barrier: 'b' } });
    expect(ran.report.waiting).toEqual([{ name: 'a-0', waitsFor: 'barrier "b"' }]);
  });
});

describe('suspend and resume', () => {
  test('a resume lets all go on that are suspended under the name, and is lost to those that come later', async () => {
    const suspended = (delay: number) => ({ loop: 1, delay, suspend: 'gate', run: 1000 });
    const ran = await run({
      a: suspended(0),
      b: suspended(2000),
      late: suspended(8000),
      waker: { loop: 1, delay: 5000, resume: 'gate' },
    });
    expect(endsMs(ran)).toEqual([6, 6, -1, 5]);
    expect(ran.report.waiting).toEqual([{ name: 'late-2', waitsFor: 'resume of "gate"' }]);
  });

  test('a suspend without a name is on the task’s own', async () => {
    const ran = await runText(`{ "tasks": {
      "sleeper": { "loop": 1, "suspend", "run": 1000 },
      "waker": { "loop": 1, "delay": 4000, "resume": "sleeper" }
    } }`);
    expect(endsMs(ran)).toEqual([5, 4]);
  });
});

describe('timers', () => {
  const overrun = (mode: string) => {
    const timer = { ref: 'unique', period: 20_000, mode };
    const phase = (loop: number, run: number) => ({ loop, run, timer });
    return {
      t: { loop: 1, phases: { a: phase(2, 10_000), b: phase(1, 33_000), c: phase(3, 10_000) } },
    };
  };

  test('a relative timer counts from where its thread began, and anew from where it was missed', async () => {
    expect(beginsMs(await run(overrun('relative')), 0)).toEqual([0, 20, 40, 94, 114, 134]);
  });

  test('an absolute timer keeps to the times of its start and catches up', async () => {
    expect(beginsMs(await run(overrun('absolute')), 0)).toEqual([0, 20, 40, 100, 120]);
  });

  test('a timer is not moved by a delay of the run before it, as a sleep is', async () => {
    const rival = { loop: 1, priority: -20, delay: 5000, run: 7000 };
    const periodic = { loop: 3, run: 10_000 };
    const timer = { ...periodic, timer: { ref: 'unique', period: 30_000 } };
    const sleep = { ...periodic, sleep: 20_000 };
    const alone = { processors: 1 };
    expect(beginsMs(await run({ timer, rival }, alone), 0)).toEqual([0, 12, 30, 60, 90]);
    expect(beginsMs(await run({ sleep, rival }, alone), 0)).toEqual([0, 12, 37, 68, 98]);
  });

  test('instances have a unique timer each, and share any other', async () => {
    const tasks = (ref: string) => ({
      t: { instance: 2, loop: 2, run: 1000, timer: { ref, period: 10_000 } },
    });
    const unique = await run(tasks('unique_a'));
    expect([beginsMs(unique, 0), beginsMs(unique, 1)]).toEqual([
      [0, 10, 20],
      [0, 10, 20],
    ]);
    const shared = await run(tasks('tick'));
    expect([beginsMs(shared, 0), beginsMs(shared, 1)]).toEqual([
      [0, 10, 30],
      [0, 20, 40],
    ]);
  });

  test('a task has as many timers as it names', async () => {
    const phase = (ref: string, period: number) => ({
      loop: 2,
      run: 1000,
      timer: { ref, period, mode: 'absolute' },
    });
    const phases = {
      a: phase('uniqueA', 10_000),
      b: phase('uniqueB', 30_000),
      c: phase('uniqueC', 50_000),
      d: phase('uniqueD', 70_000),
    };
    const ran = await run({ t: { instance: 2, loop: 1, phases } });
    const begins = [0, 10, 20, 30, 60, 100, 140];
    expect([beginsMs(ran, 0), beginsMs(ran, 1)]).toEqual([begins, begins]);
  });

  test('a timer of no period is no timer', async () => {
    const ran = await run({ t: { loop: 3, run: 1000, timer: { ref: 'unique', period: 0 } } });
    expect(beginsMs(ran, 0)).toEqual([0]);
  });
});

describe('forks', () => {
  test('each fork is one more thread of its task, named by its number', async () => {
    const ran = await run({
      parent: { loop: 2, run: 1000, fork: 'child', fork1: 'child' },
      child: { instance: 0, loop: 1, run: 3000 },
    });
    expect(ran.report.threads.map(({ name, forked }) => [name, forked])).toEqual([
      ['parent-0', false],
      ['child-fork-0', true],
      ['child-fork-1', true],
      ['child-fork-2', true],
      ['child-fork-3', true],
    ]);
    expect(ran.report.tasks.map(({ name, threads }) => [name, threads])).toEqual([
      ['parent', 1],
      ['child', 4],
    ]);
    expect(figuresOf(ran).map(([, ms]) => ms)).toEqual([2, 3, 3, 3, 3]);
  });

  test('a forked thread forks in its turn, and runs as its task says', async () => {
    const ran = await run({
      a: { loop: 1, fork: 'b', sleep: 5000 },
      b: { instance: 0, loop: 1, fork: 'c' },
      c: { instance: 0, loop: 1, cpus: [1], policy: 'SCHED_FIFO', priority: 50, run: 1000 },
    });
    const third = ran.report.threads[2];
    expect(third).toMatchObject({ name: 'c-fork-0', priority: 23, ended: true });
    expect(processorsOf(ran, 2)).toEqual([3, 1]);
    expect(levelsOf(ran, 2)).toEqual([23]);
    expect(ran.report.failedForks).toBe(0);
  });

  test('forks go on through a thousand tasks', async () => {
    const tasks = Array.from({ length: 999 }, (_, i) => [
      `t${i}`,
      { instance: i === 0 ? 1 : 0, loop: 1, fork: `t${i + 1}` },
    ]);
    const last = ['t999', { instance: 0, loop: 1, run: 1000 }];
    const ran = await run(Object.fromEntries([...tasks, last]));
    expect(ran.report.threads.length).toBe(1000);
    expect(ran.report.threads.at(-1)).toMatchObject({ name: 't999-fork-0', ended: true });
  });

  test('a task with instances may be forked as well', async () => {
    const ran = await run({ a: { loop: 1, fork: 'b' }, b: { instance: 2, loop: 1, run: 1000 } });
    expect(ran.report.threads.map(({ name }) => name)).toEqual(['a-0', 'b-1', 'b-2', 'b-fork-0']);
  });

  test('forks beyond the room for threads fail, are counted, and the rest goes on', async () => {
    const ran = await run(
      { a: { loop: 40, fork: 'b' }, b: { instance: 0, loop: 1, sleep: 100_000 } },
      { liveThreads: 4 },
    );
    const made = ran.report.threads.length - 1;
    expect(made).toBeGreaterThan(3);
    expect(ran.report.failedForks).toBe(40 - made);
    expect(ran.report.stopped).toBe('idle');
  });

  test('forked threads that have not run when the duration ends are their task’s', async () => {
    const ran = await run(
      {
        hog: { policy: 'SCHED_FIFO', cpus: [0], run: 10_000 },
        a: { loop: 1, delay: 999_000, policy: 'SCHED_FIFO', priority: 90, cpus: [0], fork: 'b' },
        b: { instance: 0, loop: 1, cpus: [0], run: 1000 },
      },
      { processors: 1 },
      { duration: 1 },
    );
    expect(ran.report.tasks.map(({ name, threads }) => [name, threads])).toEqual([
      ['hog', 1],
      ['a', 1],
      ['b', 1],
    ]);
  });
});

describe('instances, processors, priorities', () => {
  test('a task has as many threads as instances, numbered with those of the others', async () => {
    const ran = await run({ a: { loop: 1, run: 1 }, b: { instance: 3, loop: 1, run: 1 } });
    expect(ran.report.threads.map(({ name }) => name)).toEqual(['a-0', 'b-1', 'b-2', 'b-3']);
  });

  test('cpus of a task hold its threads there', async () => {
    const ran = await run({
      a: { loop: 1, cpus: [1], run: 5000 },
      b: { instance: 2, loop: 1, cpus: [1, 3], run: 5000 },
    });
    expect(processorsOf(ran, 0)).toEqual([1]);
    expect([...processorsOf(ran, 1), ...processorsOf(ran, 2)].every((cpu) => cpu % 2 === 1)).toBe(
      true,
    );
  });

  test('cpus of a phase hold for that phase, and one without has its task’s', async () => {
    const ran = await run({
      t: {
        loop: 1,
        cpus: [2],
        phases: { a: { cpus: [0], run: 1000 }, b: { run: 1000 }, c: { cpus: [3], run: 1000 } },
      },
    });
    expect(processorsOf(ran, 0)).toEqual([2, 0, 3]);
    const moves = ran.report.threads[0]?.figures.migrations;
    expect(moves).toBe(3);
  });

  test('the machine has four processors, or as many as cpus name', async () => {
    const processors = async (cpu: number) =>
      (await run({ t: { loop: 1, cpus: [cpu], run: 1 } })).report.processors.length;
    expect([await processors(0), await processors(9)]).toEqual([4, 10]);
  });

  test('nice values and real-time priorities become levels of NT', async () => {
    const ran = await run({
      normal: { loop: 1, run: 1 },
      nice: { loop: 1, priority: 19, run: 1 },
      eager: { loop: 1, priority: -20, run: 1 },
      idle: { loop: 1, policy: 'SCHED_IDLE', run: 1 },
      fifo: { loop: 1, policy: 'SCHED_FIFO', run: 1 },
      rr: { loop: 1, policy: 'SCHED_RR', priority: 99, run: 1 },
    });
    expect(ran.report.threads.map(({ priority }) => priority)).toEqual([8, 1, 15, 1, 17, 31]);
  });

  test('the default policy is that of the tasks that give none', async () => {
    const tasks = { a: { loop: 1, run: 1 }, b: { loop: 1, policy: 'SCHED_OTHER', run: 1 } };
    const ran = await run(tasks, {}, { default_policy: 'SCHED_RR' });
    expect(ran.report.threads.map(({ priority }) => priority)).toEqual([17, 8]);
  });

  test('a higher thread preempts a lower one', async () => {
    const ran = await run(
      { low: { loop: 1, run: 10_000 }, high: { loop: 1, priority: -5, delay: 2000, run: 3000 } },
      { processors: 1 },
    );
    expect(endsMs(ran)).toEqual([13, 5]);
    expect(ran.report.threads[0]?.figures.involuntarySwitches).toBe(1);
  });

  test('a phase that gives a priority keeps it until another does', async () => {
    const phases = {
      a: { run: 1000 },
      b: { priority: -10, run: 1000 },
      c: { run: 1000 },
      d: { policy: 'SCHED_FIFO', run: 1000 },
      e: { policy: 'SCHED_OTHER', run: 1000 },
    };
    const ran = await run({ t: { loop: 1, phases } });
    expect(levelsOf(ran, 0)).toEqual([11, 17, 8]);
  });

  test('the baselines know no levels', async () => {
    const tasks = {
      a: { loop: 1, priority: -20, run: 100_000 },
      b: { loop: 1, policy: 'SCHED_FIFO', run: 100_000 },
    };
    const fifo = await run(tasks, { policy: 'fifo', processors: 1 });
    expect(fifo.report.threads.map(({ priority }) => priority)).toEqual([8, 8]);
    expect(endsMs(fifo)).toEqual([100, 200]);
    const rr = await run(tasks, { policy: 'rr', processors: 1 });
    expect(rr.report.overall.involuntarySwitches).toBeGreaterThan(0);
  });

  test('on a machine of several groups the workload lives in one, and cpus elsewhere are refused', async () => {
    const tasks = (cpu: number) => ({ t: { loop: 1, cpus: [cpu], run: 1 } });
    const errors = await Promise.all(
      [3, 100].map((cpu) =>
        run(tasks(cpu), { processors: 128 }).then(
          () => '',
          (error: Error) => error.message,
        ),
      ),
    );
    expect(errors.filter((message) => message === '').length).toBe(1);
    expect(errors.join('')).toMatch(
      /test\.json:1:11: "cpus" names processor \d+, and the workload's process lives in group \d/,
    );
  });
});

describe('ends', () => {
  test('threads that only hand a mutex round are reported as a livelock', async () => {
    const ran = await run(
      { a: { lock: 'm', unlock: 'm' }, b: { lock: 'm', unlock: 'm' } },
      { processors: 1 },
      { duration: 1000 },
    );
    expect(ran.report).toMatchObject({ stopped: 'livelock', waiting: [] });
  });

  test('a run ends at its limit of steps', async () => {
    const ran = await run({ a: { run: 1 } }, { maxEvents: 1000 }, { duration: 1000 });
    expect(ran.report.stopped).toBe('events');
  });

  test('two runs of a workload have one history', async () => {
    const tasks = {
      a: { instance: 3, loop: 20, run: 700, lock: 'm', run1: 50, unlock: 'm', sleep: 900 },
      b: { loop: 30, run: 1500, yield: '' },
    };
    const digests = [await run(tasks), await run(tasks)].map(({ report }) => report.digest);
    expect(digests[0]).toBe(digests[1]);
  });

  test('progress is told of up to the duration', async () => {
    const times: number[] = [];
    await run(
      { a: { run: 1000, sleep: 1000 } },
      { onProgress: (now) => times.push(now) },
      { duration: 1 },
    );
    expect(times.length).toBe(200);
    expect(times.at(-1)).toBe(1e9);
  });
});
