import { describe, expect, test } from 'vitest';
import { SIG, WAIT } from '../../src/subsystem/wsl/abi';
import { signalSet } from '../../src/subsystem/wsl/signal-calls';
import { type LinuxStep, type LitmusLinux, linuxOutcomes } from './linux';

const WORD = 0x1_0000;

const waits: LinuxStep = (user) => user.futexWait(WORD, 0);
const wakes: LinuxStep = (user) => user.futexWake(WORD);
const exits: LinuxStep = (user) => user.exitGroup(0);
const executes: LinuxStep = (user) => user.execve('/next', []);

/** Sends a signal to the thread with the id of the process. */
const signals: LinuxStep = (user) => user.call(234, 1, 1, SIG.USR1);

/** Forks a child that ends with 7. */
const forks: LinuxStep = (user) =>
  user.fork(function* (child) {
    yield* child.exitGroup(7);
  });

/** The id that wait4 gives. */
const childId: LinuxStep = function* (user) {
  return (yield* user.wait()).pid;
};

/** The id that wait4 gives, and the status. */
const reapsWith = (options: number): LinuxStep =>
  function* (user) {
    const { pid, status } = yield* user.wait(-1, options);
    return [pid, status];
  };
const reaps = reapsWith(0);

const handler = (linux: LitmusLinux) => linux.handle(SIG.USR1, () => {});
const next = (linux: LitmusLinux) => linux.install('/next', function* () {});

const futexes = (linux: LitmusLinux) => linux.state;
const left = (linux: LitmusLinux) => linux.left;

describe('futex', () => {
  test('a wait whose word has been changed does not begin, and one that has begun is woken: no wake is lost', async () => {
    const found = await linuxOutcomes({
      threads: {
        A: [
          (user) => {
            user.store(WORD, 1);
            return user.futexWake(WORD);
          },
        ],
        B: [waits],
      },
      state: futexes,
    });
    expect(found).toEqual(['A 0 | B -11 | futexes 0', 'A 1 | B 0 | futexes 0']);
  });

  test('one wake ends one of two waits', async () => {
    const found = await linuxOutcomes({
      threads: { A: [wakes], B: [waits], C: [waits] },
      state: futexes,
    });
    expect(found).toEqual([
      'A 0 | B … | C … | futexes 2',
      'A 1 | B 0 | C … | futexes 1',
      'A 1 | B … | C 0 | futexes 1',
    ]);
  });

  test('a wake that has counted a waiter is not lost to the waiter’s timeout', async () => {
    const found = await linuxOutcomes({
      threads: {
        A: [wakes],
        B: [(user, { until }) => user.futexWait(WORD, 0, -until('timeout') * 100)],
      },
      moments: ['timeout'],
      state: futexes,
    });
    expect(found).toEqual(['A 0 | B -110 | futexes 0', 'A 1 | B 0 | futexes 0']);
  });

  test('a requeue neither loses nor doubles a waiter', async () => {
    const found = await linuxOutcomes({
      threads: {
        A: [(user) => user.call(202, WORD, 3, 0, 1, WORD + 4)],
        B: [waits],
        C: [(user) => user.futexWake(WORD + 4)],
      },
      state: futexes,
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
    const found = await linuxOutcomes({
      prepare: handler,
      // B is the thread with the id of the process.
      threads: { B: [waits], A: [signals], C: [wakes] },
      state: futexes,
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
    const found = await linuxOutcomes({
      prepare: handler,
      blocked: signalSet(SIG.USR1),
      threads: {
        A: [(user) => user.kill(1, SIG.USR1)],
        B: [(user) => user.sigsuspend(0n)],
      },
    });
    expect(found).toEqual(['A 0 | B -4']);
  });

  test('SIGKILL ends a wait for ever, and the process', async () => {
    const found = await linuxOutcomes({
      homes: { B: 1 },
      threads: { A: [(user) => user.kill(2, SIG.KILL), reaps], B: [waits] },
      state: futexes,
    });
    expect(found).toEqual(['A 0 [2 9] | B | futexes 0', 'A 0 [2 9] | B … | futexes 0']);
  });
});

describe('the end of a child', () => {
  test('is given to one of two threads that wait, and the other has no child', async () => {
    const found = await linuxOutcomes({
      homes: { A: 1 },
      threads: { A: [exits], B: [childId], C: [childId] },
    });
    expect(found).toEqual(['A … | B -10 | C 2', 'A … | B 2 | C -10']);
  });

  test('of two children at once is two ends', async () => {
    const found = await linuxOutcomes({
      homes: { A: 1, B: 2 },
      threads: { A: [exits], B: [exits], C: [childId, childId] },
    });
    expect(found).toEqual(['A … | B … | C 2 3', 'A … | B … | C 3 2']);
  });
});

describe('fork', () => {
  test('against a wait: the other thread has no child yet, or waits for this one', async () => {
    const found = await linuxOutcomes({ threads: { A: [forks], B: [reaps] } });
    expect(found).toEqual(['A 3 | B [-10 0]', 'A 3 | B [3 1792]']);
  });

  test('against the end of its process: there is a child or not, and nothing is left of either', async () => {
    const found = await linuxOutcomes({ threads: { A: [forks], B: [exits] }, state: left });
    expect([...new Set(found.map((each) => each.split(' | ').at(-1)))]).toEqual([
      'threads 0, processes 0',
    ]);
    expect(found.length).toBeGreaterThan(1);
  });

  test('of two threads at once is two children', async () => {
    const found = await linuxOutcomes({
      threads: { A: [forks, reaps], B: [forks, reaps] },
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
  test('against a wait of another thread ends that', async () => {
    const found = await linuxOutcomes({
      prepare: next,
      threads: { A: [executes], B: [waits] },
      state: (linux) => `${linux.state}, ${linux.left}`,
    });
    expect(found).toEqual([
      'A … | B | futexes 0, threads 0, processes 0',
      'A … | B … | futexes 0, threads 0, processes 0',
    ]);
  });

  test('of two threads at once is one', async () => {
    const found = await linuxOutcomes({
      prepare: next,
      threads: { A: [executes], B: [executes] },
      state: left,
    });
    expect(found).toEqual([
      'A | B … | threads 0, processes 0',
      'A … | B | threads 0, processes 0',
      'A … | B … | threads 0, processes 0',
    ]);
  });

  test('against the end of its process leaves nothing', async () => {
    const found = await linuxOutcomes({
      prepare: next,
      threads: { A: [executes], B: [exits] },
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
    const found = await linuxOutcomes({
      homes: { A: 1 },
      threads: { A: [exits], B: [(user) => user.kill(2, SIG.KILL), reaps, reaps] },
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
    const found = await linuxOutcomes({
      homes: { C: 1 },
      prepare: handler,
      threads: { B: [reaps], A: [signals], C: [exits] },
    });
    expect(found).toEqual(['B [-4 0] | A 0 | C …', 'B [2 0] | A -3 | C …', 'B [2 0] | A 0 | C …']);
  });

  test('two signals at once are taken by the two threads that wait for either: none is lost', async () => {
    const set = signalSet(SIG.USR1, SIG.USR2);
    const found = await linuxOutcomes({
      blocked: set,
      threads: {
        A: [(user) => user.kill(1, SIG.USR1)],
        B: [(user) => user.sigtimedwait(set)],
        C: [(user) => user.sigtimedwait(set)],
        D: [(user) => user.kill(1, SIG.USR2)],
      },
    });
    expect(found).toEqual(['A 0 | B 10 | C 12 | D 0', 'A 0 | B 12 | C 10 | D 0']);
  });

  test('a stop and its end are told in order, and none is told of twice', async () => {
    const found = await linuxOutcomes({
      homes: { C: 1 },
      threads: {
        A: [(user) => user.kill(2, SIG.STOP), (user) => user.kill(2, SIG.KILL)],
        B: [reapsWith(WAIT.UNTRACED)],
        C: [waits],
      },
    });
    expect(found).toEqual([
      'A 0 0 | B [2 4991] | C',
      'A 0 0 | B [2 4991] | C …',
      'A 0 0 | B [2 9] | C',
      'A 0 0 | B [2 9] | C …',
    ]);
  });
});
