import { describe, expect, test } from 'vitest';
import { IDTYPE, RUSAGE, SIG, SYS, WAIT } from '../../src/subsystem/wsl/abi';
import { ERRNO } from '../../src/subsystem/wsl/errno';
import { readInt, readLong } from '../../src/subsystem/wsl/memory';
import { SI } from '../../src/subsystem/wsl/siginfo';
import type { LinuxUser } from '../../src/subsystem/wsl/user';
import { program } from '../../src/machine/program';
import { runLinux } from './linux';

const INFO = 0x1_0000;
const USAGE = 0x1_1000;
const BAD = 0x5000_0000;

/** waitid(2), and what it has written: si_signo, si_code, si_pid and si_status. */
function* waitid(linux: LinuxUser, type: number, id: number, options: number) {
  const result = yield* linux.call(SYS.waitid, type, id, INFO, options, 0);
  const word = (offset: number) => readInt(linux.memory, INFO + offset);
  return [result, word(0), word(8), word(16), word(24)];
}

/** Microseconds of user and system time, and switches, of a struct rusage. */
function usage({ memory }: LinuxUser) {
  const long = (offset: number) => readLong(memory, USAGE + offset) ?? 0;
  const time = (offset: number) => long(offset) * 1e6 + long(offset + 8);
  return { user: time(0), system: time(16), voluntary: long(128), involuntary: long(136) };
}

function* endsWith(linux: LinuxUser, code: number) {
  return yield* linux.fork(function* (child) {
    yield* child.nanosleep(1e6);
    return code;
  });
}

describe('waitid', () => {
  test('tells of a child that has ended, by its id, its group or any', async () => {
    const seen: unknown[] = [];
    await runLinux(function* (linux) {
      const first = yield* endsWith(linux, 3);
      yield* endsWith(linux, 4);
      yield* endsWith(linux, 5);
      seen.push(yield* waitid(linux, IDTYPE.P_PID, first, WAIT.EXITED));
      seen.push(yield* waitid(linux, IDTYPE.P_PGID, 0, WAIT.EXITED));
      seen.push(yield* waitid(linux, IDTYPE.P_ALL, 0, WAIT.EXITED));
      seen.push((yield* waitid(linux, IDTYPE.P_ALL, 0, WAIT.EXITED))[0]);
    });
    expect(seen).toEqual([
      [0, SIG.CHLD, SI.CLD_EXITED, 2, 3],
      [0, SIG.CHLD, SI.CLD_EXITED, 3, 4],
      [0, SIG.CHLD, SI.CLD_EXITED, 4, 5],
      -ERRNO.ECHILD,
    ]);
  });

  test('with WNOHANG leaves zeros if none has ended, and with WNOWAIT the child', async () => {
    const seen: unknown[] = [];
    await runLinux(function* (linux) {
      yield* endsWith(linux, 1);
      seen.push(yield* waitid(linux, IDTYPE.P_ALL, 0, WAIT.EXITED | WAIT.NOHANG));
      seen.push(yield* waitid(linux, IDTYPE.P_ALL, 0, WAIT.EXITED | WAIT.NOWAIT));
      seen.push(yield* waitid(linux, IDTYPE.P_ALL, 0, WAIT.EXITED));
    });
    expect(seen).toEqual([
      [0, 0, 0, 0, 0],
      [0, SIG.CHLD, SI.CLD_EXITED, 2, 1],
      [0, SIG.CHLD, SI.CLD_EXITED, 2, 1],
    ]);
  });

  test('tells of children that are stopped and go on, once each', async () => {
    const seen: unknown[] = [];
    await runLinux(function* (linux) {
      const child = yield* linux.fork(function* (own) {
        yield* own.pause();
      });
      yield* linux.kill(child, SIG.STOP);
      seen.push(yield* waitid(linux, IDTYPE.P_PID, child, WAIT.UNTRACED | WAIT.CONTINUED));
      seen.push(yield* waitid(linux, IDTYPE.P_PID, child, WAIT.UNTRACED | WAIT.NOHANG));
      yield* linux.kill(child, SIG.CONT);
      seen.push(yield* linux.wait(child, WAIT.UNTRACED | WAIT.NOHANG));
      seen.push(yield* linux.wait(child, WAIT.CONTINUED));
      yield* linux.kill(child, SIG.TSTP);
      seen.push(yield* linux.wait(child, WAIT.UNTRACED));
      yield* linux.kill(child, SIG.KILL);
      seen.push(yield* linux.wait(child));
    });
    expect(seen).toEqual([
      [0, SIG.CHLD, SI.CLD_STOPPED, 2, SIG.STOP],
      [0, 0, 0, 0, 0],
      { pid: 0, status: 0 },
      { pid: 2, status: 0xffff },
      { pid: 2, status: (SIG.TSTP << 8) | 0x7f },
      { pid: 2, status: SIG.KILL },
    ]);
  });

  test('refuses ids and options that are none, and memory that is not there', async () => {
    const seen: unknown[] = [];
    await runLinux(function* (linux) {
      yield* endsWith(linux, 0);
      seen.push(yield* linux.call(SYS.waitid, 9, 0, 0, WAIT.EXITED, 0));
      seen.push(yield* linux.call(SYS.waitid, IDTYPE.P_PID, 0, 0, WAIT.EXITED, 0));
      seen.push(yield* linux.call(SYS.waitid, IDTYPE.P_ALL, 0, 0, WAIT.NOHANG, 0));
      seen.push(yield* linux.call(SYS.waitid, IDTYPE.P_ALL, 0, 0, WAIT.EXITED | 0x40, 0));
      seen.push(yield* linux.call(SYS.waitid, IDTYPE.P_PID, 77, 0, WAIT.EXITED, 0));
      seen.push(yield* linux.call(SYS.waitid, IDTYPE.P_ALL, 0, BAD, WAIT.EXITED, 0));
      seen.push(yield* linux.call(SYS.waitid, IDTYPE.P_ALL, 0, 0, WAIT.EXITED, BAD));
      // The child is still there.
      seen.push(yield* linux.call(SYS.waitid, IDTYPE.P_ALL, 0, 0, WAIT.EXITED, 0));
    });
    expect(seen.slice(0, 4)).toEqual(Array(4).fill(-ERRNO.EINVAL));
    expect(seen.slice(4)).toEqual([-ERRNO.ECHILD, -ERRNO.EFAULT, -ERRNO.EFAULT, 0]);
  });
});

describe('what a process has used', () => {
  test('getrusage tells the run time and the switches of its threads, and of children waited for', async () => {
    const seen: unknown[] = [];
    await runLinux(
      function* (linux) {
        const child = yield* linux.fork(function* (own) {
          yield* own.execve('/bin/work', []);
        });
        yield* linux.call(SYS.getrusage, RUSAGE.CHILDREN, USAGE);
        seen.push(usage(linux));
        yield* linux.call(SYS.wait4, child, 0, 0, USAGE);
        const { user, voluntary } = usage(linux);
        seen.push(user >= 30_000 && user < 30_100, voluntary > 0);
        yield* linux.call(SYS.getrusage, RUSAGE.CHILDREN, USAGE);
        seen.push(usage(linux).user === user);
        yield* linux.call(SYS.getrusage, RUSAGE.SELF, USAGE);
        seen.push(usage(linux).user < 1000, usage(linux).voluntary);
        seen.push(yield* linux.call(SYS.getrusage, RUSAGE.THREAD, USAGE));
      },
      (wsl) => {
        const work = program('work', (p) => p.compute(30e6).systemCall(SYS.exit_group));
        wsl.install('/bin/work', wsl.machine.loadProgram(work));
      },
      { processors: 1 },
    );
    const nothing = { user: 0, system: 0, voluntary: 0, involuntary: 0 };
    expect(seen).toEqual([nothing, true, true, true, true, 1, 0]);
  });

  test('times tells hundredths of a second, of its children too', async () => {
    const seen: unknown[] = [];
    await runLinux(
      function* (linux) {
        yield* linux.fork(function* (own) {
          yield* own.execve('/bin/work', []);
        });
        yield* linux.wait();
        const ticks = yield* linux.call(SYS.times, INFO);
        const fields = [0, 8, 16, 24].map((offset) => readLong(linux.memory, INFO + offset));
        seen.push(ticks, fields);
        seen.push((yield* linux.call(SYS.times, 0)) >= ticks);
      },
      (wsl) => {
        const work = program('work', (p) => p.compute(30e6).systemCall(SYS.exit_group));
        wsl.install('/bin/work', wsl.machine.loadProgram(work));
      },
    );
    expect(seen).toEqual([3, [0, 0, 3, 0], true]);
  });

  test('is EINVAL of whom there is not, and EFAULT where nothing is mapped', async () => {
    const seen: number[] = [];
    await runLinux(function* (linux) {
      seen.push(yield* linux.call(SYS.getrusage, 2, USAGE));
      seen.push(yield* linux.call(SYS.getrusage, RUSAGE.SELF, BAD));
      seen.push(yield* linux.call(SYS.times, BAD));
      yield* endsWith(linux, 0);
      seen.push(yield* linux.call(SYS.wait4, -1, 0, 0, BAD));
    });
    expect(seen).toEqual([-ERRNO.EINVAL, -ERRNO.EFAULT, -ERRNO.EFAULT, -ERRNO.EFAULT]);
  });
});
