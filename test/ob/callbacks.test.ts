import { describe, expect, test } from 'vitest';
import { BUGCHECK } from '../../assembly/shared/bugcheck';
import { STATUS } from '../../assembly/shared/status';
import { IRQL, KWAIT_REASON, MODE } from '../../assembly/shared/types';
import { KeWaitForSingleObject } from '../../src/ke/ddi';
import { KeAreApcsDisabled, KeGetCurrentIrql, KeRaiseIrql } from '../../src/ke/irql';
import { currentGuest, type Request } from '../../src/machine/guest';
import { Machine } from '../../src/machine/machine';
import type { KEvent, KThread } from '../../src/machine/views';
import { compareAltitudes, parseAltitude } from '../../src/ob/altitude';
import { OBJ } from '../../src/ob/attributes';
import {
  OB_OPERATION,
  OB_PREOP_SUCCESS,
  type ObCallbackHandle,
  ObGetFilterVersion,
  type ObOperationRegistration,
  type ObPostOperationInformation,
  type ObPreOperationInformation,
  ObRegisterCallbacks,
  ObUnRegisterCallbacks,
  objectCallbacks,
} from '../../src/ob/callbacks';
import { DUPLICATE, NtDuplicateObject } from '../../src/ob/duplicate';
import { NtClose, ObOpenObjectByPointer } from '../../src/ob/handle';
import { NtQueryObject, OBJECT_INFORMATION_CLASS } from '../../src/ob/query';
import { ObReferenceObject } from '../../src/ob/reference';
import type { ObjectType } from '../../src/ob/type';
import {
  ExDesktopObjectType,
  ExEventObjectType,
  PsProcessType,
  PsThreadType,
} from '../../src/ob/types';
import { bugCheckOf, runKernel, runUser } from './user';

const PROCESS_ALL_ACCESS = 0x1fffff;
const CREATE = OB_OPERATION.HANDLE_CREATE;
const DUPLICATION = OB_OPERATION.HANDLE_DUPLICATE;
const BOTH = CREATE | DUPLICATION;
const BASIC = OBJECT_INFORMATION_CLASS.ObjectBasicInformation;

/** A registration with one operation. */
function registration(
  altitude: string,
  operation: Partial<ObOperationRegistration>,
  context: unknown = null,
) {
  return {
    Version: ObGetFilterVersion(),
    Altitude: altitude,
    RegistrationContext: context,
    OperationRegistration: [
      {
        ObjectType: PsProcessType,
        Operations: BOTH,
        PreOperation: null,
        PostOperation: null,
        ...operation,
      },
    ],
  };
}

const pre = () => OB_PREOP_SUCCESS;

/** Opens an object as user mode does. */
function open(object: KThread | KThread['process'], access: number, attributes = 0) {
  return ObOpenObjectByPointer(object, attributes, null, access, null, MODE.UserMode);
}

/** The access of a handle. */
function* grantedTo(handle: number): Generator<Request, number | undefined, number> {
  return (yield* NtQueryObject(handle, BASIC, 56)).GrantedAccess;
}

describe('ObRegisterCallbacks', () => {
  test.each([
    ['another version', { ...registration('1', { PreOperation: pre }), Version: 0x200 }],
    ['an altitude that is no number', registration('high', { PreOperation: pre })],
    ['an altitude with two points', registration('1.2.3', { PreOperation: pre })],
    ['no altitude', registration('', { PreOperation: pre })],
    ['no routine', registration('1', {})],
    ['no operation', registration('1', { PreOperation: pre, Operations: 0 })],
    ['an unknown operation', registration('1', { PreOperation: pre, Operations: 4 })],
    [
      'a type without callbacks',
      registration('1', { PreOperation: pre, ObjectType: ExEventObjectType }),
    ],
    ['nothing to register', { ...registration('1', {}), OperationRegistration: [] }],
  ])('refuses %s', async (_what, bad) => {
    const value = await runKernel(function* () {
      return yield* ObRegisterCallbacks(bad);
    });
    expect(value).toEqual({ status: STATUS.INVALID_PARAMETER, registrationHandle: null });
  });

  test.each([
    PsProcessType,
    PsThreadType,
    ExDesktopObjectType,
  ])('takes callbacks for $name', async (type: ObjectType) => {
    const value = await runKernel(function* () {
      const wanted = registration('1', { PreOperation: pre, ObjectType: type });
      return (yield* ObRegisterCallbacks(wanted)).status;
    });
    expect(value).toBe(STATUS.SUCCESS);
  });

  test('refuses an altitude that the type has already, however it is written', async () => {
    const value = await runKernel(function* () {
      const at = (altitude: string, type = PsProcessType) =>
        ObRegisterCallbacks(registration(altitude, { PreOperation: pre, ObjectType: type }));
      const first = yield* at('320000.50');
      const statuses = [first.status];
      for (const altitude of ['320000.5', '0320000.500', '320000.51', '320000']) {
        statuses.push((yield* at(altitude)).status);
      }
      statuses.push((yield* at('320000.5', PsThreadType)).status);
      if (first.registrationHandle !== null) yield* ObUnRegisterCallbacks(first.registrationHandle);
      statuses.push((yield* at('320000.5')).status);
      return statuses;
    });
    const collision = STATUS.FLT_INSTANCE_ALTITUDE_COLLISION;
    expect(value).toEqual([
      STATUS.SUCCESS,
      collision,
      collision,
      STATUS.SUCCESS,
      STATUS.SUCCESS,
      STATUS.SUCCESS,
      STATUS.SUCCESS,
    ]);
  });

  test('refuses two callbacks of one registration for one type, and registers neither', async () => {
    const value = await runKernel(function* () {
      const one = registration('1', { PreOperation: pre });
      const [operation] = one.OperationRegistration;
      const twice = { ...one, OperationRegistration: [operation, operation] as never };
      const refused = yield* ObRegisterCallbacks(twice);
      return [refused.status, (yield* ObRegisterCallbacks(one)).status];
    });
    expect(value).toEqual([STATUS.FLT_INSTANCE_ALTITUDE_COLLISION, STATUS.SUCCESS]);
  });
});

test('altitudes are compared as numbers of any length', () => {
  const ordered = [
    '0',
    '0.05',
    '.5',
    '1',
    '1.0000000000000000000000001',
    '9.9',
    '10',
    `1${'0'.repeat(30)}`,
  ];
  const altitudes = ordered.map((text) => parseAltitude(text));
  const sorted = [...altitudes].reverse().sort((a, b) => compareAltitudes(a as never, b as never));
  expect(sorted).toEqual(altitudes);
  expect(['', '.', '-1', '1e3', ' 1', '1.', '0x1'].map(parseAltitude)).toEqual([
    undefined,
    undefined,
    undefined,
    undefined,
    undefined,
    undefined,
    undefined,
  ]);
});

test('pre-operation callbacks are called from the highest altitude on, post-operation ones from the lowest', async () => {
  const value = await runKernel(function* (process) {
    const order: string[] = [];
    for (const altitude of ['9', '100', '20.5']) {
      yield* ObRegisterCallbacks(
        registration(
          altitude,
          {
            PreOperation: (context, information) => {
              order.push(`pre ${String(context)}`);
              information.CallContext = `from ${String(context)}`;
            },
            PostOperation: (context, information) => {
              order.push(`post ${String(context)} ${String(information.CallContext)}`);
            },
          },
          altitude,
        ),
      );
    }
    yield* open(process, PROCESS_ALL_ACCESS);
    return order;
  });
  expect(value).toEqual([
    'pre 100',
    'pre 20.5',
    'pre 9',
    'post 9 from 9',
    'post 20.5 from 20.5',
    'post 100 from 100',
  ]);
});

test('a callback is called at PASSIVE_LEVEL in a critical region, with what it is about', async () => {
  const value = await runKernel(function* (process) {
    const seen: unknown[] = [];
    const told = ({
      Operation,
      KernelHandle,
      Object: object,
      ObjectType,
    }: ObPreOperationInformation | ObPostOperationInformation) => [
      Operation,
      KernelHandle,
      object === process,
      ObjectType.name,
      KeGetCurrentIrql(),
      KeAreApcsDisabled(),
    ];
    yield* ObRegisterCallbacks(
      registration('1', {
        PreOperation: (_context, information) => {
          const { DesiredAccess, OriginalDesiredAccess } = information.Parameters;
          seen.push([
            ...told(information),
            information.CallContext,
            DesiredAccess,
            OriginalDesiredAccess,
          ]);
        },
        PostOperation: (_context, information) => {
          const { GrantedAccess } = information.Parameters;
          seen.push([...told(information), information.ReturnStatus, GrantedAccess]);
        },
      }),
    );
    yield* open(process, 0x410);
    return [...seen, KeAreApcsDisabled()];
  });
  const about = [1, false, true, 'Process', IRQL.PASSIVE_LEVEL, true];
  expect(value).toEqual([[...about, null, 0x410, 0x410], [...about, STATUS.SUCCESS, 0x410], false]);
});

/** What is left of all access to a process or thread when callbacks take everything away. */
function strippedAccess(kind: 'process' | 'thread', mode: MODE, attributes: number) {
  return runKernel(function* (process) {
    const target = kind === 'process' ? process : (process.threads()[0] as KThread);
    yield* ObRegisterCallbacks(
      registration('1', {
        ObjectType: kind === 'process' ? PsProcessType : PsThreadType,
        PreOperation: (_context, { Parameters }) => {
          Parameters.DesiredAccess = 0;
        },
      }),
    );
    const all = PROCESS_ALL_ACCESS;
    const { handle } = yield* ObOpenObjectByPointer(target, attributes, null, all, null, mode);
    return yield* grantedTo(handle);
  });
}

test.each([
  ['process', 'the documented bits', MODE.UserMode, 0, 0x1fffff & ~0x0beb],
  ['thread', 'the documented bits', MODE.UserMode, 0, 0x1fffff & ~0x07b3],
  ['process', 'nothing from kernel mode', MODE.KernelMode, 0, 0x1fffff],
  ['process', 'nothing from a handle of the kernel', MODE.KernelMode, OBJ.KERNEL_HANDLE, 0x1fffff],
] as const)('a callback for a %s takes away %s', async (kind, _what, mode, attributes, left) => {
  expect(await strippedAccess(kind, mode, attributes)).toBe(left);
});

test('a callback cannot add access, and the next one sees what is left', async () => {
  const value = await runKernel(function* (process) {
    const seen: number[] = [];
    const callback = (write: number) => ({
      PreOperation: (_context: unknown, { Parameters }: ObPreOperationInformation) => {
        seen.push(Parameters.DesiredAccess, Parameters.OriginalDesiredAccess);
        Parameters.DesiredAccess = write;
      },
    });
    yield* ObRegisterCallbacks(registration('3', callback(0x10)));
    yield* ObRegisterCallbacks(registration('2', callback(0x1fffff)));
    yield* ObRegisterCallbacks(registration('1', callback(0x1fffff)));
    const { handle } = yield* open(process, 0x411);
    return [seen, yield* grantedTo(handle)];
  });
  expect(value).toEqual([[0x411, 0x411, 0x410, 0x411, 0x410, 0x411], 0x410]);
});

test('the mask of what callbacks may take away can be set', async () => {
  const value = await runKernel(function* (process, machine) {
    objectCallbacks(machine).modifiable.set(PsProcessType, 0x0bfb);
    yield* ObRegisterCallbacks(
      registration('1', {
        PreOperation: (_context, { Parameters }) => {
          Parameters.DesiredAccess &= ~0x10;
        },
      }),
    );
    return yield* grantedTo((yield* open(process, 0x411)).handle);
  });
  expect(value).toBe(0x401);
});

test('a duplication is told with source and target, for its own operation alone', async () => {
  const value = await runUser(function* (process, machine) {
    const seen: unknown[] = [];
    const target = machine.createProcess();
    const there = yield* open(target, PROCESS_ALL_ACCESS);
    for (const operation of [CREATE, DUPLICATION]) {
      yield* ObRegisterCallbacks(
        registration(String(operation), {
          Operations: operation,
          PreOperation: (_context, { Operation, Parameters }) => {
            seen.push([
              operation,
              Operation,
              Parameters.SourceProcess === process,
              Parameters.TargetProcess === target,
            ]);
          },
        }),
      );
    }
    yield* NtDuplicateObject(-1, -1, there.handle, 0, 0, DUPLICATE.SAME_ACCESS);
    return seen;
  });
  expect(value).toEqual([[2, 2, true, true]]);
});

test('closing, references and events are not told of', async () => {
  const value = await runKernel(function* (process) {
    let calls = 0;
    const { handle } = yield* open(process, PROCESS_ALL_ACCESS);
    yield* ObRegisterCallbacks(
      registration('1', {
        PreOperation: () => {
          calls++;
        },
      }),
    );
    ObReferenceObject(process);
    yield* NtClose(handle);
    return calls;
  });
  expect(value).toBe(0);
});

test('an access that is refused is not told of', async () => {
  const value = await runKernel(function* (process) {
    let calls = 0;
    yield* ObRegisterCallbacks(
      registration('1', {
        PreOperation: () => {
          calls++;
        },
      }),
    );
    return [(yield* open(process, 0)).status, calls];
  });
  expect(value).toEqual([STATUS.ACCESS_DENIED, 0]);
});

function wait(event: KEvent, timeout: number | null = null) {
  return KeWaitForSingleObject(event, KWAIT_REASON.Executive, MODE.KernelMode, false, timeout);
}

test('ObUnRegisterCallbacks waits for calls under way', async () => {
  const value = await runKernel(function* (process, machine) {
    const order: string[] = [];
    const never = machine.createEvent('notification');
    const { registrationHandle } = yield* ObRegisterCallbacks(
      registration('1', {
        *PreOperation() {
          order.push('pre begins');
          yield* wait(never, -1_000_000);
          order.push('pre returns');
          return OB_PREOP_SUCCESS;
        },
        *PostOperation() {
          yield* wait(never, -1_000_000);
          order.push('post returns');
        },
      }),
    );
    process.createThread(function* () {
      yield* open(process, PROCESS_ALL_ACCESS);
      order.push('opened');
    });
    yield* wait(never, -500_000);
    order.push('unregister');
    if (registrationHandle !== null) yield* ObUnRegisterCallbacks(registrationHandle);
    order.push('unregistered');
    yield* open(process, PROCESS_ALL_ACCESS);
    return order;
  });
  expect(value?.indexOf('unregistered')).toBeGreaterThan(value?.indexOf('post returns') ?? 9);
  expect(value?.filter((step) => step === 'pre begins')).toHaveLength(1);
});

test('ObUnRegisterCallbacks a second time is SYSTEM_THREAD_EXCEPTION_NOT_HANDLED', async () => {
  const stop = await bugCheckOf(function* () {
    const { registrationHandle } = yield* ObRegisterCallbacks(
      registration('1', { PreOperation: pre }),
    );
    if (registrationHandle === null) return;
    yield* ObUnRegisterCallbacks(registrationHandle);
    yield* ObUnRegisterCallbacks(registrationHandle);
  });
  expect(stop).toEqual([
    BUGCHECK.SYSTEM_THREAD_EXCEPTION_NOT_HANDLED,
    BigInt(STATUS.ACCESS_VIOLATION),
    0n,
  ]);
});

test('a callback that returns at another level stops the machine', async () => {
  const stop = await bugCheckOf(function* (process) {
    yield* ObRegisterCallbacks(
      registration('1', {
        PreOperation: () => {
          KeRaiseIrql(IRQL.APC_LEVEL);
        },
      }),
    );
    yield* open(process, PROCESS_ALL_ACCESS);
  });
  expect(stop).toEqual([BUGCHECK.IRQL_UNEXPECTED_VALUE, 0x10000n, 0n]);
});

/** A pre-operation callback that waits for an event, and notes where it is. */
function noting(log: string[], event: KEvent) {
  return {
    *PreOperation() {
      const { thread } = currentGuest('test');
      log.push(`${thread.name} begins on ${thread.nextProcessor}`);
      yield* wait(event);
      log.push(`${thread.name} ends`);
      return OB_PREOP_SUCCESS;
    },
  };
}

test('a callback runs on two processors at once; ObUnRegisterCallbacks waits for both calls', async () => {
  const machine = await Machine.create({ processors: 2 });
  const log: string[] = [];
  const event = machine.createEvent('notification');
  const process = machine.createProcess({ name: 'target' });
  const held: { handle?: ObCallbackHandle | null } = {};
  machine.systemProcess.createThread(function* () {
    const { registrationHandle } = yield* ObRegisterCallbacks(
      registration('1', noting(log, event)),
    );
    held.handle = registrationHandle;
  });
  machine.run();
  for (const name of ['a', 'b']) {
    process.createThread(
      function* () {
        yield* open(process, PROCESS_ALL_ACCESS);
      },
      { name },
    );
  }
  machine.run();
  machine.systemProcess.createThread(function* () {
    if (held.handle) yield* ObUnRegisterCallbacks(held.handle);
    log.push('unregistered');
  });
  machine.run();
  event.set();
  machine.run();
  expect(log).toEqual(['b begins on 0', 'a begins on 1', 'b ends', 'a ends', 'unregistered']);
});

test('a callback that unregisters itself waits for ever, and is told of by name', async () => {
  const machine = await Machine.create();
  const process = machine.createProcess({ name: 'target' });
  const held: { handle?: ObCallbackHandle | null } = {};
  process.createThread(
    function* () {
      const { registrationHandle } = yield* ObRegisterCallbacks(
        registration('1', {
          PreOperation: function* onHandle() {
            if (held.handle) yield* ObUnRegisterCallbacks(held.handle);
          },
        }),
      );
      held.handle = registrationHandle;
      yield* open(process, PROCESS_ALL_ACCESS);
    },
    { name: 'opener' },
  );
  expect(machine.run()).toMatchObject({
    reason: 'deadlock',
    circle: [
      {
        thread: 'opener',
        waitsFor: 'the calls of pre-operation callback onHandle under way to return',
        ownedBy: 'opener',
      },
    ],
  });
});

test('an operation under way is told to the end to who was told of its beginning', async () => {
  const value = await runKernel(function* (process, machine) {
    const log: string[] = [];
    const event = machine.createEvent('notification');
    yield* ObRegisterCallbacks(registration('2', noting(log, event)));
    process.createThread(
      function* () {
        yield* open(process, PROCESS_ALL_ACCESS);
      },
      { name: 'opener' },
    );
    yield* wait(event, -10_000);
    yield* ObRegisterCallbacks(
      registration('1', {
        PreOperation: () => {
          log.push('new');
        },
      }),
    );
    event.set();
    yield* wait(machine.createEvent('notification'), -10_000);
    return log;
  });
  expect(value).toEqual(['opener begins on 0', 'opener ends']);
});
