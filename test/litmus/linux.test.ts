import { describe, expect, test } from 'vitest';
import { SIG, WAIT } from '../../src/subsystem/wsl/abi';
import { signalSet } from '../../src/subsystem/wsl/signal-calls';
import type { LinuxUser } from '../../src/subsystem/wsl/user';
import { outcomes, type Stage, type Step } from './harness';
import { LitmusLinux } from './linux';

const WORD = 0x1_0000;

const create = (
  linux: LitmusLinux,
  name: string,
  body: Parameters<LitmusLinux['create']>[1],
  affinity: bigint,
) => linux.create(name, body, affinity);

const oneProcess = ({ machine }: Stage) => new LitmusLinux(machine, 0);

/** A step of a thread, which knows what it calls. */
const step =
  (linux: LitmusLinux, name: string, code: (user: LinuxUser) => ReturnType<Step>): Step =>
  () =>
    code(linux.user(name));

const state = (linux: LitmusLinux) => linux.state;

describe('futex', () => {
  test('a wait whose word has been changed does not begin, and one that has begun is woken: no wake is lost', async () => {
    const found = await outcomes({
      objects: oneProcess,
      create,
      threads: (linux) => ({
        A: [
          step(linux, 'A', (user) => {
            user.store(WORD, 1);
            return user.futexWake(WORD);
          }),
        ],
        B: [step(linux, 'B', (user) => user.futexWait(WORD, 0))],
      }),
      state,
    });
    expect(found).toEqual(['A 0 | B -11 | futexes 0', 'A 1 | B 0 | futexes 0']);
  });

  test('one wake ends one of two waits', async () => {
    const found = await outcomes({
      objects: oneProcess,
      create,
      threads: (linux) => ({
        A: [step(linux, 'A', (user) => user.futexWake(WORD))],
        B: [step(linux, 'B', (user) => user.futexWait(WORD, 0))],
        C: [step(linux, 'C', (user) => user.futexWait(WORD, 0))],
      }),
      state,
    });
    expect(found).toEqual([
      'A 0 | B … | C … | futexes 2',
      'A 1 | B 0 | C … | futexes 1',
      'A 1 | B … | C 0 | futexes 1',
    ]);
  });

  test('a wake that has counted a waiter is not lost to the waiter’s timeout', async () => {
    const found = await outcomes({
      objects: oneProcess,
      create,
      threads: (linux, { until }) => ({
        A: [step(linux, 'A', (user) => user.futexWake(WORD))],
        B: [step(linux, 'B', (user) => user.futexWait(WORD, 0, -until('timeout') * 100))],
      }),
      moments: ['timeout'],
      state,
    });
    expect(found).toEqual(['A 0 | B -110 | futexes 0', 'A 1 | B 0 | futexes 0']);
  });

  test('a requeue neither loses nor doubles a waiter', async () => {
    const found = await outcomes({
      objects: oneProcess,
      create,
      threads: (linux) => ({
        A: [step(linux, 'A', (user) => user.call(202, WORD, 3, 0, 1, WORD + 4))],
        B: [step(linux, 'B', (user) => user.futexWait(WORD, 0))],
        C: [step(linux, 'C', (user) => user.futexWake(WORD + 4))],
      }),
      state,
    });
    expect(found).toEqual([
      'A 0 | B … | C 0 | futexes 1',
      'A 1 | B 0 | C 1 | futexes 0',
      'A 1 | B … | C 0 | futexes 1',
    ]);
  });
});

describe('a signal against a wait', () => {
  test('ends it with EINTR, or came before it; a wake that has counted the waiter ends it with 0', async () => {
    const found = await outcomes({
      objects: (stage) => {
        const linux = oneProcess(stage);
        linux.handle(SIG.USR1, () => {});
        return linux;
      },
      create,
      // B is the thread with the id of the process.
      threads: (linux) => ({
        B: [step(linux, 'B', (user) => user.futexWait(WORD, 0))],
        A: [step(linux, 'A', (user) => user.call(234, 1, 1, SIG.USR1))],
        C: [step(linux, 'C', (user) => user.futexWake(WORD))],
      }),
      state,
    });
    expect(found).toEqual([
      'B -4 | A 0 | C 0 | futexes 0',
      // It has gone on to its end by then.
      'B 0 | A -3 | C 1 | futexes 0',
      'B 0 | A 0 | C 1 | futexes 0',
      'B … | A 0 | C 0 | futexes 1',
    ]);
  });

  test('is not lost by rt_sigsuspend, whichever comes first', async () => {
    const found = await outcomes({
      objects: (stage) => {
        const linux = oneProcess(stage);
        linux.handle(SIG.USR1, () => {});
        return linux;
      },
      create: (linux, name, body, affinity) => {
        const thread = linux.create(name, body, affinity);
        linux.block(name, signalSet(SIG.USR1));
        return thread;
      },
      threads: (linux) => ({
        A: [step(linux, 'A', (user) => user.kill(1, SIG.USR1))],
        B: [step(linux, 'B', (user) => user.sigsuspend(0n))],
      }),
    });
    expect(found).toEqual(['A 0 | B -4']);
  });

  test('SIGKILL ends a wait for ever, and the process', async () => {
    const found = await outcomes({
      objects: ({ machine }) => new LitmusLinux(machine, 1, { B: 1 }),
      create,
      threads: (linux) => ({
        A: [
          step(linux, 'A', (user) => user.kill(2, SIG.KILL)),
          step(linux, 'A', function* (user) {
            const { pid, status } = yield* user.wait();
            return [pid, status];
          }),
        ],
        B: [step(linux, 'B', (user) => user.futexWait(WORD, 0))],
      }),
      state,
    });
    expect(found).toEqual(['A 0 [2 9] | B | futexes 0', 'A 0 [2 9] | B … | futexes 0']);
  });
});

describe('the end of a child', () => {
  test('is given to one of two threads that wait, and the other has no child', async () => {
    const found = await outcomes({
      objects: ({ machine }) => new LitmusLinux(machine, 1, { A: 1 }),
      create,
      threads: (linux) => ({
        A: [step(linux, 'A', (user) => user.exitGroup(0))],
        B: [
          step(linux, 'B', function* (user) {
            return (yield* user.wait()).pid;
          }),
        ],
        C: [
          step(linux, 'C', function* (user) {
            return (yield* user.wait()).pid;
          }),
        ],
      }),
    });
    expect(found).toEqual(['A … | B -10 | C 2', 'A … | B 2 | C -10']);
  });

  test('of two children at once is two ends', async () => {
    const found = await outcomes({
      objects: ({ machine }) => new LitmusLinux(machine, 2, { A: 1, B: 2 }),
      create,
      threads: (linux) => ({
        A: [step(linux, 'A', (user) => user.exitGroup(0))],
        B: [step(linux, 'B', (user) => user.exitGroup(0))],
        C: [
          step(linux, 'C', function* (user) {
            return (yield* user.wait()).pid;
          }),
          step(linux, 'C', function* (user) {
            return (yield* user.wait()).pid;
          }),
        ],
      }),
    });
    expect(found).toEqual(['A … | B … | C 2 3', 'A … | B … | C 3 2']);
  });
});

/** The id that wait4 gives, and the status. */
const waited = (linux: LitmusLinux, name: string, options = 0): Step =>
  step(linux, name, function* (user) {
    const { pid, status } = yield* user.wait(-1, options);
    return [pid, status];
  });

/** Forks a child that ends with 7. */
const forks = (linux: LitmusLinux, name: string): Step =>
  step(linux, name, (user) =>
    user.fork(function* (child) {
      yield* child.exitGroup(7);
    }),
  );

const left = (linux: LitmusLinux) => linux.left;

describe('fork', () => {
  test('against a wait: the other thread has no child yet, or waits for this one', async () => {
    const found = await outcomes({
      objects: oneProcess,
      create,
      threads: (linux) => ({ A: [forks(linux, 'A')], B: [waited(linux, 'B')] }),
    });
    expect(found).toEqual(['A 3 | B [-10 0]', 'A 3 | B [3 1792]']);
  });

  test('against the end of its process: there is a child or not, and nothing is left of either', async () => {
    const found = await outcomes({
      objects: oneProcess,
      create,
      threads: (linux) => ({
        A: [forks(linux, 'A')],
        B: [step(linux, 'B', (user) => user.exitGroup(0))],
      }),
      state: left,
    });
    expect([...new Set(found.map((each) => each.split(' | ').at(-1)))]).toEqual([
      'threads 0, processes 0',
    ]);
    expect(found.length).toBeGreaterThan(1);
  });

  test('of two threads at once is two children', async () => {
    const found = await outcomes({
      objects: oneProcess,
      create,
      threads: (linux) => ({
        A: [forks(linux, 'A'), waited(linux, 'A')],
        B: [forks(linux, 'B'), waited(linux, 'B')],
      }),
      state: left,
    });
    expect(found).toEqual([
      'A 3 [3 1792] | B 4 [4 1792] | threads 0, processes 0',
      'A 3 [4 1792] | B 4 [3 1792] | threads 0, processes 0',
      'A 4 [3 1792] | B 3 [4 1792] | threads 0, processes 0',
      'A 4 [4 1792] | B 3 [3 1792] | threads 0, processes 0',
    ]);
  });
});

describe('execve', () => {
  const executes = (linux: LitmusLinux, name: string): Step =>
    step(linux, name, (user) => user.execve('/next', []));
  const withNext = (stage: Stage) => {
    const linux = oneProcess(stage);
    linux.install('/next', function* () {});
    return linux;
  };

  test('against a wait of another thread ends that', async () => {
    const found = await outcomes({
      objects: withNext,
      create,
      threads: (linux) => ({
        A: [executes(linux, 'A')],
        B: [step(linux, 'B', (user) => user.futexWait(WORD, 0))],
      }),
      state: (linux) => `${linux.state}, ${linux.left}`,
    });
    expect(found).toEqual([
      'A … | B | futexes 0, threads 0, processes 0',
      'A … | B … | futexes 0, threads 0, processes 0',
    ]);
  });

  test('of two threads at once is one', async () => {
    const found = await outcomes({
      objects: withNext,
      create,
      threads: (linux) => ({ A: [executes(linux, 'A')], B: [executes(linux, 'B')] }),
      state: left,
    });
    expect(found).toEqual([
      'A | B … | threads 0, processes 0',
      'A … | B | threads 0, processes 0',
      'A … | B … | threads 0, processes 0',
    ]);
  });

  test('against the end of its process leaves nothing', async () => {
    const found = await outcomes({
      objects: withNext,
      create,
      threads: (linux) => ({
        A: [executes(linux, 'A')],
        B: [step(linux, 'B', (user) => user.exitGroup(0))],
      }),
      state: left,
    });
    expect(found).toEqual([
      'A | B … | threads 0, processes 0',
      'A … | B | threads 0, processes 0',
      'A … | B … | threads 0, processes 0',
    ]);
  });
});

describe('SIGKILL', () => {
  test('against the end of a child: one of the two is its status, and it is told once', async () => {
    const found = await outcomes({
      objects: ({ machine }) => new LitmusLinux(machine, 1, { A: 1 }),
      create,
      threads: (linux) => ({
        A: [step(linux, 'A', (user) => user.exitGroup(0))],
        B: [
          step(linux, 'B', (user) => user.kill(2, SIG.KILL)),
          waited(linux, 'B'),
          waited(linux, 'B'),
        ],
      }),
    });
    expect(found).toEqual([
      'A | B 0 [2 9] [-10 0]',
      'A … | B 0 [2 0] [-10 0]',
      'A … | B 0 [2 9] [-10 0]',
    ]);
  });
});

describe('a signal against wait4', () => {
  test('ends it with EINTR, or comes before it or behind the end of the child', async () => {
    const found = await outcomes({
      objects: ({ machine }) => {
        const linux = new LitmusLinux(machine, 1, { C: 1 });
        linux.handle(SIG.USR1, () => {});
        return linux;
      },
      create,
      threads: (linux) => ({
        B: [waited(linux, 'B')],
        A: [step(linux, 'A', (user) => user.call(234, 1, 1, SIG.USR1))],
        C: [step(linux, 'C', (user) => user.exitGroup(0))],
      }),
    });
    expect(found).toEqual(['B [-4 0] | A 0 | C …', 'B [2 0] | A -3 | C …', 'B [2 0] | A 0 | C …']);
  });

  test('two signals at once are taken by the two threads that wait for either: none is lost', async () => {
    const set = signalSet(SIG.USR1, SIG.USR2);
    const found = await outcomes({
      objects: oneProcess,
      create: (linux, name, body, affinity) => {
        const thread = linux.create(name, body, affinity);
        linux.block(name, set);
        return thread;
      },
      threads: (linux) => ({
        A: [step(linux, 'A', (user) => user.kill(1, SIG.USR1))],
        B: [step(linux, 'B', (user) => user.sigtimedwait(set))],
        C: [step(linux, 'C', (user) => user.sigtimedwait(set))],
        D: [step(linux, 'D', (user) => user.kill(1, SIG.USR2))],
      }),
    });
    expect(found).toEqual(['A 0 | B 10 | C 12 | D 0', 'A 0 | B 12 | C 10 | D 0']);
  });

  test('a stop and its end are told in order, and none is told of twice', async () => {
    const found = await outcomes({
      objects: ({ machine }) => new LitmusLinux(machine, 1, { C: 1 }),
      create,
      threads: (linux) => ({
        A: [
          step(linux, 'A', (user) => user.kill(2, SIG.STOP)),
          step(linux, 'A', (user) => user.kill(2, SIG.KILL)),
        ],
        B: [waited(linux, 'B', WAIT.UNTRACED)],
        C: [step(linux, 'C', (user) => user.futexWait(WORD, 0))],
      }),
    });
    expect(found).toEqual([
      'A 0 0 | B [2 4991] | C',
      'A 0 0 | B [2 4991] | C …',
      'A 0 0 | B [2 9] | C',
      'A 0 0 | B [2 9] | C …',
    ]);
  });
});
