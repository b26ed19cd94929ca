import { describe, expect, test } from 'vitest';
import { STATUS } from '../../assembly/shared/status';
import { IRQL, KWAIT_REASON, MODE } from '../../assembly/shared/types';
import { KeStackAttachProcess } from '../../src/ke/apc';
import { KeSetEvent, KeWaitForSingleObject } from '../../src/ke/ddi';
import { KeEnterCriticalRegion, KeRaiseIrql } from '../../src/ke/irql';
import { currentGuest } from '../../src/machine/guest';
import type { CpuPort } from '../../src/machine/guest';
import { Machine } from '../../src/machine/machine';
import { program } from '../../src/machine/program';
import type { UserRegisters } from '../../src/machine/user-context';
import type { KProcess } from '../../src/machine/views';
import {
  picoProvider,
  PsRegisterPicoProvider,
  RtlWalkFrameChain,
} from '../../src/subsystem/provider';
import type {
  PsPicoProviderRoutines,
  PsPicoSystemCallInformation,
} from '../../src/subsystem/provider';
import { HostRegisters } from '../../src/subsystem/routines';
import { MEM, PAGE, addressSpace } from '../../src/ps/address-space';
import { EVENT_ACCESS, NtCreateEvent } from '../../src/ob/services/event';
import { EVENT_TYPE } from '../../src/ke/initialize';
import { ZwAllocateVirtualMemory } from '../../src/ps/memory-services';
import { picoSystemCall } from '../../src/subsystem/system-call';
import { NtYieldExecution } from '../../src/ke/time';
import { asProvider, providerOf, startPico } from './provider';

/** A CPU core that does one thing after the other. */
class ScriptPort implements CpuPort {
  readonly registers: UserRegisters = new HostRegisters();
  readonly results: number[] = [];
  private next = 0;

  constructor(private readonly script: readonly ReturnType<CpuPort['run']>[]) {}

  run(): ReturnType<CpuPort['run']> {
    if (this.next !== 0) this.results.push(this.registers.rax);
    return this.script[this.next++] ?? { usedNs: 1, reason: 'halt', status: 0 };
  }
}

describe('PsRegisterPicoProvider', () => {
  test('hands the kernel’s routines to the first driver, and is TOO_LATE for a second', async () => {
    const machine = await Machine.create();
    const seen: unknown[] = [];
    machine.systemProcess.createThread(function* () {
      const first = yield* PsRegisterPicoProvider(providerOf());
      const second = yield* PsRegisterPicoProvider(providerOf({ Name: 'other' }));
      seen.push(first.status, typeof first.picoRoutines?.CreateProcess, second);
    });
    machine.run();
    expect(seen).toEqual([
      STATUS.SUCCESS,
      'function',
      { status: STATUS.TOO_LATE, picoRoutines: null },
    ]);
    expect(picoProvider(machine)?.Name).toBe('testcore');
  });

  test('is TOO_LATE once a process has been made', async () => {
    const machine = await Machine.create();
    machine.createProcess({ name: 'smss.exe' });
    const statuses: number[] = [];
    machine.systemProcess.createThread(function* () {
      statuses.push((yield* PsRegisterPicoProvider(providerOf())).status);
    });
    machine.run();
    expect(statuses).toEqual([STATUS.TOO_LATE]);
  });

  test('without a routine, or with a range that is none, is INVALID_PARAMETER and leaves the place free', async () => {
    const machine = await Machine.create();
    const statuses: number[] = [];
    machine.systemProcess.createThread(function* () {
      const { ExitThread, ...without } = providerOf();
      const incomplete = without as ReturnType<typeof providerOf>;
      const ProtectedRanges = [{ Start: 2, End: 1 }];
      for (const routines of [incomplete, providerOf({ ProtectedRanges }), providerOf()])
        statuses.push((yield* PsRegisterPicoProvider(routines)).status);
    });
    machine.run();
    expect(statuses).toEqual([STATUS.INVALID_PARAMETER, STATUS.INVALID_PARAMETER, STATUS.SUCCESS]);
  });

  test('with ranges that the kernel is to protect is NOT_IMPLEMENTED and leaves the place free', async () => {
    const machine = await Machine.create();
    const seen: unknown[] = [];
    machine.systemProcess.createThread(function* () {
      const ProtectedRanges = [{ Start: 0x1000, End: 0x1fff }];
      seen.push(yield* PsRegisterPicoProvider(providerOf({ ProtectedRanges })));
      seen.push((yield* PsRegisterPicoProvider(providerOf({ ProtectedRanges: [] }))).status);
    });
    machine.run();
    expect(seen).toEqual([{ status: STATUS.NOT_IMPLEMENTED, picoRoutines: null }, STATUS.SUCCESS]);
  });
});

describe('DispatchSystemCall', () => {
  test('gets the calls of program, host and port threads, in their context, with their registers', async () => {
    const machine = await Machine.create();
    const seen: unknown[] = [];
    const results: unknown[] = [];
    const port = new ScriptPort([{ usedNs: 5, reason: 'syscall', number: 9, argument: 0 }]);
    Object.assign(port.registers, { rdi: 7, r9: -1 });
    const called = ({ Number: number, TrapFrame, Thread }: PsPicoSystemCallInformation) => {
      const { rax, rdi, rsi, r8, r9 } = TrapFrame;
      seen.push([number, rax, rdi, rsi, r8, r9, currentGuest('test').thread === Thread]);
      TrapFrame.rax = number * 10;
    };
    const body = machine.loadProgram(
      program('elf', (p) => {
        const rdi = p.register();
        const rsi = p.register();
        p.load(rdi, 3)
          .load(rsi, -4)
          .systemCall(5, 6)
          .ifStatus(50, () => p.exit(1));
        p.exit(2);
      }),
    );
    const statuses: number[] = [];
    const ExitProcess = ({ exitStatus }: KProcess) => {
      statuses.push(exitStatus);
    };
    asProvider(machine, { DispatchSystemCall: called, ExitProcess }, function* (routines) {
      const process = yield* startPico(machine, routines, { body });
      yield* KeWaitForSingleObject(process, KWAIT_REASON.Executive, MODE.KernelMode, false, null);
      yield* startPico(machine, routines, {
        body: function* () {
          results.push(yield* picoSystemCall(8, 2 ** 40, -2));
        },
      });
      yield* startPico(machine, routines, { body: port });
    });
    machine.run();
    expect(seen).toEqual([
      [5, 5, 3, -4, 6, 0, true],
      [8, 8, 2 ** 40, -2, 0, 0, true],
      [9, 9, 7, 0, 0, -1, true],
    ]);
    expect([statuses, results, port.results]).toEqual([[1, 0, 0], [80], [90]]);
  });

  test('may block, and its thread goes on with what it left in rax', async () => {
    const machine = await Machine.create();
    const event = machine.createEvent('synchronization');
    const port = new ScriptPort([{ usedNs: 5, reason: 'syscall', number: 1 }]);
    const dispatch = function* ({ TrapFrame, Number: number }: PsPicoSystemCallInformation) {
      if (number === 2) yield* KeSetEvent(event, 0, false);
      else yield* KeWaitForSingleObject(event, KWAIT_REASON.Executive, MODE.UserMode, false, null);
      TrapFrame.rax = -11;
    };
    const results: number[] = [];
    asProvider(machine, { DispatchSystemCall: dispatch }, function* (routines) {
      yield* startPico(machine, routines, { body: port });
      yield* startPico(machine, routines, {
        body: function* () {
          for (let turn = 0; turn < 20; turn++) yield* NtYieldExecution();
          results.push(yield* picoSystemCall(2));
        },
      });
    });
    expect(machine.run().reason).toBe('idle');
    expect([port.results, results]).toEqual([[-11], [-11]]);
  });

  test('never gets a system call of a Win32 process', async () => {
    const machine = await Machine.create();
    let calls = 0;
    const numbers: number[] = [];
    machine.onSystemCall('any', (_thread: unknown, number: number) => {
      numbers.push(number);
      return STATUS.SUCCESS;
    });
    const dispatch = () => {
      calls++;
    };
    asProvider(machine, { DispatchSystemCall: dispatch }, function* () {
      const body = machine.loadProgram(program('win32', (p) => p.systemCall(42)));
      machine.createProcess({ name: 'win32.exe' }).createThread(body);
    });
    machine.run();
    expect([calls, numbers]).toEqual([0, [42]]);
  });

  test('that throws is bugcheck SYSTEM_SERVICE_EXCEPTION, which names the provider', async () => {
    const machine = await Machine.create();
    const dispatch = () => {
      throw new RangeError('no such inode');
    };
    asProvider(machine, { DispatchSystemCall: dispatch }, function* (routines) {
      const body = machine.loadProgram(program('elf', (p) => p.systemCall(3)));
      yield* startPico(machine, routines, { body });
    });
    const result = machine.run();
    expect(result).toMatchObject({
      reason: 'bugcheck',
      name: 'SYSTEM_SERVICE_EXCEPTION',
      cause: {
        name: 'PicoProviderError',
        message: "provider 'testcore': DispatchSystemCall threw RangeError: no such inode",
      },
    });
  });

  test('that throws after a wait is the same bugcheck', async () => {
    const machine = await Machine.create();
    const dispatch = function* () {
      yield* NtYieldExecution();
      throw new Error('late');
    };
    asProvider(machine, { DispatchSystemCall: dispatch }, function* (routines) {
      const body = machine.loadProgram(program('elf', (p) => p.systemCall(3)));
      yield* startPico(machine, routines, { body });
    });
    expect(machine.run()).toMatchObject({
      name: 'SYSTEM_SERVICE_EXCEPTION',
      cause: { message: "provider 'testcore': DispatchSystemCall threw Error: late" },
    });
  });

  /** What a system call 3 ends in. */
  async function ends(
    dispatch: (machine: Machine) => ReturnType<PsPicoProviderRoutines['DispatchSystemCall']>,
  ) {
    const machine = await Machine.create({ processors: 1 });
    const routines = { DispatchSystemCall: () => dispatch(machine) };
    asProvider(machine, routines, function* (kernel) {
      const body = machine.loadProgram(program('elf', (p) => p.systemCall(3)));
      yield* startPico(machine, kernel, { body });
    });
    return machine.run();
  }

  test('that returns above PASSIVE_LEVEL is bugcheck IRQL_GT_ZERO_AT_SYSTEM_SERVICE', async () => {
    const plain = await ends(() => void KeRaiseIrql(IRQL.APC_LEVEL));
    expect(plain).toMatchObject({
      code: 0x4a,
      name: 'IRQL_GT_ZERO_AT_SYSTEM_SERVICE',
      parameters: [3n, 1n, 0n, 0n],
      cause: {
        message:
          "provider 'testcore': DispatchSystemCall of 3 returned at IRQL 1; lower what it raised",
      },
    });
    const later = await ends(function* () {
      yield* NtYieldExecution();
      KeRaiseIrql(IRQL.DISPATCH_LEVEL);
    });
    expect(later).toMatchObject({ code: 0x4a, parameters: [3n, 2n, 0n, 0n] });
  });

  test('that returns in a region, owning a mutex or attached is bugcheck APC_INDEX_MISMATCH', async () => {
    const inRegion = await ends(() => KeEnterCriticalRegion());
    expect(inRegion).toMatchObject({
      name: 'APC_INDEX_MISMATCH',
      parameters: [3n, 0n, 0xffffn, 0n],
    });
    const owning = await ends(function* (machine) {
      const mutex = machine.createMutex();
      yield* KeWaitForSingleObject(mutex, KWAIT_REASON.Executive, MODE.KernelMode, false, null);
    });
    expect(owning).toMatchObject({
      name: 'APC_INDEX_MISMATCH',
      parameters: [3n, 0n, 0xffffn, 0n],
    });
    const attached = await ends(function* (machine) {
      yield* KeStackAttachProcess(machine.createProcess({ name: 'other' }));
    });
    expect(attached).toMatchObject({ name: 'APC_INDEX_MISMATCH', parameters: [3n, 1n, 0n, 0n] });
  });

  test('for which the kernel has no trap frame comes to NoResourcesResult', async () => {
    const machine = await Machine.create({ capacities: { trapFrames: 1 } });
    const event = machine.createEvent('notification');
    const dispatch = function* () {
      yield* KeWaitForSingleObject(event, KWAIT_REASON.Executive, MODE.UserMode, false, null);
    };
    const first = new ScriptPort([{ usedNs: 1, reason: 'syscall', number: 1 }]);
    const results: number[] = [];
    const provider = { DispatchSystemCall: dispatch, NoResourcesResult: -12 };
    asProvider(machine, provider, function* (routines) {
      yield* startPico(machine, routines, { body: first });
      for (let turn = 0; turn < 20; turn++) yield* NtYieldExecution();
      yield* startPico(machine, routines, {
        body: function* () {
          results.push(yield* picoSystemCall(1));
        },
      });
    });
    machine.run();
    expect(results).toEqual([-12]);
  });
});

describe('DispatchException', () => {
  test('gets a fault of a port first; the thread goes on if it is handled', async () => {
    const machine = await Machine.create();
    const port = new ScriptPort([{ usedNs: 3, reason: 'fault', status: STATUS.ACCESS_VIOLATION }]);
    const seen: unknown[] = [];
    const provider = {
      DispatchException: (_thread: unknown, record: object, frame: UserRegisters) => {
        seen.push(record);
        frame.rax = 99;
        return true;
      },
    };
    asProvider(machine, provider, function* (routines) {
      yield* startPico(machine, routines, { body: port });
    });
    machine.run();
    expect(seen).toEqual([{ ExceptionCode: STATUS.ACCESS_VIOLATION }]);
    expect(port.results).toEqual([99]);
  });

  test('that does not handle it ends the process with its status, every thread', async () => {
    const machine = await Machine.create();
    const event = machine.createEvent('notification');
    const port = new ScriptPort([{ usedNs: 3, reason: 'fault', status: STATUS.ACCESS_VIOLATION }]);
    const ended: unknown[] = [];
    const provider = {
      ExitThread: () => {
        ended.push('thread');
      },
      ExitProcess: ({ exitStatus }: KProcess) => {
        ended.push(exitStatus);
      },
    };
    asProvider(machine, provider, function* (routines) {
      const body = machine.loadProgram(
        program('waits', (p) => p.wait(event, { mode: MODE.UserMode })),
      );
      const process = yield* startPico(machine, routines, { body });
      const second = yield* routines.CreateThread({
        Process: process,
        Context: null,
        StartRoutine: port,
      });
      if (second.thread !== undefined) yield* routines.ResumeThread(second.thread);
    });
    expect(machine.run()).toMatchObject({ reason: 'idle', waiting: [] });
    expect(ended).toEqual(['thread', 'thread', STATUS.ACCESS_VIOLATION]);
  });

  test('never hears of a fault of a Win32 process, which ends its thread', async () => {
    const machine = await Machine.create();
    let calls = 0;
    const provider = {
      DispatchException: () => {
        calls++;
        return true;
      },
    };
    const port = new ScriptPort([{ usedNs: 3, reason: 'fault', status: STATUS.ACCESS_VIOLATION }]);
    let status: number | undefined;
    asProvider(machine, provider, function* () {
      const thread = machine.createProcess({ name: 'win32.exe' }).createThread(port);
      yield* KeWaitForSingleObject(thread, KWAIT_REASON.Executive, MODE.KernelMode, false, null);
      status = thread.exitStatus;
    });
    machine.run();
    expect([calls, status]).toEqual([0, STATUS.ACCESS_VIOLATION]);
  });
});

describe('the kernel’s routines', () => {
  test('keep the contexts of a provider', async () => {
    const machine = await Machine.create();
    const seen: unknown[] = [];
    asProvider(machine, {}, function* (routines) {
      const context = { pid: 1 };
      const body = machine.loadProgram(program('elf', (p) => p.compute(10)));
      const process = yield* startPico(machine, routines, { body, context });
      const [thread] = process.threads();
      seen.push(routines.GetProcessContext(process) === context);
      seen.push(thread !== undefined && routines.GetThreadContext(thread) === context);
    });
    machine.run();
    expect(seen).toEqual([true, true]);
  });

  test('set the registers of a thread that has not been started', async () => {
    const machine = await Machine.create();
    const seen: number[] = [];
    const dispatch = ({ TrapFrame }: PsPicoSystemCallInformation) => {
      seen.push(TrapFrame.rsi);
    };
    asProvider(machine, { DispatchSystemCall: dispatch }, function* (routines) {
      const { process } = yield* routines.CreateProcess({
        ParentProcess: machine.systemProcess,
        Context: null,
      });
      if (process === undefined) return;
      const { thread } = yield* routines.CreateThread({
        Process: process,
        Context: null,
        StartRoutine: machine.loadProgram(program('elf', (p) => p.systemCall(1))),
      });
      if (thread === undefined) return;
      routines.SetContextThreadInternal(thread, { rsi: -5 });
      seen.push(routines.GetContextThreadInternal(thread).rsi);
      yield* routines.ResumeThread(thread);
    });
    machine.run();
    expect(seen).toEqual([-5, -5]);
  });

  test('suspend a thread and let it go on', async () => {
    const machine = await Machine.create();
    const counts: number[] = [];
    asProvider(machine, {}, function* (routines) {
      const body = machine.loadProgram(program('elf', (p) => p.compute(1_000_000)));
      const process = yield* startPico(machine, routines, { body });
      const [thread] = process.threads();
      if (thread === undefined) return;
      counts.push(yield* routines.SuspendThread(thread));
      counts.push(yield* routines.SuspendThread(thread));
      counts.push(yield* routines.ResumeThread(thread), yield* routines.ResumeThread(thread));
      counts.push(yield* routines.TerminateThread(thread, 3));
      yield* KeWaitForSingleObject(thread, KWAIT_REASON.Executive, MODE.KernelMode, false, null);
    });
    expect(machine.run()).toMatchObject({ reason: 'idle', waiting: [] });
    expect(counts).toEqual([0, 1, 2, 1, STATUS.SUCCESS]);
  });

  test.each([
    'ExitThread',
    'ExitProcess',
  ] as const)('are given by a provider whose %s throws: the bugcheck names it', async (routine) => {
    const machine = await Machine.create();
    const provider = {
      [routine]: () => {
        throw new Error('gone');
      },
    };
    asProvider(machine, provider, function* (routines) {
      const body = machine.loadProgram(program('elf', (p) => p.compute(10)));
      yield* startPico(machine, routines, { body });
    });
    expect(machine.run()).toMatchObject({
      name: 'SYSTEM_SERVICE_EXCEPTION',
      cause: { message: `provider 'testcore': ${routine} threw Error: gone` },
    });
  });

  test('end a process once, and leave no rows behind', async () => {
    const machine = await Machine.create({ capacities: { processes: 3, threads: 6 } });
    const statuses: number[] = [];
    const ExitProcess = ({ exitStatus }: KProcess) => {
      statuses.push(exitStatus);
    };
    asProvider(machine, { ExitProcess }, function* (routines) {
      for (let turn = 0; turn < 10; turn++) {
        const event = machine.createEvent('notification');
        const body = machine.loadProgram(
          program('waits', (p) => p.wait(event, { mode: MODE.UserMode })),
        );
        const process = yield* startPico(machine, routines, { body });
        for (let yields = 0; yields < 3; yields++) yield* NtYieldExecution();
        statuses.push(yield* routines.TerminateProcess(process, 7));
        statuses.push(yield* routines.TerminateProcess(process, 8));
        yield* KeWaitForSingleObject(process, KWAIT_REASON.Executive, MODE.KernelMode, false, null);
        yield* NtYieldExecution();
      }
    });
    machine.run();
    const once = [STATUS.SUCCESS, STATUS.PROCESS_IS_TERMINATING, 7];
    expect(statuses).toEqual(Array.from({ length: 10 }, () => once).flat());
  });

  test.each([
    false,
    true,
  ])('a process whose provider hears of its end leaves no memory and takes as long, with a handle: %s', async (withHandle) => {
    const machine = await Machine.create({ profile: { costs: { ddi: 100_000 } } });
    const seen: number[] = [];
    const ended = { at: 0 };
    const ExitProcess = () => {
      ended.at = machine.now;
    };
    asProvider(machine, { ExitProcess }, function* (routines) {
      const process = yield* startPico(machine, routines, {
        *body() {
          yield* ZwAllocateVirtualMemory(
            -1,
            0,
            0,
            0x2000,
            MEM.COMMIT | MEM.RESERVE,
            PAGE.READWRITE,
          );
          if (withHandle)
            yield* NtCreateEvent(
              EVENT_ACCESS.ALL_ACCESS,
              null,
              EVENT_TYPE.NotificationEvent,
              false,
            );
          seen.push(addressSpace(currentGuest('test').thread.process).privateBytes);
        },
      });
      yield* KeWaitForSingleObject(process, KWAIT_REASON.Executive, MODE.KernelMode, false, null);
      seen.push(addressSpace(process).privateBytes, machine.now - ended.at);
    });
    machine.run();
    expect(seen).toEqual([0x2000, 0, 201_000]);
  });

  test('RtlWalkFrameChain walks the user stack of a pico thread as its provider does', async () => {
    const machine = await Machine.create();
    const seen: unknown[] = [];
    const provider = {
      WalkUserStack: () => [0x400100, 0x400200, 0x400300],
      DispatchSystemCall: () => {
        seen.push(RtlWalkFrameChain(2, 1));
      },
    };
    asProvider(machine, provider, function* (routines) {
      seen.push(RtlWalkFrameChain(2, 1));
      const body = machine.loadProgram(program('elf', (p) => p.systemCall(1)));
      yield* startPico(machine, routines, { body });
    });
    machine.run();
    expect(seen).toEqual([[], [0x400100, 0x400200]]);
  });
});
