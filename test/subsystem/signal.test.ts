import { describe, expect, test } from 'vitest';
import { program } from '../../src/machine/program';
import { SA, SIG, SIG_HOW, SYS } from '../../src/subsystem/wsl/abi';
import { ERRNO } from '../../src/subsystem/wsl/errno';
import { writeLong } from '../../src/subsystem/wsl/memory';
import { signalSet } from '../../src/subsystem/wsl/signal-calls';
import { runLinux } from './linux';

describe('kill', () => {
  test('with signal 0 asks whether there is such a process, and refuses what is no signal', async () => {
    const seen: number[] = [];
    await runLinux(function* (linux) {
      seen.push(yield* linux.kill(1, 0));
      seen.push(yield* linux.kill(77, 0));
      seen.push(yield* linux.kill(1, 65));
      seen.push(yield* linux.kill(1, -1));
    });
    expect(seen).toEqual([0, -ERRNO.ESRCH, -ERRNO.EINVAL, -ERRNO.EINVAL]);
  });

  test('of SIGKILL and SIGSTOP cannot be caught, ignored or blocked', async () => {
    const seen: unknown[] = [];
    await runLinux(function* (linux) {
      seen.push(yield* linux.sigaction(SIG.KILL, 'ignore'));
      seen.push(yield* linux.sigaction(SIG.STOP, () => undefined));
      const child = yield* linux.fork(function* (own) {
        yield* own.sigprocmask(SIG_HOW.SETMASK, 2n ** 64n - 1n);
        for (;;) yield* own.pause();
      });
      yield* linux.nanosleep(40e6);
      seen.push(yield* linux.kill(child, SIG.KILL), yield* linux.wait());
    });
    expect(seen).toEqual([-ERRNO.EINVAL, -ERRNO.EINVAL, 0, { pid: 2, status: SIG.KILL }]);
  });

  test('of a process that only computes ends it at once', async () => {
    const seen: unknown[] = [];
    await runLinux(
      function* (linux) {
        const child = yield* linux.fork(function* (own) {
          yield* own.execve('/bin/spin', []);
        });
        yield* linux.nanosleep(40e6);
        seen.push(yield* linux.kill(child, SIG.INT), yield* linux.wait());
      },
      (wsl) => {
        const spin = program('spin', (p) => p.forever(() => p.compute(1e9)));
        wsl.install('/bin/spin', wsl.machine.loadProgram(spin));
      },
      { processors: 2 },
    );
    expect(seen).toEqual([0, { pid: 2, status: SIG.INT }]);
  });

  test('of a group by its negated id, and of all but init and the caller by -1', async () => {
    const seen: unknown[] = [];
    await runLinux(function* (linux) {
      for (let index = 0; index < 2; index++) {
        yield* linux.fork(function* (own) {
          yield* own.call(SYS.setpgid, 0, index === 0 ? 0 : 2);
          yield* own.pause();
        });
        yield* linux.nanosleep(20e6);
      }
      yield* linux.fork(function* (own) {
        yield* own.pause();
      });
      yield* linux.nanosleep(20e6);
      seen.push(yield* linux.kill(-2, SIG.HUP));
      seen.push((yield* linux.wait()).status, (yield* linux.wait()).status);
      seen.push(yield* linux.kill(-1, SIG.USR1));
      seen.push((yield* linux.wait()).status);
    });
    expect(seen).toEqual([0, SIG.HUP, SIG.HUP, 0, SIG.USR1]);
  });

  test('of SIGSTOP stops a process until SIGCONT, whatever it waits for', async () => {
    const seen: unknown[] = [];
    await runLinux(function* (linux) {
      const start = yield* linux.clock(1);
      const child = yield* linux.fork(function* (own) {
        yield* own.nanosleep(20e6);
        seen.push(Math.round(((yield* own.clock(1)) - start) / 1e8));
      });
      yield* linux.kill(child, SIG.STOP);
      yield* linux.nanosleep(300e6);
      seen.push('continues');
      yield* linux.kill(child, SIG.CONT);
      yield* linux.wait();
    });
    expect(seen).toEqual(['continues', 3]);
  });
});

describe('a handler', () => {
  test('runs in a thread that computes, before what that does next', async () => {
    const order: string[] = [];
    await runLinux(
      function* (linux) {
        yield* linux.sigaction(SIG.USR1, () => {
          order.push('handler');
          return undefined;
        });
        yield* linux.fork(function* (own) {
          yield* own.kill(1, SIG.USR1);
          order.push('sent');
        });
        for (let turn = 0; turn < 3; turn++) yield* linux.schedYield();
        yield* linux.wait();
        order.push('goes on');
      },
      undefined,
      { processors: 1 },
    );
    expect(order).toEqual(['sent', 'handler', 'goes on']);
  });

  test('makes system calls of its own, and what it interrupted goes on', async () => {
    const seen: unknown[] = [];
    const { output } = await runLinux(function* (linux) {
      yield* linux.sigaction(SIG.USR2, function* () {
        yield* linux.write(1, 'in the handler\n');
      });
      seen.push(yield* linux.kill(1, SIG.USR2));
      yield* linux.write(1, 'after it\n');
    });
    expect([seen, output]).toEqual([[0], 'in the handler\nafter it\n']);
  });

  test('with SA_RESTART lets the call that it interrupted be made again', async () => {
    const seen: unknown[] = [];
    await runLinux(function* (linux) {
      const [read, write] = yield* linux.pipe();
      yield* linux.sigaction(
        SIG.USR1,
        () => {
          seen.push('handler');
          return undefined;
        },
        SA.RESTART,
      );
      yield* linux.fork(function* (own) {
        yield* own.nanosleep(20e6);
        yield* own.kill(1, SIG.USR1);
        yield* own.nanosleep(20e6);
        yield* own.write(write, 'x');
      });
      seen.push(yield* linux.readText(read));
    });
    expect(seen).toEqual(['handler', 'x']);
  });

  test('has its signal and its mask blocked while it runs; what comes meanwhile comes after it', async () => {
    const order: string[] = [];
    await runLinux(function* (linux) {
      yield* linux.sigaction(
        SIG.USR1,
        function* () {
          order.push('1 begins');
          yield* linux.kill(1, SIG.USR1);
          yield* linux.kill(1, SIG.USR2);
          order.push('1 ends');
        },
        SA.RESETHAND,
        signalSet(SIG.USR2),
      );
      yield* linux.sigaction(SIG.USR2, () => {
        order.push('2');
        return undefined;
      });
      yield* linux.sigprocmask(SIG_HOW.BLOCK, signalSet(SIG.TERM));
      yield* linux.kill(1, SIG.USR1);
    });
    // SA_RESETHAND: the second SIGUSR1 ends the process.
    expect(order).toEqual(['1 begins', '1 ends']);
  });

  test('of a blocked signal waits until that is unblocked', async () => {
    const order: string[] = [];
    await runLinux(function* (linux) {
      yield* linux.sigaction(SIG.USR1, () => {
        order.push('handler');
        return undefined;
      });
      yield* linux.sigprocmask(SIG_HOW.BLOCK, signalSet(SIG.USR1));
      yield* linux.kill(1, SIG.USR1);
      order.push('blocked');
      yield* linux.sigprocmask(SIG_HOW.UNBLOCK, signalSet(SIG.USR1));
      order.push('unblocked');
    });
    expect(order).toEqual(['blocked', 'handler', 'unblocked']);
  });

  test('comes in rt_sigsuspend, which gives the mask back', async () => {
    const seen: unknown[] = [];
    await runLinux(function* (linux) {
      yield* linux.sigaction(SIG.USR1, () => {
        seen.push('handler');
        return undefined;
      });
      yield* linux.sigprocmask(SIG_HOW.BLOCK, signalSet(SIG.USR1));
      yield* linux.kill(1, SIG.USR1);
      seen.push(yield* linux.sigsuspend(0n));
      yield* linux.kill(1, SIG.USR1);
      seen.push('still blocked');
    });
    expect(seen).toEqual(['handler', -ERRNO.EINTR, 'still blocked']);
  });

  test('of a program is a program, whose last call is rt_sigreturn', async () => {
    const marks: unknown[] = [];
    const HANDLER = 0x40_0000;
    const { machine } = await runLinux(
      function* (linux) {
        // What execve would leave: the action is of the process that is spawned below.
        yield* linux.getpid();
      },
      (wsl) => {
        const { machine } = wsl;
        machine.onHostCall(1, (_thread: unknown, argument: number) => {
          marks.push(argument);
          return 0;
        });
        const handler = machine.loadProgram(
          program('handler', (p) => p.hostCall(1, 2).systemCall(SYS.rt_sigreturn)),
        );
        const body = program('/bin/catches', (p) => {
          const rdi = p.register();
          const rsi = p.register();
          const rdx = p.register();
          const r10 = p.register();
          p.load(rdi, SIG.USR1).load(rsi, 0x6000_0000).load(rdx, 0).load(r10, 8);
          p.systemCall(SYS.rt_sigaction).hostCall(1, 1);
          p.systemCall(SYS.gettid).loadStatus(rdi).load(rsi, SIG.USR1).systemCall(SYS.tkill);
          p.hostCall(1, 3).load(rdi, 0).systemCall(SYS.exit_group);
        });
        wsl.install('/bin/catches', machine.loadProgram(body));
        // struct sigaction in the words that programs share.
        [HANDLER, 0, 0, 0, 0, 0, 0, 0].forEach((word, index) => {
          machine.sharedLong(index).value = word;
        });
        wsl.spawn('/bin/catches', { code: new Map([[HANDLER, handler]]) });
      },
    );
    expect(marks).toEqual([1, 2, 3]);
    expect(machine.run()).toMatchObject({ waiting: [] });
  });
});

describe('SIGCHLD', () => {
  test('ignored lets children go without being waited for', async () => {
    const seen: unknown[] = [];
    const { wsl } = await runLinux(function* (linux) {
      yield* linux.sigaction(SIG.CHLD, 'ignore');
      yield* linux.fork(function* (own) {
        yield* own.nanosleep(20e6);
      });
      seen.push(yield* linux.wait());
    });
    expect(seen).toEqual([{ pid: -ERRNO.ECHILD, status: 0 }]);
    expect(wsl.counts.processes).toBe(0);
  });
});

describe('SIGPIPE', () => {
  test('ends who writes where nobody reads; ignored it is EPIPE', async () => {
    const seen: unknown[] = [];
    await runLinux(function* (linux) {
      const [read, write] = yield* linux.pipe();
      yield* linux.close(read);
      yield* linux.fork(function* (own) {
        yield* own.write(write, 'x');
      });
      seen.push((yield* linux.wait()).status);
      yield* linux.sigaction(SIG.PIPE, 'ignore');
      seen.push(yield* linux.write(write, 'x'));
    });
    expect(seen).toEqual([SIG.PIPE, -ERRNO.EPIPE]);
  });
});

describe('bad pointers', () => {
  test('are EFAULT', async () => {
    const seen: number[] = [];
    await runLinux(function* (linux) {
      const bad = 0x5000_0000;
      seen.push(yield* linux.call(SYS.rt_sigaction, SIG.USR1, bad, 0, 8));
      seen.push(yield* linux.call(SYS.rt_sigaction, SIG.USR1, 0, bad, 8));
      seen.push(yield* linux.call(SYS.rt_sigprocmask, 0, bad, 0, 8));
      seen.push(yield* linux.call(SYS.pipe2, bad, 0));
      seen.push(yield* linux.call(SYS.write, 1, bad, 5));
      seen.push(yield* linux.call(SYS.write, 1, -1, 5));
      seen.push(yield* linux.call(SYS.futex, bad, 0, 0, 0));
      seen.push(yield* linux.call(SYS.futex, bad, 1, 1));
      seen.push(yield* linux.call(SYS.nanosleep, bad, 0));
      seen.push(yield* linux.call(SYS.clock_gettime, 1, bad));
      seen.push(yield* linux.call(SYS.execve, bad, 0, 0));
      seen.push(yield* linux.call(SYS.poll, bad, 1, 0));
      seen.push(yield* linux.call(SYS.sched_getparam, 0, bad));
      writeLong(linux.memory, 0x1_0000, bad);
      seen.push(yield* linux.call(SYS.execve, 0x1_0008, 0x1_0000, 0));
      yield* linux.fork(function* (own) {
        yield* own.exit(0);
      });
      seen.push(yield* linux.call(SYS.wait4, -1, bad, 0, 0));
    });
    expect([...new Set(seen)]).toEqual([-ERRNO.EFAULT]);
    expect(seen).toHaveLength(15);
  });
});
