import { describe, expect, test } from 'vitest';
import { BUGCHECK } from '../../assembly/shared/bugcheck';
import { STATUS } from '../../assembly/shared/status';
import { IRQL, KWAIT_REASON, MODE } from '../../assembly/shared/types';
import { KeWaitForSingleObject } from '../../src/ke/ddi';
import { KeRaiseIrql } from '../../src/ke/irql';
import { KeDelayExecutionThread } from '../../src/ke/time';
import { currentGuest } from '../../src/machine/guest';
import { Machine } from '../../src/machine/machine';
import type { KThread } from '../../src/machine/views';
import { ObIsKernelHandle } from '../../src/ob/handle';
import { ObReferenceObject } from '../../src/ob/reference';
import { OBJ } from '../../src/ob/attributes';
import { NtTerminateProcess } from '../../src/ps/control-services';
import {
  IoThreadToProcess,
  PsGetProcessCreateTimeQuadPart,
  PsGetProcessExitStatus,
  PsGetProcessExitTime,
  PsGetProcessStartKey,
  PsGetThreadCreateTime,
  PsGetThreadExitStatus,
  PsGetThreadId,
  PsIsThreadTerminating,
  SeLocateProcessImageName,
} from '../../src/ps/identity';
import { processManager } from '../../src/ps/manager';
import {
  PsSetCreateProcessNotifyRoutine,
  PsSetCreateThreadNotifyRoutine,
} from '../../src/ps/register';
import { IoIsSystemThread, PsIsSystemThread } from '../../src/ps/system-thread';
import { ZwOpenThreadTokenEx } from '../../src/ps/token-services';
import { runGuest } from '../ke/guest';

const wait = (thread: KThread) =>
  KeWaitForSingleObject(thread, KWAIT_REASON.Executive, MODE.KernelMode, false, null);

describe('the status of a process and its threads', () => {
  test('PsGetProcessExitStatus and PsGetThreadExitStatus are STATUS_PENDING, then what NtTerminateProcess gave', async () => {
    const { value } = await runGuest(function* (machine) {
      const process = machine.createProcess();
      const thread = process.createThread(
        function* () {
          yield* KeDelayExecutionThread(MODE.UserMode, false, -10_000);
          yield* NtTerminateProcess(-1, 0x77);
        },
        { userMode: true },
      );
      for (const object of [process, thread]) ObReferenceObject(object);
      const statuses = () => [
        PsGetProcessExitStatus(process),
        PsGetThreadExitStatus(thread),
        PsIsThreadTerminating(thread),
        IoThreadToProcess(thread) === process,
      ];
      const before = statuses();
      yield* wait(thread);
      return [before, statuses()];
    });
    expect(value).toEqual([
      [STATUS.PENDING, STATUS.PENDING, false, true],
      [0x77, 0x77, true, true],
    ]);
  });

  test('are decided when notify routines are told of their end, and so is PsGetProcessExitTime', async () => {
    const machine = await Machine.create({ processors: 1 });
    const seen: unknown[] = [];
    machine.systemProcess.createThread(function* () {
      yield* PsSetCreateThreadNotifyRoutine((_process, _id, create) => {
        const { thread } = currentGuest('test');
        if (create || thread.process === machine.systemProcess) return;
        seen.push(['thread', PsGetThreadExitStatus(thread), PsIsThreadTerminating(thread)]);
      });
      yield* PsSetCreateProcessNotifyRoutine((_parent, _id, create) => {
        const { process } = currentGuest('test').thread;
        if (create) seen.push(['begins', PsGetProcessExitTime()]);
        else seen.push(['process', PsGetProcessExitStatus(process), PsGetProcessExitTime() > 0n]);
      }, false);
    });
    machine.run();
    const main = function* () {
      yield* NtTerminateProcess(-1, 5);
    };
    processManager(machine).createProcess({ image: 'C:\\a.exe', main });
    machine.run();
    expect(seen).toEqual([
      ['begins', 0n],
      ['thread', 5, true],
      ['process', 5, true],
    ]);
  });
});

describe('who a process is', () => {
  test('PsGetProcessStartKey is of the boot and of one process, whose id may be another’s later', async () => {
    const { value } = await runGuest(function* (machine) {
      const first = machine.createProcess();
      const key = PsGetProcessStartKey(first);
      yield* wait(first.createThread(function* () {}));
      first.close();
      const second = machine.createProcess();
      return [PsGetProcessStartKey(machine.systemProcess), key, PsGetProcessStartKey(second)];
    });
    expect(value).toEqual([0x1_0000_0000_0001n, 0x1_0000_0000_0002n, 0x1_0000_0000_0003n]);
  });

  test('PsGetProcessCreateTimeQuadPart and PsGetThreadCreateTime are system times of their making', async () => {
    const { value } = await runGuest(function* (machine) {
      const process = machine.createProcess();
      const made = machine.clock.systemTimeAt100ns(machine.now);
      yield* KeDelayExecutionThread(MODE.KernelMode, false, -10_000_000);
      const thread = process.createThread(function* () {});
      const times = [PsGetProcessCreateTimeQuadPart(process), PsGetThreadCreateTime(thread)];
      return [times[0] === made, Number((times[1] ?? 0n) - (times[0] ?? 0n)) >= 10_000_000];
    });
    expect(value).toEqual([true, true]);
  });

  test('SeLocateProcessImageName is the full name of the executable, or STATUS_NOT_FOUND', async () => {
    const { value } = await runGuest(function* (machine) {
      yield* KeDelayExecutionThread(MODE.KernelMode, false, -1);
      return [
        SeLocateProcessImageName(machine.createProcess({ name: 'C:\\tool.exe' })),
        SeLocateProcessImageName(machine.systemProcess),
      ];
    });
    expect(value).toEqual([
      { status: STATUS.SUCCESS, imageFileName: '\\Device\\HarddiskVolume3\\tool.exe' },
      { status: STATUS.NOT_FOUND, imageFileName: undefined },
    ]);
  });

  test('ZwOpenThreadTokenEx needs OBJ_KERNEL_HANDLE, a thread, and one that impersonates', async () => {
    const { value } = await runGuest(function* () {
      const open = (handle: number, attributes: number) =>
        ZwOpenThreadTokenEx(handle, 8, true, attributes);
      return [
        (yield* open(-2, 0)).status,
        (yield* open(-1, OBJ.KERNEL_HANDLE)).status,
        (yield* open(-2, OBJ.KERNEL_HANDLE)).status,
      ];
    });
    expect(value).toEqual([STATUS.INVALID_PARAMETER, STATUS.OBJECT_TYPE_MISMATCH, STATUS.NO_TOKEN]);
  });
});

test.each([
  ['PsGetThreadId', IRQL.DISPATCH_LEVEL, PsGetThreadId],
  ['IoThreadToProcess', IRQL.DISPATCH_LEVEL, IoThreadToProcess],
  ['PsGetProcessExitTime', IRQL.DISPATCH_LEVEL, () => PsGetProcessExitTime()],
  ['PsIsThreadTerminating', IRQL.DISPATCH_LEVEL, PsIsThreadTerminating],
  ['PsGetProcessStartKey', IRQL.DISPATCH_LEVEL, (of: KThread) => PsGetProcessStartKey(of.process)],
  ['PsIsSystemThread', IRQL.DISPATCH_LEVEL, PsIsSystemThread],
  ['IoIsSystemThread', IRQL.DISPATCH_LEVEL, IoIsSystemThread],
  ['PsGetThreadExitStatus', IRQL.APC_LEVEL, PsGetThreadExitStatus],
  ['ObIsKernelHandle', IRQL.APC_LEVEL, () => ObIsKernelHandle(4)],
  ['PsGetProcessExitStatus', IRQL.APC_LEVEL, (of: KThread) => PsGetProcessExitStatus(of.process)],
] as const)('%s is for levels up to %i', async (_name, highest, routine) => {
  const machine = await Machine.create({ processors: 1 });
  let reached: number | undefined;
  const thread: KThread = machine.systemProcess.createThread(function* () {
    yield* KeDelayExecutionThread(MODE.KernelMode, false, -1);
    KeRaiseIrql(highest);
    routine(thread);
    reached = machine.irql();
    KeRaiseIrql(highest + 1);
    routine(thread);
  });
  const code = BUGCHECK.DRIVER_VERIFIER_DETECTED_VIOLATION;
  expect(machine.run()).toMatchObject({ reason: 'bugcheck', code });
  expect(reached).toBe(highest);
});
