import { describe, expect, test } from 'vitest';
import { STATUS } from '../../assembly/shared/status';
import { MODE } from '../../assembly/shared/types';
import { Machine } from '../../src/machine/machine';
import { OBJ } from '../../src/ob/attributes';
import { ObOpenObjectByPointer } from '../../src/ob/handle';
import { PsProcessType } from '../../src/ob/types';
import { NtTerminateProcess, ZwTerminateProcess } from '../../src/ps/control-services';
import { KeDelayExecutionThread } from '../../src/ke/time';
import { PsSetCreateProcessNotifyRoutineEx2 } from '../../src/ps/register';
import { SYS } from '../../src/subsystem/wsl/abi';
import { ERRNO } from '../../src/subsystem/wsl/errno';
import type { LinuxUser } from '../../src/subsystem/wsl/user';
import { WslSubsystem } from '../../src/subsystem/wsl/wsl';
import { runLinux } from './linux';

const WORD = 0x1_0000;

/** Forks children that wait until it fails; what with, and how many there were. */
function* forkUntilItFails(linux: LinuxUser) {
  const pids: number[] = [];
  for (;;) {
    const pid = yield* linux.fork(function* (child) {
      yield* child.pause();
    });
    if (pid < 0) return [pid, pids] as const;
    pids.push(pid);
  }
}

describe('a full table', () => {
  test.each([
    ['processes', { processes: 6 }],
    ['threads', { threads: 10 }],
    ['objects', { objects: 8 }],
  ])('of %s is EAGAIN for fork, and nothing is left of what it began', async (_name, capacities) => {
    const seen: unknown[] = [];
    const { wsl, result, spawn } = await runLinux(
      function* (linux) {
        const [failure, pids] = yield* forkUntilItFails(linux);
        seen.push(failure, pids.length > 0);
        for (const pid of pids) yield* linux.kill(pid, 9);
        for (const pid of pids) seen.push((yield* linux.wait(pid)).status);
        yield* linux.nanosleep(1e6);
        seen.push((yield* linux.fork(function* () {})) > 0);
      },
      undefined,
      { capacities, processors: 1 },
    );
    expect(seen.slice(0, 2)).toEqual([-ERRNO.EAGAIN, true]);
    expect([...new Set(seen.slice(2, -1))]).toEqual([9]);
    expect(seen.at(-1)).toBe(true);
    expect(result).toMatchObject({ reason: 'idle', waiting: [] });
    expect(spawn.waitStatus).toBe(0);
    expect(wsl.counts).toEqual({ threads: 0, processes: 0, futexes: 0 });
  });

  test('of trap frames is ENOMEM for a call that would wait', async () => {
    const seen: unknown[] = [];
    await runLinux(
      function* (linux) {
        // The first thread's wait has the only frame.
        yield* linux.spawnThread(function* (own) {
          seen.push(yield* own.futexWait(WORD, 0));
        });
        seen.push(yield* linux.futexWait(WORD, 0));
        yield* linux.call(SYS.exit_group, 0);
      },
      undefined,
      { capacities: { trapFrames: 1 }, processors: 1 },
    );
    expect(seen).toContain(-ERRNO.ENOMEM);
  });
});

describe('the Linux provider', () => {
  test('that comes when the system has booted is refused, and says so to who spawns', async () => {
    const machine = await Machine.create();
    machine.createProcess({ name: 'smss.exe' });
    const wsl = new WslSubsystem(machine);
    wsl.install('/init', function* () {});
    const spawn = wsl.spawn('/init');
    expect(machine.run()).toMatchObject({ reason: 'idle', waiting: [] });
    expect([spawn.status, spawn.pid, spawn.process]).toEqual([STATUS.TOO_LATE, 0, undefined]);
    expect(wsl.driver.state).toBe('failed');
  });

  test('refuses paths that are none, and programs that are not installed', async () => {
    const wsl = new WslSubsystem(await Machine.create());
    expect(() => wsl.install('init', function* () {})).toThrow(/give one that begins with \//);
    expect(() => wsl.spawn('/none')).toThrow(/'\/none' is not installed; call install first/);
  });
});

describe('a driver', () => {
  test('that refuses a process makes fork fail with what its status is in Linux', async () => {
    const seen: unknown[] = [];
    const { wsl } = await runLinux(
      function* (linux) {
        seen.push(yield* linux.fork(function* () {}));
        seen.push((yield* linux.wait()).pid);
      },
      (subsystem) => {
        subsystem.machine.loadDriver({
          name: 'refuser',
          *DriverEntry() {
            return yield* PsSetCreateProcessNotifyRoutineEx2(
              0,
              (_process, _id, info) => {
                if (info !== null && info.ParentProcessId !== 4)
                  info.CreationStatus = STATUS.ACCESS_DENIED;
              },
              false,
            );
          },
        });
      },
    );
    expect(seen).toEqual([-ERRNO.EACCES, -ERRNO.ECHILD]);
    expect(wsl.counts).toEqual({ threads: 0, processes: 0, futexes: 0 });
  });

  test('that ends a process by ZwTerminateProcess ends it through its provider, as SIGKILL does', async () => {
    const seen: unknown[] = [];
    await runLinux(
      function* (linux) {
        yield* linux.fork(function* (child) {
          yield* child.pause();
        });
        seen.push(yield* linux.wait());
      },
      (subsystem) => {
        const { machine } = subsystem;
        machine.systemProcess.createThread(function* () {
          yield* KeDelayExecutionThread(MODE.KernelMode, false, -200_000);
          const child = [...machine.allProcesses()].at(-1);
          if (child === undefined) return;
          const { handle } = yield* ObOpenObjectByPointer(
            child,
            OBJ.KERNEL_HANDLE,
            null,
            1,
            PsProcessType,
            MODE.KernelMode,
          );
          seen.push(yield* ZwTerminateProcess(handle, 77));
          seen.push(yield* ZwTerminateProcess(handle, 78));
        });
      },
      { processors: 2 },
    );
    expect(seen).toEqual([STATUS.SUCCESS, STATUS.PROCESS_IS_TERMINATING, { pid: 2, status: 9 }]);
  });

  test('a process of Linux may end itself by NtTerminateProcess too', async () => {
    const { spawn, result } = await runLinux(function* () {
      yield* NtTerminateProcess(-1, 5);
    });
    expect(spawn.waitStatus).toBe(9);
    expect(result).toMatchObject({ waiting: [] });
  });
});
