import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { STATUS } from '../../assembly/shared/status';
import { MODE } from '../../assembly/shared/types';
import { Machine } from '../../src/machine/machine';
import type { KProcess } from '../../src/machine/views';
import { OBJ } from '../../src/ob/attributes';
import { NtDuplicateObject } from '../../src/ob/duplicate';
import { NtClose, ObOpenObjectByPointer, ObReferenceObjectByHandle } from '../../src/ob/handle';
import { handlesOf } from '../../src/ob/handles';
import { ZwMakePermanentObject, ZwMakeTemporaryObject } from '../../src/ob/namespace';
import type { ObjectBody } from '../../src/ob/object';
import { NtSetInformationObject, OBJECT_INFORMATION_CLASS } from '../../src/ob/query';
import { ObDereferenceObject } from '../../src/ob/reference';
import { EVENT_TYPE, NtCreateEvent, NtOpenEvent } from '../../src/ob/services/event';
import { objectRows } from '../ob/user';
import { check } from './check';
import { HandleModel, type ModelResult } from './handle-model';

const ALL = 0x1f0003;
const FLAGS = OBJECT_INFORMATION_CLASS.ObjectHandleFlagInformation;

/** One thing that a thread does with handles; `pick` is which of those that there are, or one that is none. */
type Act =
  | {
      readonly kind: 'create';
      readonly name: number;
      readonly openIf: boolean;
      readonly inherit: boolean;
    }
  | { readonly kind: 'open'; readonly name: number }
  | { readonly kind: 'close'; readonly pick: number }
  | { readonly kind: 'flags'; readonly pick: number; readonly flags: number }
  | {
      readonly kind: 'duplicate';
      readonly pick: number;
      readonly options: number;
      readonly flags: number;
      readonly away: boolean;
    }
  | { readonly kind: 'reference'; readonly pick: number }
  | { readonly kind: 'dereference'; readonly pick: number }
  | { readonly kind: 'permanent'; readonly pick: number; readonly permanent: boolean };

const pick = fc.nat(30);
const name = fc.nat(3);
const flags = fc.nat(3);
const acts: fc.Arbitrary<Act[]> = fc.array(
  fc.oneof(
    fc.record({
      kind: fc.constant('create' as const),
      name,
      openIf: fc.boolean(),
      inherit: fc.boolean(),
    }),
    fc.record({ kind: fc.constant('open' as const), name }),
    fc.record({ kind: fc.constant('close' as const), pick }),
    fc.record({ kind: fc.constant('close' as const), pick }),
    fc.record({ kind: fc.constant('flags' as const), pick, flags }),
    fc.record({
      kind: fc.constant('duplicate' as const),
      pick,
      options: fc.nat(7),
      flags,
      away: fc.boolean(),
    }),
    fc.record({ kind: fc.constant('reference' as const), pick }),
    fc.record({ kind: fc.constant('dereference' as const), pick }),
    fc.record({ kind: fc.constant('permanent' as const), pick, permanent: fc.boolean() }),
  ),
  { maxLength: 60 },
);

/** OBJECT_ATTRIBUTES of a name: 0 is none. */
function attributesOf(of: number, attributes: number) {
  return of === 0
    ? { Attributes: attributes }
    : { ObjectName: `\\BaseNamedObjects\\${of}`, Attributes: attributes };
}

/** The thread's side: what each act comes to. */
class Subject {
  private readonly references: ObjectBody[] = [];

  constructor(private readonly away: number) {}

  *do(act: Act, handle: number): Generator<readonly number[], ModelResult, number> {
    switch (act.kind) {
      case 'create': {
        const attributes = (act.openIf ? OBJ.OPENIF : 0) | (act.inherit ? OBJ.INHERIT : 0);
        const type = EVENT_TYPE.NotificationEvent;
        return yield* NtCreateEvent(ALL, attributesOf(act.name, attributes), type, false);
      }
      case 'open':
        return yield* NtOpenEvent(ALL, attributesOf(act.name, 0));
      case 'close':
        return { status: yield* NtClose(handle), handle: 0 };
      case 'flags': {
        const information = {
          Inherit: (act.flags & 1) !== 0,
          ProtectFromClose: (act.flags & 2) !== 0,
        };
        const status = yield* NtSetInformationObject(handle, FLAGS, information, 2);
        return { status, handle: 0 };
      }
      case 'duplicate': {
        const attributes =
          (act.flags & 1 ? OBJ.INHERIT : 0) | (act.flags & 2 ? OBJ.PROTECT_CLOSE : 0);
        const target = act.away ? this.away : -1;
        return yield* NtDuplicateObject(-1, handle, target, ALL, attributes, act.options);
      }
      case 'reference': {
        const { status, object } = yield* ObReferenceObjectByHandle(handle, 0, null, MODE.UserMode);
        if (object !== undefined) this.references.push(object);
        return { status, handle: 0 };
      }
      case 'dereference': {
        const object = this.references.shift();
        if (object !== undefined) yield* ObDereferenceObject(object);
        return { status: STATUS.SUCCESS, handle: 0 };
      }
      case 'permanent': {
        const change = act.permanent ? ZwMakePermanentObject : ZwMakeTemporaryObject;
        return { status: yield* change(handle), handle: 0 };
      }
    }
  }

  *giveBack(): Generator<readonly number[], void, number> {
    for (const object of this.references) yield* ObDereferenceObject(object);
  }
}

/** The handles of a process, as the model has them. */
function shown(process: KProcess): unknown[] {
  return [...handlesOf(process)]
    .filter(({ type }) => type.name === 'Event')
    .map(({ handle, attributes }) => [
      handle,
      (attributes & OBJ.INHERIT ? 1 : 0) | (attributes & OBJ.PROTECT_CLOSE ? 2 : 0),
    ]);
}

/** Makes everything go: names that stay, protected handles, all of them. */
function* cleanUp(process: KProcess): Generator<readonly number[], void, number> {
  for (const { handle } of [...handlesOf(process)]) {
    const information = { Inherit: false, ProtectFromClose: false };
    yield* NtSetInformationObject(handle, FLAGS, information, 2);
    yield* ZwMakeTemporaryObject(handle);
    yield* NtClose(handle);
  }
}

async function run(plan: readonly Act[]): Promise<void> {
  const machine = await Machine.create();
  const [here, there] = [machine.createProcess(), machine.createProcess()];
  const model = new HandleModel();
  const seen: unknown[] = [];
  const expected: unknown[] = [];
  let rows = -1;
  here.createThread(
    function* () {
      const away = yield* ObOpenObjectByPointer(there, 0, null, 0x40, null, MODE.KernelMode);
      const subject = new Subject(away.handle);
      for (const act of plan) {
        const handle = model.handle('pick' in act ? act.pick : 0);
        expected.push(model.do(act, handle));
        seen.push(yield* subject.do(act, handle));
        expected.push(model.shown);
        seen.push([shown(here), shown(there)]);
      }
      for (let number = 1; number <= 3; number++) yield* NtOpenEvent(ALL, attributesOf(number, 0));
      yield* subject.giveBack();
      yield* cleanUp(here);
      rows = 0;
    },
    { userMode: true },
  );
  const first = machine.run();
  expect(first).not.toHaveProperty('cause');
  expect(seen).toEqual(expected);
  there.createThread(function* () {
    yield* cleanUp(there);
    rows = objectRows(machine);
  });
  machine.run();
  expect(rows).toBe(0);
}

describe('handles and names', () => {
  test('come to what a plain model says, and leave nothing behind', async () => {
    await check('test/property/handles.test.ts', acts, 400, run);
  });
});
