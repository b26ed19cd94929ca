import { describe, expect, test } from 'vitest';
import { STATUS } from '../../assembly/shared/status';
import { KTHREAD_STATE, KWAIT_REASON, MODE } from '../../assembly/shared/types';
import { KeWaitForSingleObject } from '../../src/ke/ddi';
import {
  KeSetEventBoostPriority,
  KeSignalGateBoostPriority,
  KeWaitForGate,
} from '../../src/ke/queue';
import { disassemble } from '../../src/machine/disassemble';
import { program } from '../../src/machine/program';
import { priorityLevels, quietMachine, recordsOf, spawn } from '../records';
import { runGuest } from './guest';

describe('a gate', () => {
  test('lets one waiter through a signal, the longest first', async () => {
    const machine = await quietMachine();
    const gate = machine.createGate();
    const process = machine.createProcess();
    for (const mark of [1, 2, 3]) spawn(process, `w${mark}`, (p) => p.waitGate(gate).mark(mark));
    machine.run();
    gate.signal();
    machine.run();
    gate.signal();
    machine.run();
    expect(recordsOf(machine, 'mark').map(({ value }) => value)).toEqual([1, 2]);
    expect(gate.signalState).toBe(0);
  });

  test('keeps one signal, however many there were, for the next to come', async () => {
    const { value } = await runGuest(function* (machine) {
      const gate = machine.createGate();
      yield* KeSignalGateBoostPriority(gate);
      yield* KeSignalGateBoostPriority(gate);
      const signaled = gate.signalState;
      const status = yield* KeWaitForGate(gate, KWAIT_REASON.Executive, MODE.KernelMode);
      return [signaled, status, gate.signalState];
    });
    expect(value).toEqual([1, STATUS.SUCCESS, 0]);
  });

  test('lifts the waiter above who signals it', async () => {
    const machine = await quietMachine();
    const gate = machine.createGate();
    const process = machine.createProcess();
    const waiter = spawn(process, 'waiter', (p) => p.waitGate(gate).compute(9), { increment: -2 });
    machine.run();
    spawn(process, 'signaler', (p) => p.signalGate(gate).mark(1), { increment: 2 });
    machine.run();
    expect(priorityLevels(machine, waiter)).toEqual([11]);
    expect(waiter.state).toBe(KTHREAD_STATE.Terminated);
  });

  test('is nothing for KeWaitForSingleObject', async () => {
    const { value } = await runGuest(function* (machine) {
      const gate = machine.createGate();
      return yield* KeWaitForSingleObject(
        gate,
        KWAIT_REASON.Executive,
        MODE.KernelMode,
        false,
        null,
      );
    });
    expect(value).toBe(STATUS.OBJECT_TYPE_MISMATCH);
  });

  test('is shown in a program', () => {
    const words = program('p', (p) => p.waitGate({ handle: 5 }).signalGate({ handle: 5 }));
    expect(disassemble(words)).toContain('waitGate Executive, kernel, #0:5');
    expect(disassemble(words)).toContain('signalGate #0:5');
  });
});

describe('KeSetEventBoostPriority', () => {
  test('lifts the waiter of a synchronization event, or leaves it signaled', async () => {
    const machine = await quietMachine();
    const event = machine.createEvent('synchronization');
    const process = machine.createProcess();
    const waiter = spawn(process, 'waiter', (p) => p.wait(event).compute(9));
    machine.run();
    spawn(process, 'setter', (p) => p.setEventBoostPriority(event).setEventBoostPriority(event));
    machine.run();
    expect(priorityLevels(machine, waiter)).toEqual([9]);
    expect(event.signalState).toBe(1);
  });

  test('knows no notification events', async () => {
    const { value } = await runGuest(function* (machine) {
      const event = machine.createEvent('notification');
      return [yield* KeSetEventBoostPriority(event), event.signalState];
    });
    expect(value).toEqual([STATUS.OBJECT_TYPE_MISMATCH, 0]);
  });
});
