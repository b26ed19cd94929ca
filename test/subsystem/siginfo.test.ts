import { describe, expect, test } from 'vitest';
import { program } from '../../src/machine/program';
import { SA, SIG, SIG_HOW, SYS } from '../../src/subsystem/wsl/abi';
import { ERRNO } from '../../src/subsystem/wsl/errno';
import { writeWord64 } from '../../src/subsystem/wsl/memory';
import { encodeSigInfo, SI } from '../../src/subsystem/wsl/siginfo';
import { signalSet } from '../../src/subsystem/wsl/signal-calls';
import { runLinux } from './linux';

const WORDS = 0x1_0000;

describe('a handler is told', () => {
  test('who has sent its signal by kill, and that tkill is another way', async () => {
    const seen: unknown[] = [];
    await runLinux(function* (linux) {
      yield* linux.sigaction(SIG.USR1, (_signal, info) => {
        seen.push(info);
        return undefined;
      });
      const child = yield* linux.fork(function* (own) {
        yield* own.kill(1, SIG.USR1);
      });
      yield* linux.wait();
      yield* linux.call(SYS.tkill, yield* linux.gettid(), SIG.USR1);
      seen.push(child);
    });
    expect(seen).toEqual([
      { signal: SIG.USR1, code: SI.USER, pid: 2 },
      { signal: SIG.USR1, code: SI.TKILL, pid: 1 },
      2,
    ]);
  });

  test('of SIGCHLD which child, and how it ended, was stopped or went on', async () => {
    const seen: unknown[] = [];
    await runLinux(function* (linux) {
      yield* linux.sigaction(SIG.CHLD, (_signal, info) => {
        seen.push(info);
        return undefined;
      });
      const child = yield* linux.fork(function* (own) {
        yield* own.nanosleep(20e6);
        return 7;
      });
      yield* linux.kill(child, SIG.STOP);
      yield* linux.kill(child, SIG.CONT);
      yield* linux.nanosleep(100e6);
      yield* linux.nanosleep(100e6);
      const second = yield* linux.fork(function* (own) {
        yield* own.pause();
      });
      yield* linux.kill(second, SIG.TERM);
      yield* linux.nanosleep(100e6);
    });
    const of = (pid: number, code: SI, status: number) => ({ signal: SIG.CHLD, pid, code, status });
    expect(seen).toEqual([
      of(2, SI.CLD_STOPPED, SIG.STOP),
      of(2, SI.CLD_CONTINUED, SIG.CONT),
      of(2, SI.CLD_EXITED, 7),
      of(3, SI.CLD_KILLED, SIG.TERM),
    ]);
  });

  test('nothing of children that are stopped with SA_NOCLDSTOP', async () => {
    const seen: unknown[] = [];
    await runLinux(function* (linux) {
      yield* linux.sigaction(
        SIG.CHLD,
        (_signal, info) => {
          seen.push(info.code);
          return undefined;
        },
        SA.NOCLDSTOP,
      );
      const child = yield* linux.fork(function* (own) {
        yield* own.pause();
      });
      yield* linux.kill(child, SIG.STOP);
      yield* linux.kill(child, SIG.KILL);
      yield* linux.nanosleep(50e6);
    });
    expect(seen).toEqual([SI.CLD_KILLED]);
  });

  test('of a signal that came twice while it was blocked, once, by the first', async () => {
    const seen: unknown[] = [];
    await runLinux(function* (linux) {
      yield* linux.sigaction(SIG.USR1, (_signal, { pid }) => {
        seen.push(pid);
        return undefined;
      });
      yield* linux.sigprocmask(SIG_HOW.BLOCK, signalSet(SIG.USR1));
      for (let child = 0; child < 2; child++) {
        yield* linux.fork(function* (own) {
          yield* own.kill(1, SIG.USR1);
        });
        yield* linux.wait();
      }
      yield* linux.sigprocmask(SIG_HOW.UNBLOCK, signalSet(SIG.USR1));
    });
    expect(seen).toEqual([2]);
  });

  test('in its second register, where that is a program that says SA_SIGINFO: it may write it', async () => {
    const HANDLER = 0x40_0000;
    const { machine, output } = await runLinux(
      function* (linux) {
        yield* linux.getpid();
      },
      (wsl) => {
        const { machine } = wsl;
        const handler = machine.loadProgram(
          // The registers of a handler are its signal, siginfo and context: write(1, siginfo, 20).
          program('handler', (p) => {
            const rdi = p.register();
            p.register();
            const rdx = p.register();
            p.load(rdi, 1).load(rdx, 20).systemCall(SYS.write).systemCall(SYS.rt_sigreturn);
          }),
        );
        const body = program('/bin/catches', (p) => {
          const rdi = p.register();
          const rsi = p.register();
          const rdx = p.register();
          const r10 = p.register();
          p.load(rdi, SIG.USR1).load(rsi, 0x6000_0000).load(rdx, 0).load(r10, 8);
          p.systemCall(SYS.rt_sigaction);
          p.systemCall(SYS.getpid).loadStatus(rdi).load(rsi, SIG.USR1).systemCall(SYS.kill);
          p.load(rdi, 0).systemCall(SYS.exit_group);
        });
        wsl.install('/bin/catches', machine.loadProgram(body));
        [HANDLER, 0, SA.SIGINFO, 0, 0, 0, 0, 0].forEach((word, index) => {
          machine.sharedLong(index).value = word;
        });
        wsl.spawn('/bin/catches', { code: new Map([[HANDLER, handler]]) });
      },
    );
    // si_signo, si_errno, si_code, padding, si_pid.
    expect([...output].map((byte) => byte.charCodeAt(0))).toEqual([
      ...[SIG.USR1, 0, 0, 0],
      ...[0, 0, 0, 0],
      ...[SI.USER, 0, 0, 0],
      ...[0, 0, 0, 0],
      ...[1, 0, 0, 0],
    ]);
    expect(machine.run()).toMatchObject({ waiting: [] });
  });
});

describe('rt_sigtimedwait', () => {
  const SET = signalSet(SIG.USR1, SIG.CHLD, SIG.TERM);

  test('takes blocked signals without a handler: those that have come, the lowest first, and those that come', async () => {
    const seen: unknown[] = [];
    const { spawn } = await runLinux(function* (linux) {
      yield* linux.sigprocmask(SIG_HOW.BLOCK, SET);
      yield* linux.kill(1, SIG.TERM);
      yield* linux.kill(1, SIG.USR1);
      seen.push(yield* linux.sigtimedwait(SET), yield* linux.sigtimedwait(SET));
      yield* linux.fork(function* (child) {
        yield* child.nanosleep(40e6);
        return 5;
      });
      writeWord64(linux.memory, WORDS, SET);
      seen.push(yield* linux.call(SYS.rt_sigtimedwait, WORDS, WORDS + 8, 0, 8));
      // si_signo, si_code, si_pid and si_status.
      seen.push([8, 16, 24, 32].map((offset) => linux.load(WORDS + offset)));
    });
    expect(seen).toEqual([SIG.USR1, SIG.TERM, SIG.CHLD, [SIG.CHLD, SI.CLD_EXITED, 2, 5]]);
    expect(spawn.waitStatus).toBe(0);
  });

  test('gives up with EAGAIN, and is EINTR when another signal has been handled', async () => {
    const seen: unknown[] = [];
    await runLinux(function* (linux) {
      yield* linux.sigprocmask(SIG_HOW.BLOCK, SET);
      yield* linux.sigaction(SIG.USR2, () => {
        seen.push('handled');
        return undefined;
      });
      seen.push(yield* linux.sigtimedwait(SET, 20e6), yield* linux.sigtimedwait(SET, 0));
      yield* linux.fork(function* (child) {
        yield* child.nanosleep(20e6);
        yield* child.kill(1, SIG.USR2);
      });
      seen.push(yield* linux.sigtimedwait(signalSet(SIG.USR1)));
    });
    expect(seen).toEqual([-ERRNO.EAGAIN, -ERRNO.EAGAIN, 'handled', -ERRNO.EINTR]);
  });

  test('of two threads that wait gives a signal to one', async () => {
    const seen: unknown[] = [];
    await runLinux(function* (linux) {
      yield* linux.sigprocmask(SIG_HOW.BLOCK, SET);
      for (let index = 0; index < 2; index++)
        yield* linux.spawnThread(function* (own) {
          seen.push(yield* own.sigtimedwait(SET));
        });
      yield* linux.nanosleep(20e6);
      yield* linux.kill(1, SIG.USR1);
      yield* linux.nanosleep(20e6);
      seen.push('one');
      yield* linux.kill(1, SIG.TERM);
      yield* linux.nanosleep(20e6);
    });
    expect(seen).toEqual([SIG.USR1, 'one', SIG.TERM]);
  });

  test('refuses sets and times that are none', async () => {
    const seen: number[] = [];
    await runLinux(function* (linux) {
      const bad = 0x5000_0000;
      seen.push(yield* linux.call(SYS.rt_sigtimedwait, bad, 0, 0, 8));
      seen.push(yield* linux.call(SYS.rt_sigtimedwait, WORDS, 0, bad, 8));
      seen.push(yield* linux.call(SYS.rt_sigtimedwait, WORDS, 0, 0, 4));
      linux.store(WORDS + 8, -1);
      linux.store(WORDS + 12, -1);
      seen.push(yield* linux.call(SYS.rt_sigtimedwait, WORDS, 0, WORDS + 8, 8));
    });
    expect(seen).toEqual([-ERRNO.EFAULT, -ERRNO.EFAULT, -ERRNO.EINVAL, -ERRNO.EINVAL]);
  });
});

test('a siginfo_t has its parts where x86-64 has them', () => {
  const words = (info: Parameters<typeof encodeSigInfo>[0]) =>
    [...new Int32Array(encodeSigInfo(info).buffer)].slice(0, 8);
  expect(words({ signal: 17, code: 1, pid: 5, status: 3 })).toEqual([17, 0, 1, 0, 5, 0, 3, 0]);
  expect(words({ signal: 11, code: 1, address: 0x1_0000_0002 })).toEqual([11, 0, 1, 0, 2, 1, 0, 0]);
  expect(encodeSigInfo({ signal: 1, code: 0 })).toHaveLength(128);
});
