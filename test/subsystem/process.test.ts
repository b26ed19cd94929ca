import { describe, expect, test } from 'vitest';
import { program } from '../../src/machine/program';
import { PsSetCreateProcessNotifyRoutineEx2 } from '../../src/ps/register';
import { CLOCK, SIG, SYS } from '../../src/subsystem/wsl/abi';
import { ERRNO } from '../../src/subsystem/wsl/errno';
import { readLong } from '../../src/subsystem/wsl/memory';
import type { LinuxUser } from '../../src/subsystem/wsl/user';
import type { WslSubsystem } from '../../src/subsystem/wsl/wsl';
import { runLinux } from './linux';

describe('fork and wait4', () => {
  test('a parent gets the exit code of its child, and ECHILD when there is none', async () => {
    const seen: unknown[] = [];
    const { spawn, result, wsl } = await runLinux(function* (linux) {
      const child = yield* linux.fork(function* (own) {
        seen.push([yield* own.getpid(), yield* own.getppid(), yield* own.gettid()]);
        return 7;
      });
      seen.push(child, yield* linux.wait(), yield* linux.wait());
      return 3;
    });
    expect(seen).toEqual([
      [2, 1, 2],
      2,
      { pid: 2, status: 7 << 8 },
      { pid: -ERRNO.ECHILD, status: 0 },
    ]);
    expect(spawn.waitStatus).toBe(3 << 8);
    expect(result).toMatchObject({ reason: 'idle', waiting: [] });
    expect(wsl.counts).toEqual({ threads: 0, processes: 0, futexes: 0 });
  });

  test('a program thread forks in two that go on behind the call, one with 0', async () => {
    const machineProgram = program('/bin/forks', (p) => {
      const status = p.register();
      p.systemCall(SYS.fork);
      p.ifStatus(0, () => p.load(status, 5).systemCall(SYS.exit_group));
      p.load(status, -1).systemCall(SYS.wait4).load(status, 4).systemCall(SYS.exit_group);
    });
    const seen: unknown[] = [];
    const { spawn } = await runLinux(
      function* (linux) {
        seen.push(yield* linux.execve('/bin/forks', ['forks']));
      },
      (wsl) => wsl.install('/bin/forks', wsl.machine.loadProgram(machineProgram)),
    );
    expect(seen).toEqual([]);
    expect(spawn.waitStatus).toBe(4 << 8);
  });

  test('orphans go to init, which waits for them', async () => {
    const seen: unknown[] = [];
    const { wsl } = await runLinux(function* (linux) {
      yield* linux.fork(function* (middle) {
        yield* middle.fork(function* (orphan) {
          yield* orphan.nanosleep(50e6);
          seen.push(yield* orphan.getppid());
        });
      });
      seen.push((yield* linux.wait()).pid, (yield* linux.wait()).pid);
    });
    expect(seen).toEqual([1, 2, 3]);
    expect(wsl.counts.processes).toBe(0);
  });

  test('execve of what is not there is ENOENT; of what is there begins it with its arguments', async () => {
    const seen: unknown[] = [];
    const { output, spawn } = await runLinux(
      function* (linux) {
        seen.push(yield* linux.execve('/bin/none', []));
        seen.push(yield* linux.execve('/bin/echo', ['echo', 'a', 'bc'], ['HOME=/']));
      },
      (wsl) =>
        wsl.install('/bin/echo', function* (linux, argv, envp) {
          yield* linux.write(1, `${argv.slice(1).join(' ')} ${envp[0]}\n`);
          return 9;
        }),
    );
    expect([seen, output, spawn.waitStatus]).toEqual([[-ERRNO.ENOENT], 'a bc HOME=/\n', 9 << 8]);
  });

  test('an unknown system call is ENOSYS and a mark in the trace', async () => {
    const seen: unknown[] = [];
    const { wsl } = await runLinux(function* (linux) {
      seen.push(yield* linux.call(400, 1), yield* linux.call(6));
    });
    expect(seen).toEqual([-ERRNO.ENOSYS, -ERRNO.ENOSYS]);
    expect([...wsl.unknownCalls]).toEqual([
      [400, 1],
      [6, 1],
    ]);
  });
});

describe('a pipeline', () => {
  test('of two children gives what one writes to the other', async () => {
    const { output, wsl, result } = await runLinux(function* (linux) {
      const [read, write] = yield* linux.pipe();
      yield* linux.fork(function* (producer) {
        yield* producer.close(read);
        yield* producer.dup2(write, 1);
        yield* producer.close(write);
        for (let line = 0; line < 3; line++) yield* producer.write(1, `line ${line}\n`);
      });
      yield* linux.fork(function* (consumer) {
        yield* consumer.close(write);
        let text = '';
        for (;;) {
          const part = yield* consumer.readText(read);
          if (part === '') break;
          text += part;
        }
        yield* consumer.write(1, text.toUpperCase());
      });
      yield* linux.close(read);
      yield* linux.close(write);
      yield* linux.wait();
      yield* linux.wait();
    });
    expect(output).toBe('LINE 0\nLINE 1\nLINE 2\n');
    expect(result).toMatchObject({ waiting: [] });
    expect(wsl.counts).toEqual({ threads: 0, processes: 0, futexes: 0 });
  });
});

describe('signals', () => {
  test('one that is not handled ends the process, and its parent learns which', async () => {
    const seen: unknown[] = [];
    await runLinux(function* (linux) {
      const child = yield* linux.fork(function* (own) {
        yield* own.pause();
      });
      yield* linux.nanosleep(20e6);
      seen.push(yield* linux.kill(child, SIG.TERM), yield* linux.wait());
    });
    expect(seen).toEqual([0, { pid: 2, status: SIG.TERM }]);
  });

  test('a handler ends a wait with EINTR, and runs before the call returns', async () => {
    const seen: unknown[] = [];
    await runLinux(function* (linux) {
      yield* linux.sigaction(SIG.CHLD, (signal) => {
        seen.push(`signal ${signal}`);
        return undefined;
      });
      yield* linux.fork(function* (own) {
        yield* own.nanosleep(20e6);
      });
      seen.push(yield* linux.pause());
    });
    expect(seen).toEqual(['signal 17', -ERRNO.EINTR]);
  });
});

describe('a program', () => {
  test('branches by what a call has come to that its provider answered after a wait', async () => {
    const marks: number[] = [];
    await runLinux(
      function* (linux) {
        yield* linux.execve('/bin/forks', []);
      },
      (wsl) => {
        const { machine } = wsl;
        machine.onHostCall(1, (_thread: unknown, argument: number) => {
          marks.push(argument);
          return 0;
        });
        const body = program('forks', (p) => {
          const rdi = p.register();
          p.systemCall(SYS.fork).ifStatus(0, () => {
            p.hostCall(1, 1).load(rdi, 0).systemCall(SYS.exit_group);
          });
          p.load(rdi, -1)
            .systemCall(SYS.wait4)
            .ifStatus(2, () => p.hostCall(1, 2));
          p.load(rdi, 0).systemCall(SYS.exit_group);
        });
        wsl.install('/bin/forks', machine.loadProgram(body));
      },
    );
    expect(marks).toEqual([1, 2]);
  });
});

describe('fork', () => {
  test('takes the time of three routines of the kernel; one that is told of it takes a call and its frame more', async () => {
    const took: number[] = [];
    const main = function* (linux: LinuxUser) {
      const start = yield* linux.clock(CLOCK.MONOTONIC);
      yield* linux.fork(function* () {});
      took.push((yield* linux.clock(CLOCK.MONOTONIC)) - start);
    };
    const watch = (wsl: WslSubsystem) => {
      wsl.machine.loadDriver({
        name: 'watcher',
        *DriverEntry() {
          return yield* PsSetCreateProcessNotifyRoutineEx2(0, () => {}, false);
        },
      });
    };
    const profile = { costs: { systemCall: 1000, ddi: 10_000 } };
    await runLinux(main, undefined, { processors: 2, profile });
    await runLinux(main, watch, { processors: 2, profile });
    expect(took.map((ns) => Math.round(ns / 10_000))).toEqual([3, 5]);
  });
});

describe('arch_prctl', () => {
  const SET_GS = 0x1001;
  const SET_FS = 0x1002;
  const GET_FS = 0x1003;
  const GET_GS = 0x1004;
  const AT = 0x1_0000;

  /** What a thread's FS segment begins at. */
  function* base(linux: LinuxUser, code = GET_FS) {
    yield* linux.call(SYS.arch_prctl, code, AT);
    return readLong(linux.memory, AT);
  }

  test('sets where a thread’s segments begin, which a fork inherits and execve forgets', async () => {
    const seen: unknown[] = [];
    await runLinux(
      function* (linux) {
        seen.push(yield* base(linux));
        seen.push(yield* linux.call(SYS.arch_prctl, SET_FS, 0x7f00_1234_5678));
        seen.push(yield* linux.call(SYS.arch_prctl, SET_GS, 0x10));
        seen.push(yield* base(linux), yield* base(linux, GET_GS));
        yield* linux.fork(function* (child) {
          seen.push(yield* base(child));
          yield* child.execve('/bin/next', []);
        });
        yield* linux.wait();
      },
      (wsl) =>
        wsl.install('/bin/next', function* (linux) {
          seen.push(yield* base(linux));
        }),
    );
    expect(seen).toEqual([0, 0, 0, 0x7f00_1234_5678, 0x10, 0x7f00_1234_5678, 0]);
  });

  test('refuses codes that are none, and addresses that are not of user mode', async () => {
    const seen: number[] = [];
    await runLinux(function* (linux) {
      seen.push(yield* linux.call(SYS.arch_prctl, 0x1000, AT));
      seen.push(yield* linux.call(SYS.arch_prctl, SET_FS, 2 ** 47));
      seen.push(yield* linux.call(SYS.arch_prctl, GET_FS, 0x5000_0000));
    });
    expect(seen).toEqual([-ERRNO.EINVAL, -ERRNO.EPERM, -ERRNO.EFAULT]);
  });
});
