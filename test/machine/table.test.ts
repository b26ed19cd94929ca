import { expect, test } from 'vitest';
import { KOBJECT } from '../../assembly/shared/layout';
import { MachineError } from '../../src/machine/errors';
import { KEvent } from '../../src/machine/views';
import { quietMachine } from '../records';

test('a handle is stale when its object is deleted, and names no other when the row is used again', async () => {
  const machine = await quietMachine({ capacities: { objects: 1 } });
  const first = machine.createEvent('notification');
  first.delete();
  const second = machine.createEvent('notification');
  expect([first.index, second.index]).toEqual([1, 1]);
  expect([first.exists, second.exists]).toEqual([false, true]);
  expect(() => first.set()).toThrow(MachineError);
});

test('a row whose generations are used up is retired, and its last handle is stale too', async () => {
  const machine = await quietMachine({ capacities: { objects: 2 } });
  const event = machine.createEvent('notification');
  const generation = 0x3ffffff;
  machine.memory.setU32(event.address + KOBJECT.Generation, generation);
  const last = new KEvent(machine, generation * 2 ** 24 + event.index);
  expect(last.exists).toBe(true);
  last.delete();
  expect(last.exists).toBe(false);
  expect(machine.createEvent('notification').index).toBe(2);
  expect(() => machine.createEvent('notification')).toThrow('the table of objects is full');
});
