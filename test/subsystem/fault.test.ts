import { describe, expect, test } from 'vitest';
import { STATUS } from '../../assembly/shared/status';
import { MODE } from '../../assembly/shared/types';
import { KeDelayExecutionThread } from '../../src/ke/time';
import { Machine } from '../../src/machine/machine';
import { program } from '../../src/machine/program';
import type { KProcess } from '../../src/machine/views';
import { PsGetProcessExitStatus } from '../../src/ps/identity';
import { PsSetCreateProcessNotifyRoutineEx2 } from '../../src/ps/register';
import { picoFault } from '../../src/subsystem/system-call';
import { SA, SIG, SIG_HOW, SYS } from '../../src/subsystem/wsl/abi';
import { SI } from '../../src/subsystem/wsl/siginfo';
import { signalSet } from '../../src/subsystem/wsl/signal-calls';
import type { LinuxUser } from '../../src/subsystem/wsl/user';
import { runLinux } from './linux';
import { asProvider, startPico } from './provider';

describe('DispatchException', () => {
  test('gets a fault of a host thread first, with what it says; the thread goes on if it is handled', async () => {
    const machine = await Machine.create();
    const seen: unknown[] = [];
    const provider = {
      DispatchException: function* (_thread: unknown, record: object) {
        seen.push(record);
        yield* KeDelayExecutionThread(MODE.KernelMode, false, -10);
        return true;
      },
    };
    asProvider(machine, provider, function* (routines) {
      yield* startPico(machine, routines, {
        body: function* () {
          yield* picoFault(STATUS.ACCESS_VIOLATION, [1, 0x1234]);
          seen.push('goes on');
          yield* picoFault(STATUS.INTEGER_DIVIDE_BY_ZERO);
        },
      });
    });
    machine.run();
    expect(seen).toEqual([
      { ExceptionCode: STATUS.ACCESS_VIOLATION, ExceptionInformation: [1, 0x1234] },
      'goes on',
      { ExceptionCode: STATUS.INTEGER_DIVIDE_BY_ZERO },
    ]);
  });

  test('that does not handle one of a host or program thread ends the process with its status', async () => {
    const machine = await Machine.create();
    const ended: unknown[] = [];
    const provider = {
      ExitProcess: ({ exitStatus }: KProcess) => {
        ended.push(exitStatus);
      },
    };
    asProvider(machine, provider, function* (routines) {
      yield* startPico(machine, routines, {
        body: function* () {
          yield* picoFault(STATUS.STACK_OVERFLOW);
          ended.push('goes on');
        },
      });
      const divides = program('divides', (p) => p.fault(STATUS.INTEGER_DIVIDE_BY_ZERO).mark(1));
      yield* startPico(machine, routines, { body: machine.loadProgram(divides) });
    });
    expect(machine.run()).toMatchObject({ reason: 'idle', waiting: [] });
    expect(ended).toEqual([STATUS.STACK_OVERFLOW, STATUS.INTEGER_DIVIDE_BY_ZERO]);
  });

  test('is not for threads of other processes: a host thread of Win32 is told so, a program ends', async () => {
    const machine = await Machine.create();
    const divides = program('divides', (p) => p.fault(STATUS.INTEGER_DIVIDE_BY_ZERO));
    const win32 = machine.createProcess({ name: 'win32.exe' });
    const thread = win32.createThread(machine.loadProgram(divides));
    expect(machine.run()).toMatchObject({ reason: 'idle', waiting: [] });
    expect(thread.exitStatus).toBe(STATUS.INTEGER_DIVIDE_BY_ZERO);
    win32.createThread(() => picoFault(STATUS.BREAKPOINT)[Symbol.iterator]() as never, {
      name: 'host',
    });
    expect(() => machine.run()).toThrow(/picoFault: thread 'host' is of no pico process/);
  });

  test('is not for the kernel: a fault of a system thread is bugcheck SYSTEM_THREAD_EXCEPTION_NOT_HANDLED', async () => {
    const machine = await Machine.create();
    const faults = program('faults', (p) => p.fault(STATUS.ACCESS_VIOLATION));
    machine.systemProcess.createThread(machine.loadProgram(faults), { userMode: false });
    expect(machine.run()).toMatchObject({
      reason: 'bugcheck',
      name: 'SYSTEM_THREAD_EXCEPTION_NOT_HANDLED',
      parameters: [0xc0000005n, 0n, 0n, 0n],
    });
  });
});

/** Forks a child that faults; what it ended with. */
function* faults(linux: LinuxUser, status: number) {
  yield* linux.fork(function* (child) {
    yield* child.fault(status);
    yield* child.exitGroup(99);
  });
  return (yield* linux.wait()).status;
}

describe('a fault of a process of Linux', () => {
  test.each([
    ['an access violation', STATUS.ACCESS_VIOLATION, SIG.SEGV],
    ['a stack overflow', STATUS.STACK_OVERFLOW, SIG.SEGV],
    ['a privileged instruction', STATUS.PRIVILEGED_INSTRUCTION, SIG.SEGV],
    ['an integer division by zero', STATUS.INTEGER_DIVIDE_BY_ZERO, SIG.FPE],
    ['an integer overflow', STATUS.INTEGER_OVERFLOW, SIG.FPE],
    ['a floating-point underflow', STATUS.FLOAT_UNDERFLOW, SIG.FPE],
    ['an illegal instruction', STATUS.ILLEGAL_INSTRUCTION, SIG.ILL],
    ['a breakpoint', STATUS.BREAKPOINT, SIG.TRAP],
    ['a misaligned access', STATUS.DATATYPE_MISALIGNMENT, SIG.BUS],
    ['a failed page-in', STATUS.IN_PAGE_ERROR, SIG.BUS],
  ])('%s is a signal that ends it', async (_name, status, signal) => {
    const seen: number[] = [];
    const { wsl } = await runLinux(function* (linux) {
      seen.push(yield* faults(linux, status));
    });
    expect(seen).toEqual([signal]);
    expect(wsl.counts).toEqual({ threads: 0, processes: 0, futexes: 0 });
  });

  test('ends NT’s process with its status, and the exit status of a signal is told to its parent', async () => {
    const seen: unknown[] = [];
    const { spawn } = await runLinux(
      function* (linux) {
        yield* linux.fault(STATUS.INTEGER_DIVIDE_BY_ZERO);
      },
      ({ machine }) => {
        machine.loadDriver({
          name: 'watcher',
          *DriverEntry() {
            return yield* PsSetCreateProcessNotifyRoutineEx2(
              0,
              (process, _id, info) => {
                if (info === null) seen.push(PsGetProcessExitStatus(process));
              },
              false,
            );
          },
        });
      },
    );
    expect(seen).toEqual([STATUS.INTEGER_DIVIDE_BY_ZERO]);
    expect(spawn.waitStatus).toBe(SIG.FPE);
  });

  test('comes to its handler, which learns the address, and then goes on', async () => {
    const seen: unknown[] = [];
    await runLinux(function* (linux) {
      yield* linux.sigaction(
        SIG.SEGV,
        (signal, info) => {
          seen.push(signal, info);
          return undefined;
        },
        SA.SIGINFO,
      );
      yield* linux.fault(STATUS.ACCESS_VIOLATION, 0xdead_beef, 1);
      seen.push('goes on');
    });
    expect(seen).toEqual([
      SIG.SEGV,
      { signal: SIG.SEGV, code: SI.SEGV_MAPERR, address: 0xdead_beef },
      'goes on',
    ]);
  });

  test('blocked or ignored ends it all the same', async () => {
    const seen: number[] = [];
    await runLinux(function* (linux) {
      yield* linux.sigaction(SIG.FPE, 'ignore');
      seen.push(yield* faults(linux, STATUS.INTEGER_DIVIDE_BY_ZERO));
      yield* linux.sigaction(SIG.SEGV, () => undefined);
      yield* linux.sigprocmask(SIG_HOW.BLOCK, signalSet(SIG.SEGV));
      seen.push(yield* faults(linux, STATUS.ACCESS_VIOLATION));
    });
    expect(seen).toEqual([SIG.FPE, SIG.SEGV]);
  });

  test('of one thread ends every other', async () => {
    const { spawn, result } = await runLinux(function* (linux) {
      yield* linux.spawnThread(function* (own) {
        yield* own.call(SYS.pause);
      });
      yield* linux.nanosleep(20e6);
      yield* linux.fault(STATUS.ACCESS_VIOLATION);
    });
    expect(spawn.waitStatus).toBe(SIG.SEGV);
    expect(result).toMatchObject({ reason: 'idle', waiting: [] });
  });

  test('of a program is one too', async () => {
    const seen: number[] = [];
    await runLinux(
      function* (linux) {
        yield* linux.fork(function* (child) {
          yield* child.execve('/bin/divides', []);
        });
        seen.push((yield* linux.wait()).status);
      },
      (wsl) => {
        const divides = program('divides', (p) => p.fault(STATUS.INTEGER_DIVIDE_BY_ZERO));
        wsl.install('/bin/divides', wsl.machine.loadProgram(divides));
      },
    );
    expect(seen).toEqual([SIG.FPE]);
  });
});
