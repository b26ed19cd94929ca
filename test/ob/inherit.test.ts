import { expect, test } from 'vitest';
import { STATUS } from '../../assembly/shared/status';
import { MODE } from '../../assembly/shared/types';
import { OBJ } from '../../src/ob/attributes';
import { DUPLICATE, NtDuplicateObject } from '../../src/ob/duplicate';
import {
  NtClose,
  ObOpenObjectByPointer,
  obCloseAllHandles,
  obInheritHandles,
} from '../../src/ob/handle';
import { everyHandle, handleCount, handlesOf } from '../../src/ob/handles';
import { EVENT_TYPE, NtCreateEvent } from '../../src/ob/services/event';
import { objectRows, runKernel, runUser } from './user';

const ALL = 0x1f0003;

function newEvent(attributes: number) {
  return NtCreateEvent(ALL, { Attributes: attributes }, EVENT_TYPE.NotificationEvent, false);
}

test('obInheritHandles copies the handles that are to be inherited at their places', async () => {
  const value = await runUser(function* (process, machine) {
    for (const attributes of [0, OBJ.INHERIT, 0, OBJ.INHERIT]) yield* newEvent(attributes);
    const child = machine.createProcess({ parent: process });
    obInheritHandles(process, child);
    const [first] = [...handlesOf(child)];
    const same = [...handlesOf(process)].find(({ handle }) => handle === 8);
    const inherited = [...handlesOf(child)].map(({ handle, attributes, grantedAccess }) => [
      handle,
      attributes,
      grantedAccess,
    ]);
    return [inherited, first?.object === same?.object, handleCount(child)];
  });
  expect(value).toEqual([
    [
      [8, OBJ.INHERIT, ALL],
      [16, OBJ.INHERIT, ALL],
    ],
    true,
    2,
  ]);
});

test('gaps between inherited handles are used, the lowest first', async () => {
  const value = await runUser(function* (process, machine) {
    for (const attributes of [0, OBJ.INHERIT, 0, OBJ.INHERIT]) yield* newEvent(attributes);
    const child = machine.createProcess({ parent: process });
    obInheritHandles(process, child);
    const system = yield* ObOpenObjectByPointer(child, 0, null, 0x40, null, MODE.KernelMode);
    const values: number[] = [];
    for (let round = 0; round < 3; round++) {
      values.push(
        (yield* NtDuplicateObject(-1, 4, system.handle, 0, 0, DUPLICATE.SAME_ACCESS)).handle,
      );
    }
    return values;
  });
  expect(value).toEqual([4, 12, 20]);
});

test('obCloseAllHandles leaves nothing, protected or not, and lets no more come', async () => {
  const value = await runKernel(function* (process, machine) {
    const rows = objectRows(machine);
    for (const attributes of [0, OBJ.INHERIT, 0]) yield* newEvent(attributes);
    const between = objectRows(machine) - rows;
    yield* obCloseAllHandles(process);
    const late = yield* newEvent(0);
    return [
      between,
      objectRows(machine) - rows,
      handleCount(process),
      late,
      [...everyHandle(machine)].length,
      yield* NtClose(0),
    ];
  });
  expect(value).toEqual([
    3,
    0,
    0,
    { status: STATUS.PROCESS_IS_TERMINATING, handle: 0 },
    0,
    STATUS.INVALID_HANDLE,
  ]);
});
