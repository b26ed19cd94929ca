import { describe, expect, test } from 'vitest';
import { STATUS } from '../../assembly/shared/status';
import {
  type CallbackFunction,
  type CallbackObject,
  type CallbackRegistration,
  ExNotifyCallback,
  ExRegisterCallback,
  ExUnregisterCallback,
} from '../../src/ex/callback';
import { KeStallExecutionProcessor } from '../../src/ke/ddi';
import { KeGetCurrentIrql, KeLowerIrql, KeRaiseIrql } from '../../src/ke/irql';
import { Machine } from '../../src/machine/machine';
import { OBJ } from '../../src/ob/attributes';
import { ObDereferenceObject } from '../../src/ob/reference';
import { ExCreateCallback } from '../../src/ob/services/callback';
import { EVENT_TYPE, ZwCreateEvent } from '../../src/ob/services/event';
import { runGuest } from '../ke/guest';

const named = (ObjectName: string, attributes: number = OBJ.PERMANENT) => ({
  ObjectName,
  Attributes: attributes,
});

function* create(multiple = true) {
  const { callbackObject } = yield* ExCreateCallback(named('\\Callback\\Test'), true, multiple);
  return callbackObject as CallbackObject;
}

describe('callback objects', () => {
  test('ex.callback-002: a registered function is called by each notification, at its level', async () => {
    const { value } = await runGuest(function* () {
      const calls: unknown[] = [];
      const callbackObject = yield* create();
      const registration = ExRegisterCallback(
        callbackObject,
        (...args) => void calls.push(args, KeGetCurrentIrql()),
        'context',
      );
      const counts = [registration !== null, calls.length];
      yield* ExNotifyCallback(callbackObject, 'a1', 'a2');
      counts.push(calls.length);
      yield* ExNotifyCallback(callbackObject, 'a1', 'a2');
      counts.push(calls.length);
      yield* ExUnregisterCallback(registration as CallbackRegistration);
      yield* ObDereferenceObject(callbackObject);
      return [counts, calls];
    });
    const call = [['context', 'a1', 'a2'], 0];
    expect(value).toEqual([
      [true, 0, 2, 4],
      [...call, ...call],
    ]);
  });

  test('one that is there is opened by its name, whoever is to make it', async () => {
    const { value } = await runGuest(function* () {
      const first = yield* create(false);
      const again = yield* ExCreateCallback(named('\\Callback\\Test'), true, true);
      const found = yield* ExCreateCallback(named('\\Callback\\Test'), false, true);
      const references: number[] = [];
      for (let count = 0; count < 3; count++) references.push(yield* ObDereferenceObject(first));
      return [
        [again.status, again.callbackObject === first, first.allowMultipleCallbacks],
        found.callbackObject === first,
        references,
      ];
    });
    expect(value).toEqual([[0, true, false], true, [3, 2, 1]]);
  });

  test('a new one that is not permanent loses its name, and without a name there is none', async () => {
    const { value } = await runGuest(function* () {
      const temporary = named('\\Callback\\Test', 0);
      const { status, callbackObject } = yield* ExCreateCallback(temporary, true, true);
      const left = yield* ObDereferenceObject(callbackObject as CallbackObject);
      const gone = yield* ExCreateCallback(temporary, false, true);
      return [status, left, gone, yield* ExCreateCallback(null, true, true)];
    });
    const nothing = { callbackObject: null };
    expect(value).toEqual([
      0,
      0,
      { status: STATUS.OBJECT_NAME_NOT_FOUND, ...nothing },
      { status: STATUS.UNSUCCESSFUL, ...nothing },
    ]);
  });

  test('a name of something else is STATUS_OBJECT_TYPE_MISMATCH', async () => {
    const { value } = await runGuest(function* () {
      const attributes = named('\\Callback\\Event');
      yield* ZwCreateEvent(0x1f0003, attributes, EVENT_TYPE.NotificationEvent, false);
      return (yield* ExCreateCallback(attributes, false, true)).status;
    });
    expect(value).toBe(STATUS.OBJECT_TYPE_MISMATCH);
  });

  test('an object of one registration refuses a second, until the first has ended', async () => {
    const { value } = await runGuest(function* () {
      const callbackObject = yield* create(false);
      const register = () => ExRegisterCallback(callbackObject, () => undefined, null);
      const first = register() as CallbackRegistration;
      const second = register();
      yield* ExUnregisterCallback(first);
      return [second, register() !== null, callbackObject.registeredCallbacks];
    });
    expect(value).toEqual([null, true, 1]);
  });

  test('functions are called in the order of their registration, at DISPATCH_LEVEL too', async () => {
    const { value } = await runGuest(function* () {
      const order: unknown[] = [];
      const callbackObject = yield* create();
      for (const name of ['a', 'b', 'c']) {
        const callback: CallbackFunction = function* (context) {
          yield* KeStallExecutionProcessor(1);
          order.push(context, KeGetCurrentIrql());
        };
        ExRegisterCallback(callbackObject, callback, name);
      }
      KeRaiseIrql(2);
      yield* ExNotifyCallback(callbackObject, null, null);
      yield* KeLowerIrql(0);
      return order;
    });
    expect(value).toEqual(['a', 2, 'b', 2, 'c', 2]);
  });

  test('one registered by a function that is called is called last, in the same round', async () => {
    const { value } = await runGuest(function* () {
      const order: unknown[] = [];
      const callbackObject = yield* create();
      const late: CallbackFunction = () => void order.push('late');
      let registered = false;
      ExRegisterCallback(
        callbackObject,
        () => {
          order.push('first');
          if (!registered) ExRegisterCallback(callbackObject, late, null);
          registered = true;
        },
        null,
      );
      ExRegisterCallback(callbackObject, () => void order.push('second'), null);
      yield* ExNotifyCallback(callbackObject, null, null);
      return order;
    });
    expect(value).toEqual(['first', 'second', 'late']);
  });

  test('removal waits for calls that are running, and keeps others from beginning', async () => {
    const machine = await Machine.create({ processors: 3 });
    const order: string[] = [];
    machine.systemProcess.createThread(function* () {
      const callbackObject = yield* create();
      const callback: CallbackFunction = function* (_context, name) {
        order.push(`${name} begun`);
        yield* KeStallExecutionProcessor(100);
        order.push(`${name} over`);
      };
      const registration = ExRegisterCallback(callbackObject, callback, null);
      const after: CallbackFunction = (_context, name) => void order.push(`${name} after`);
      ExRegisterCallback(callbackObject, after, null);
      for (const [name, us] of [
        ['one', 10],
        ['two', 40],
      ] as const) {
        machine.systemProcess.createThread(function* () {
          yield* KeStallExecutionProcessor(us);
          yield* ExNotifyCallback(callbackObject, name, null);
        });
      }
      yield* KeStallExecutionProcessor(70);
      order.push('removing');
      yield* ExUnregisterCallback(registration as CallbackRegistration);
      order.push('removed');
      yield* ExNotifyCallback(callbackObject, 'three', null);
    });
    expect(machine.run().reason).toBe('idle');
    expect(order).toEqual([
      'one begun',
      'two begun',
      'removing',
      'one over',
      'one after',
      'two over',
      'two after',
      'removed',
      'three after',
    ]);
  });

  test('a notification costs a DDI and what the functions take; so does a removal', async () => {
    const { value } = await runGuest(function* (machine) {
      const callbackObject = yield* create();
      const registration = ExRegisterCallback(callbackObject, () => undefined, null);
      const start = machine.now;
      yield* ExNotifyCallback(callbackObject, null, null);
      const notified = machine.now;
      yield* ExUnregisterCallback(registration as CallbackRegistration);
      return [notified - start, machine.now - notified];
    });
    expect(value).toEqual([200, 200]);
  });

  test('ExCreateCallback above PASSIVE_LEVEL is a violation', async () => {
    await expect(
      runGuest(function* () {
        KeRaiseIrql(1);
        yield* ExCreateCallback(null, true, true);
      }),
    ).rejects.toThrow('ExCreateCallback was called at APC_LEVEL (1); it needs PASSIVE_LEVEL (0)');
  });
});
