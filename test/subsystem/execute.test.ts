import { describe, expect, test } from 'vitest';
import { program } from '../../src/machine/program';
import { SA, SIG, SIG_HOW, SYS } from '../../src/subsystem/wsl/abi';
import { writeLong } from '../../src/subsystem/wsl/memory';
import type { LinuxMain } from '../../src/subsystem/wsl/user';
import { runLinux } from './linux';

const NOTHING = { threads: 0, processes: 0, futexes: 0 };

describe('execve in a handler', () => {
  test('is the end of the handler and of what it interrupted', async () => {
    const seen: string[] = [];
    const { wsl, spawn, result } = await runLinux(
      function* (linux) {
        yield* linux.sigaction(SIG.USR1, function* () {
          seen.push('handler');
          yield* linux.execve('/bin/next', ['next']);
          seen.push('handler goes on');
        });
        yield* linux.kill(1, SIG.USR1);
        seen.push('main goes on');
      },
      (subsystem) =>
        subsystem.install('/bin/next', function* (linux, argv) {
          seen.push(...argv);
          yield* linux.nanosleep(20e6);
          seen.push('next ends');
          return 3;
        }),
    );
    expect(seen).toEqual(['handler', 'next', 'next ends']);
    expect(spawn.waitStatus).toBe(3 << 8);
    expect(result).toMatchObject({ reason: 'idle', waiting: [] });
    expect(wsl.counts).toEqual(NOTHING);
  });

  test('in one that came in a handler, out of a wait, ends both; the signals stay blocked', async () => {
    const seen: unknown[] = [];
    const next: LinuxMain = function* (linux) {
      yield* linux.call(SYS.rt_sigprocmask, SIG_HOW.BLOCK, 0, 0x1_0000, 8);
      seen.push(linux.load(0x1_0000));
      // Handled, it would have come at once; by default it ends the process.
      yield* linux.sigprocmask(SIG_HOW.SETMASK, 0n);
      yield* linux.kill(yield* linux.getpid(), SIG.USR1);
      seen.push('not reached');
    };
    const { spawn, result } = await runLinux(
      function* (linux) {
        yield* linux.sigaction(SIG.USR2, function* () {
          seen.push('second');
          yield* linux.execve('/bin/next', []);
        });
        yield* linux.sigaction(SIG.USR1, function* () {
          seen.push('first');
          yield* linux.kill(1, SIG.USR2);
          seen.push('first goes on');
        });
        yield* linux.fork(function* (child) {
          yield* child.nanosleep(20e6);
          yield* child.kill(1, SIG.USR1);
        });
        yield* linux.pause();
        seen.push('main goes on');
      },
      (subsystem) => subsystem.install('/bin/next', next),
    );
    const blocked = (1 << (SIG.USR1 - 1)) | (1 << (SIG.USR2 - 1));
    expect(seen).toEqual(['first', 'second', blocked]);
    expect(spawn.waitStatus).toBe(SIG.USR1);
    expect(result).toMatchObject({ reason: 'idle', waiting: [] });
  });

  test('of a program by a program goes on with a program', async () => {
    const HANDLER = 0x40_0000;
    const PATH = 0x6000_0100;
    const marks: number[] = [];
    const { wsl } = await runLinux(
      function* (linux) {
        yield* linux.getpid();
      },
      (subsystem) => {
        const { machine } = subsystem;
        machine.onHostCall(1, (_thread: unknown, argument: number) => {
          marks.push(argument);
          return 0;
        });
        const handler = machine.loadProgram(
          program('handler', (p) => {
            const rdi = p.register();
            const rsi = p.register();
            const rdx = p.register();
            p.hostCall(1, 2).load(rdi, PATH).load(rsi, 0).load(rdx, 0);
            p.systemCall(SYS.execve).hostCall(1, 9).systemCall(SYS.rt_sigreturn);
          }),
        );
        const body = program('/bin/catches', (p) => {
          const rdi = p.register();
          const rsi = p.register();
          const rdx = p.register();
          const r10 = p.register();
          p.load(rdi, SIG.USR1).load(rsi, 0x6000_0000).load(rdx, 0).load(r10, 8);
          p.systemCall(SYS.rt_sigaction).hostCall(1, 1);
          p.systemCall(SYS.gettid).loadStatus(rdi).load(rsi, SIG.USR1).systemCall(SYS.tkill);
          p.hostCall(1, 9);
        });
        const next = program('/n', (p) => {
          const rdi = p.register();
          p.hostCall(1, 3).compute(1000).load(rdi, 0).systemCall(SYS.exit_group).hostCall(1, 9);
        });
        subsystem.install('/bin/catches', machine.loadProgram(body));
        subsystem.install('/n', machine.loadProgram(next));
        machine.sharedLong(0).value = HANDLER;
        machine.sharedLong(0x40).value = 0x6e2f;
        subsystem.spawn('/bin/catches', { code: new Map([[HANDLER, handler]]) });
      },
    );
    expect(marks).toEqual([1, 2, 3]);
    expect(wsl.counts).toEqual(NOTHING);
  });

  test('leaves what it executes free to handle signals, and to execute again', async () => {
    const seen: number[] = [];
    const again = (left: number): LinuxMain =>
      function* (linux) {
        seen.push(left);
        if (left === 0) return;
        yield* linux.sigaction(
          SIG.USR1,
          function* () {
            yield* linux.execve(`/bin/${left - 1}`, []);
          },
          SA.NODEFER,
        );
        yield* linux.sigprocmask(SIG_HOW.SETMASK, 0n);
        yield* linux.kill(yield* linux.getpid(), SIG.USR1);
      };
    const { spawn, result } = await runLinux(again(40), (wsl) => {
      for (let left = 0; left < 40; left++) wsl.install(`/bin/${left}`, again(left));
    });
    expect(seen).toHaveLength(41);
    expect(spawn.waitStatus).toBe(0);
    expect(result).toMatchObject({ reason: 'idle', waiting: [] });
  });

  test('that fails lets the handler go on', async () => {
    const seen: unknown[] = [];
    await runLinux(function* (linux) {
      yield* linux.sigaction(SIG.USR1, function* () {
        seen.push(yield* linux.execve('/none', []));
        writeLong(linux.memory, 0x1_0000, 0);
      });
      yield* linux.kill(1, SIG.USR1);
      seen.push('goes on');
    });
    expect(seen).toEqual([-2, 'goes on']);
  });
});

describe('execve', () => {
  test('with a list of strings that is longer than Linux takes is E2BIG', async () => {
    const seen: number[] = [];
    await runLinux(
      function* (linux) {
        const long = 0x1_1000;
        linux.memory.write(long, new Uint8Array(130_000).fill(0x61));
        linux.memory.write(0x1_0000, new TextEncoder().encode('/bin/next'));
        const lists = (count: number, pointer: number) => {
          for (let index = 0; index < count; index++)
            writeLong(linux.memory, 0x8_0000 + index * 8, pointer);
          writeLong(linux.memory, 0x8_0000 + count * 8, 0);
        };
        lists(20, long);
        seen.push(yield* linux.call(SYS.execve, 0x1_0000, 0x8_0000, 0));
        lists(5000, long + 129_990);
        seen.push(yield* linux.call(SYS.execve, 0x1_0000, 0, 0x8_0000));
      },
      (wsl) => wsl.install('/bin/next', function* () {}),
    );
    expect(seen).toEqual([-7, -7]);
  });
});
