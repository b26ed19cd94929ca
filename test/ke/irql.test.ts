import { describe, expect, test } from 'vitest';
import { IRQL, KWAIT_REASON, MODE } from '../../assembly/shared/types';
import { KeSetEvent, KeWaitForSingleObject } from '../../src/ke/ddi';
import {
  KeAreAllApcsDisabled,
  KeAreApcsDisabled,
  KeEnterCriticalRegion,
  KeEnterGuardedRegion,
  KeGetCurrentIrql,
  KeLeaveCriticalRegion,
  KeLeaveGuardedRegion,
  KeLowerIrql,
  KeRaiseIrql,
  KeRaiseIrqlToSynchLevel,
} from '../../src/ke/irql';
import { Machine } from '../../src/machine/machine';
import type { MachineOptions } from '../../src/machine/options';
import { program } from '../../src/machine/program';
import type { KThread } from '../../src/machine/views';
import { recordsOf } from '../records';
import { runGuest } from './guest';

type Steps = readonly (() => unknown)[];
const FREE = { checkIrql: false };

/** (KernelApcDisable, SpecialApcDisable, KeAreAllApcsDisabled, IRQL) and KeAreApcsDisabled. */
function state(thread: KThread): string {
  const counts = `${thread.kernelApcDisable},${thread.specialApcDisable}`;
  return `${counts},${KeAreAllApcsDisabled()},${KeGetCurrentIrql()} ${KeAreApcsDisabled()}`;
}

/** The states after each step. */
async function states(steps: Steps): Promise<string[] | undefined> {
  const { value } = await runGuest(function* (_machine, thread) {
    const seen: string[] = [];
    for (const step of steps) {
      const started = step();
      if (started instanceof Object)
        yield* started as Generator<readonly number[], unknown, number>;
      seen.push(state(thread));
    }
    return seen;
  }, FREE);
  return value;
}

const enterCritical = () => KeEnterCriticalRegion();
const leaveCritical = () => KeLeaveCriticalRegion();
const enterGuarded = () => KeEnterGuardedRegion();
const leaveGuarded = () => KeLeaveGuardedRegion();
const raise = (level: number) => () => KeRaiseIrql(level);
const lower = (level: number) => () => KeLowerIrql(level);
const nothing = () => undefined;

describe('regions', () => {
  test('ke.apc-001: critical regions nest and count below 0', async () => {
    const steps = [nothing, ...Array(3).fill(enterCritical), ...Array(3).fill(leaveCritical)];
    expect(await states(steps)).toEqual([
      '0,0,false,0 false',
      '-1,0,false,0 true',
      '-2,0,false,0 true',
      '-3,0,false,0 true',
      '-2,0,false,0 true',
      '-1,0,false,0 true',
      '0,0,false,0 false',
    ]);
  });

  test('ke.apc-002: guarded regions disable all APCs at an unchanged level', async () => {
    const steps = [...Array(3).fill(enterGuarded), ...Array(3).fill(leaveGuarded)];
    expect(await states(steps)).toEqual([
      '0,-1,true,0 true',
      '0,-2,true,0 true',
      '0,-3,true,0 true',
      '0,-2,true,0 true',
      '0,-1,true,0 true',
      '0,0,false,0 false',
    ]);
  });

  test('ke.apc-003: critical and guarded regions within each other count apart', async () => {
    const steps = [
      ...[enterGuarded, enterCritical, leaveCritical, leaveGuarded],
      ...[enterCritical, enterGuarded, leaveGuarded, leaveCritical],
    ];
    expect(await states(steps)).toEqual([
      '0,-1,true,0 true',
      '-1,-1,true,0 true',
      '0,-1,true,0 true',
      '0,0,false,0 false',
      '-1,0,false,0 true',
      '-1,-1,true,0 true',
      '-1,0,false,0 true',
      '0,0,false,0 false',
    ]);
  });

  test('ke.apc-004: a region that is left without being entered disables APCs too', async () => {
    const steps = [
      ...[leaveCritical, enterCritical, leaveGuarded, enterGuarded],
      ...[leaveCritical, leaveGuarded, enterCritical, enterGuarded],
    ];
    expect(await states(steps)).toEqual([
      '1,0,false,0 true',
      '0,0,false,0 false',
      '0,1,true,0 true',
      '0,0,false,0 false',
      '1,0,false,0 true',
      '1,1,true,0 true',
      '0,1,true,0 true',
      '0,0,false,0 false',
    ]);
  });

  test('ke.apc-005: each of the two counts shows what the other does not', async () => {
    const steps = [enterCritical, enterGuarded, leaveCritical, leaveGuarded];
    expect(await states(steps)).toEqual([
      '-1,0,false,0 true',
      '-1,-1,true,0 true',
      '0,-1,true,0 true',
      '0,0,false,0 false',
    ]);
  });

  test('ke.apc-006: a raised level disables all APCs, and KeAreApcsDisabled does not look at it', async () => {
    const levels = [IRQL.APC_LEVEL, IRQL.DISPATCH_LEVEL, IRQL.HIGH_LEVEL];
    expect(await states(levels.flatMap((level) => [raise(level), lower(0)]))).toEqual([
      '0,0,true,1 false',
      '0,0,false,0 false',
      '0,0,true,2 false',
      '0,0,false,0 false',
      '0,0,true,15 false',
      '0,0,false,0 false',
    ]);
  });

  test('ke.apc-010: regions that overlap with a raised level', async () => {
    const steps = [
      ...[enterCritical, raise(15), enterGuarded],
      ...[leaveCritical, lower(0), leaveGuarded],
    ];
    expect(await states(steps)).toEqual([
      '-1,0,false,0 true',
      '-1,0,true,15 true',
      '-1,-1,true,15 true',
      '0,-1,true,15 true',
      '0,-1,true,0 true',
      '0,0,false,0 false',
    ]);
  });

  test('ke.apc-011: a critical region may be left at a raised level', async () => {
    expect(await states([enterCritical, raise(15), leaveCritical, lower(0)])).toEqual([
      '-1,0,false,0 true',
      '-1,0,true,15 true',
      '0,0,true,15 false',
      '0,0,false,0 false',
    ]);
  });

  test('a thread that ends inside a region is bugcheck KERNEL_APC_PENDING_DURING_EXIT', async () => {
    const machine = await Machine.create();
    machine.systemProcess.createThread(function* () {
      KeEnterGuardedRegion();
      yield* KeLowerIrql(0);
    });
    expect(machine.run()).toMatchObject({
      reason: 'bugcheck',
      name: 'KERNEL_APC_PENDING_DURING_EXIT',
      parameters: [0n, 0xffff0000n, 0n, 0n],
    });
  });
});

describe('levels', () => {
  test('ke.irql-001: every level of x64 is exactly what it was raised to', async () => {
    const { value } = await runGuest(function* () {
      const seen: number[][] = [];
      for (const level of [0, 1, 2, 5, 13, 15, 14, 12]) {
        const old = KeRaiseIrql(level);
        const raised = KeGetCurrentIrql();
        yield* KeLowerIrql(old);
        seen.push([old, raised, KeGetCurrentIrql()]);
      }
      return seen;
    });
    expect(value).toEqual([0, 1, 2, 5, 13, 15, 14, 12].map((level) => [0, level, 0]));
  });

  test('ke.irql-002: a raise to PASSIVE_LEVEL changes nothing', async () => {
    const { value } = await runGuest(function* () {
      const old = KeRaiseIrql(0);
      yield* KeLowerIrql(0);
      return [old, KeGetCurrentIrql()];
    });
    expect(value).toEqual([0, 0]);
  });

  test('ke.irql-005: KeRaiseIrqlToSynchLevel returns the level before', async () => {
    const { value } = await runGuest(function* () {
      const seen = [KeRaiseIrqlToSynchLevel(), KeGetCurrentIrql(), KeRaiseIrqlToSynchLevel()];
      yield* KeLowerIrql(0);
      return seen;
    });
    expect(value).toEqual([0, 12, 12]);
  });

  /** What a raise from DISPATCH_LEVEL ends in. */
  async function raisedTo(level: number, options: MachineOptions) {
    const machine = await Machine.create(options);
    machine.systemProcess.createThread(function* () {
      KeRaiseIrql(IRQL.DISPATCH_LEVEL);
      KeRaiseIrql(level);
      yield* KeLowerIrql(0);
    });
    return machine.run();
  }

  test('a raise to a lower level, or above HIGH_LEVEL, is a bugcheck', async () => {
    const name = 'IRQL_NOT_GREATER_OR_EQUAL';
    const lower = { name, parameters: [1n, 2n, 0n, 0n] };
    expect(await raisedTo(1, FREE)).toMatchObject(lower);
    const above = { name, parameters: [16n, 2n, 0n, 0n] };
    expect(await raisedTo(16, FREE)).toMatchObject(above);
  });

  test('Driver Verifier makes violation 0x30 of it, with both levels', async () => {
    const name = 'DRIVER_VERIFIER_DETECTED_VIOLATION';
    const lower = { name, parameters: [0x30n, 2n, 1n, 0n] };
    expect(await raisedTo(1, {})).toMatchObject(lower);
    const above = { name, parameters: [0x30n, 2n, 16n, 0n] };
    expect(await raisedTo(16, {})).toMatchObject(above);
  });

  test('lowering to a higher level is a bugcheck, under Driver Verifier violation 0x31', async () => {
    const lower = async (options: MachineOptions) => {
      const machine = await Machine.create(options);
      machine.systemProcess.createThread(function* () {
        yield* KeLowerIrql(2);
      });
      return machine.run();
    };
    const parameters = [2n, 0n, 0n, 0n];
    expect(await lower(FREE)).toMatchObject({ name: 'IRQL_NOT_LESS_OR_EQUAL', parameters });
    expect(await lower({})).toMatchObject({
      name: 'DRIVER_VERIFIER_DETECTED_VIOLATION',
      parameters: [0x31n, 0n, 2n, 0n],
    });
  });

  test('at DISPATCH_LEVEL a thread keeps its processor, and loses it as it lowers the level', async () => {
    const machine = await Machine.create({ processors: 1 });
    const event = machine.createEvent('synchronization');
    const order: string[] = [];
    machine.systemProcess.createThread(
      function* () {
        yield* KeWaitForSingleObject(event, KWAIT_REASON.Executive, MODE.KernelMode, false, null);
        order.push('waiter');
      },
      { increment: 4 },
    );
    machine.systemProcess.createThread(function* () {
      const old = KeRaiseIrql(IRQL.DISPATCH_LEVEL);
      yield* KeSetEvent(event, 0, false);
      order.push('still here');
      yield* KeLowerIrql(old);
      order.push('after the waiter');
    });
    expect(machine.run().reason).toBe('idle');
    expect(order).toEqual(['still here', 'waiter', 'after the waiter']);
  });

  test('a program thread at DISPATCH_LEVEL computes through quantum ends until it lowers the level', async () => {
    const machine = await Machine.create({ processors: 1 });
    const process = machine.createProcess();
    const raised = machine.loadProgram(
      program('raised', (p) => p.raiseIrql(2).compute(400e6).lowerIrql(0).mark(1)),
    );
    const other = machine.loadProgram(program('other', (p) => p.compute(1000).mark(2)));
    const first = process.createThread(raised);
    const second = process.createThread(other);
    machine.run({ until: 300_000_000 });
    expect([first.contextSwitches, second.contextSwitches]).toEqual([1, 0]);
    expect(machine.irql(0)).toBe(2);
    machine.run();
    expect([first.contextSwitches, second.contextSwitches]).toEqual([2, 1]);
  });

  test('the clock interrupts DISPATCH_LEVEL, and waits while the level is CLOCK_LEVEL', async () => {
    const machine = await Machine.create({ processors: 1 });
    const interrupts = (level: number) => {
      const code = program('raised', (p) => p.raiseIrql(level).compute(100e6).lowerIrql(0));
      const from = machine.now;
      machine.createProcess().createThread(machine.loadProgram(code));
      machine.run({ until: from + 100_500_000 });
      const times = recordsOf(machine, 'interrupt').map(({ timeNs }) => timeNs - from);
      return times.filter((time) => time > 0).map((time) => Math.floor(time / 1e6));
    };
    expect([interrupts(2), interrupts(13)]).toEqual([[15, 31, 46, 62, 78, 93], [100]]);
  });

  test('a thread that waits at APC_LEVEL goes on at APC_LEVEL', async () => {
    const { value } = await runGuest(function* (machine) {
      const event = machine.createEvent('notification');
      const old = KeRaiseIrql(IRQL.APC_LEVEL);
      const wait = KeWaitForSingleObject(
        event,
        KWAIT_REASON.Executive,
        MODE.KernelMode,
        false,
        -10,
      );
      yield* wait;
      const level = KeGetCurrentIrql();
      yield* KeLowerIrql(old);
      return level;
    });
    expect(value).toBe(1);
  });

  test('a wait at DISPATCH_LEVEL is a violation that names the routine and both levels', async () => {
    const machine = await Machine.create();
    const event = machine.createEvent('notification');
    machine.systemProcess.createThread(function* () {
      KeRaiseIrql(IRQL.DISPATCH_LEVEL);
      yield* KeWaitForSingleObject(event, KWAIT_REASON.Executive, MODE.KernelMode, false, null);
    });
    const result = machine.run();
    expect(result).toMatchObject({
      name: 'DRIVER_VERIFIER_DETECTED_VIOLATION',
      parameters: [0x121n, 2n, BigInt(event.address), 0n],
    });
    expect(String((result as { cause?: unknown }).cause)).toBe(
      'VerifierError: KeWaitForSingleObject was called at DISPATCH_LEVEL (2); it needs at most APC_LEVEL (1)',
    );
  });

  test('a wait with a timeout, and a poll above DISPATCH_LEVEL, have violations of their own', async () => {
    const ends = async (level: number, timeout: number) => {
      const machine = await Machine.create();
      const event = machine.createEvent('notification');
      machine.systemProcess.createThread(function* () {
        KeRaiseIrql(level);
        yield* KeWaitForSingleObject(
          event,
          KWAIT_REASON.Executive,
          MODE.KernelMode,
          false,
          timeout,
        );
      });
      return { object: BigInt(event.address), result: machine.run() };
    };
    const limited = await ends(IRQL.DISPATCH_LEVEL, -10);
    expect(limited.result).toMatchObject({ parameters: [0x122n, 2n, limited.object, 1000n] });
    const poll = await ends(IRQL.LOW_DIRQL, 0);
    expect(poll.result).toMatchObject({ parameters: [0x120n, 3n, poll.object, 0n] });
  });

  test('unchecked, it is the crash that a free build ends in', async () => {
    const machine = await Machine.create(FREE);
    const event = machine.createEvent('notification');
    machine.systemProcess.createThread(function* () {
      KeRaiseIrql(IRQL.DISPATCH_LEVEL);
      yield* KeWaitForSingleObject(event, KWAIT_REASON.Executive, MODE.KernelMode, false, null);
    });
    expect(machine.run()).toMatchObject({ name: 'IRQL_NOT_LESS_OR_EQUAL' });
  });
});
