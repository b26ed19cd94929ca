import { describe, expect, test } from 'vitest';
import { IRQL, KWAIT_REASON, MODE } from '../../assembly/shared/types';
import {
  KeClearEvent,
  KePulseEvent,
  KeReadStateEvent,
  KeResetEvent,
  KeSetEvent,
  KeWaitForSingleObject,
} from '../../src/ke/ddi';
import { EVENT_TYPE, KeInitializeEvent } from '../../src/ke/initialize';
import { KeGetCurrentIrql, KeLowerIrql, KeRaiseIrql } from '../../src/ke/irql';
import { Machine } from '../../src/machine/machine';
import type { KEvent, KThread } from '../../src/machine/views';
import { runGuest } from './guest';

const LEVELS = [IRQL.PASSIVE_LEVEL, IRQL.APC_LEVEL, IRQL.DISPATCH_LEVEL] as const;
const TYPES = ['notification', 'synchronization'] as const;
const CASES = LEVELS.flatMap((level) => TYPES.map((type) => [level, type] as const));

/** Writes SignalState as the cases do. */
function setState(event: KEvent, state: number): void {
  event.machine.memory.setU32(event.address + 4, state);
}

/** Type code, SignalState, and whether the wait list is empty and linked to itself. */
function header(event: KEvent): [number, number, boolean] {
  const { memory } = event.machine;
  const head = event.address + 8;
  const empty = memory.u32(head) === head && memory.u32(head + 4) === head;
  return [memory.u32(event.address), memory.u32(event.address + 4), empty];
}

type Steps = (
  machine: Machine,
  thread: KThread,
) => Generator<readonly number[], readonly unknown[], number>;

/** What the steps return at a level, then that level and WaitNext. */
async function at(level: number, steps: Steps): Promise<readonly unknown[] | undefined> {
  const { value } = await runGuest(function* (machine, thread) {
    const old = KeRaiseIrql(level);
    const seen = yield* steps(machine, thread);
    const after = [KeGetCurrentIrql(), thread.waitNext];
    yield* KeLowerIrql(old);
    return [...seen, ...after];
  });
  return value;
}

describe.each(CASES)('at IRQL %i a %s event', (level, type) => {
  const code = type === 'notification' ? 0 : 1;

  test('ke.event-001: begins with its type, its state and nobody waiting', async () => {
    const { value } = await runGuest(function* (machine) {
      const old = KeRaiseIrql(level);
      const clear = machine.createEvent(type, false);
      const set = machine.createEvent(type, true);
      const seen = [header(clear), KeReadStateEvent(clear), header(set), KeReadStateEvent(set)];
      const after = KeGetCurrentIrql();
      yield* KeLowerIrql(old);
      return [...seen, after];
    });
    expect(value).toEqual([[code, 0, true], 0, [code, 1, true], 1, level]);
  });

  test('ke.event-002: shows its raw state, and a pulse leaves it 0', async () => {
    const seen = await at(level, function* (machine) {
      const event = machine.createEvent(type, false);
      setState(event, 0x12345678);
      const read = KeReadStateEvent(event);
      return [read, yield* KePulseEvent(event, 0, false), header(event)];
    });
    expect(seen).toEqual([0x12345678, 0x12345678, [code, 0, true], level, false]);
  });

  test('ke.event-003: is cleared to 0 and set to 1', async () => {
    const seen = await at(level, function* (machine) {
      const event = machine.createEvent(type, false);
      setState(event, 0x12345678);
      yield* KeClearEvent(event);
      return [event.signalState, yield* KeSetEvent(event, 0, false), event.signalState];
    });
    expect(seen).toEqual([0, 0, 1, level, false]);
  });

  test('ke.event-004: gives its raw state back, and is exactly 1 when it is set again', async () => {
    const seen = await at(level, function* (machine) {
      const event = machine.createEvent(type, true);
      const first = [yield* KeResetEvent(event), event.signalState];
      setState(event, 0x23456789);
      const second = [yield* KeSetEvent(event, 0, false), event.signalState];
      setState(event, 0x3456789a);
      return [...first, ...second, yield* KeResetEvent(event), event.signalState];
    });
    expect(seen).toEqual([1, 0, 0x23456789, 1, 0x3456789a, 0, level, false]);
  });
});

describe('KeInitializeEvent', () => {
  test('makes an event of the other type of one that nobody waits for', async () => {
    const { value } = await runGuest(function* (machine) {
      const event = machine.createEvent('notification', true);
      yield* KeResetEvent(event);
      KeInitializeEvent(event, EVENT_TYPE.SynchronizationEvent, true);
      const synchronization = header(event);
      KeInitializeEvent(event, EVENT_TYPE.NotificationEvent, false);
      return [synchronization, header(event)];
    });
    expect(value).toEqual([
      [1, 1, true],
      [0, 0, true],
    ]);
  });

  test('of one that a thread waits for is bugcheck KERNEL_SECURITY_CHECK_FAILURE with 3', async () => {
    const machine = await Machine.create({ processors: 1 });
    const event = machine.createEvent('notification');
    machine.systemProcess.createThread(function* () {
      yield* KeWaitForSingleObject(event, KWAIT_REASON.Executive, MODE.KernelMode, false, null);
    });
    machine.systemProcess.createThread(function* () {
      yield* KeResetEvent(event);
      KeInitializeEvent(event, EVENT_TYPE.NotificationEvent, false);
    });
    expect(machine.run()).toMatchObject({
      name: 'KERNEL_SECURITY_CHECK_FAILURE',
      parameters: [3n, 0n, 0n, 0n],
    });
  });
});
