import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { KSYSTEM, KTABLE } from '../../assembly/shared/layout';
import { STATUS } from '../../assembly/shared/status';
import { MODE } from '../../assembly/shared/types';
import { KeDelayExecutionThread } from '../../src/ke/time';
import { Machine } from '../../src/machine/machine';
import {
  OB_FLT_REGISTRATION_VERSION,
  OB_OPERATION,
  type ObCallbackHandle,
  ObRegisterCallbacks,
  ObUnRegisterCallbacks,
} from '../../src/ob/callbacks';
import { NtDuplicateObject } from '../../src/ob/duplicate';
import { NtClose } from '../../src/ob/handle';
import { NtWaitForSingleObject } from '../../src/ob/services/wait';
import { objectManager } from '../../src/ob/state';
import { PsProcessType, PsThreadType } from '../../src/ob/types';
import { NtTerminateProcess } from '../../src/ps/control-services';
import { NtCreateUserProcess } from '../../src/ps/create-services';
import { inspectCallbacks } from '../../src/ps/inspect-callbacks';
import { NtOpenProcess } from '../../src/ps/open-services';
import {
  PsRemoveCreateThreadNotifyRoutine,
  PsRemoveLoadImageNotifyRoutine,
  PsSetCreateProcessNotifyRoutineEx,
  PsSetCreateThreadNotifyRoutine,
  PsSetLoadImageNotifyRoutine,
} from '../../src/ps/register';
import { check } from './check';
import { ProcessModel } from './process-model';

/** One thing that a thread does; `pick` is which of those that there are, or one that is none. */
type Act =
  | { readonly kind: 'create'; readonly veto: boolean }
  | { readonly kind: 'open' | 'close' | 'duplicate'; readonly pick: number }
  | { readonly kind: 'terminate'; readonly pick: number; readonly status: number }
  | { readonly kind: 'register' | 'remove'; readonly routine: number };

const pick = fc.nat(12);
const routine = fc.nat(3);
const one = <K extends Act['kind']>(kind: K) => fc.constant(kind);
const acts: fc.Arbitrary<Act[]> = fc.array(
  fc.oneof(
    fc.record({ kind: one('create'), veto: fc.boolean() }),
    fc.record({ kind: one('create'), veto: fc.constant(false) }),
    fc.record({ kind: one('open'), pick }),
    fc.record({ kind: one('close'), pick }),
    fc.record({ kind: one('close'), pick }),
    fc.record({ kind: one('duplicate'), pick }),
    fc.record({ kind: one('terminate'), pick, status: fc.nat(9) }),
    fc.record({ kind: one('register'), routine }),
    fc.record({ kind: one('remove'), routine }),
  ),
  { maxLength: 40 },
);

const ALL = 0x1fffff;
const IMAGE = 'C:\\child.exe';

/** What the thread does comes to, and how often the routines of each kind were called. */
class Subject {
  readonly calls = [0, 0, 0, 0];
  veto = false;
  held: ObCallbackHandle | null = null;

  private readonly onProcess = (_process: unknown, _id: number, info: object | null) => {
    this.count(0);
    if (info !== null && this.veto) Object.assign(info, { CreationStatus: STATUS.ACCESS_DENIED });
  };
  private readonly onThread = () => this.count(1);
  private readonly onImage = () => this.count(2);
  private readonly onHandle = () => this.count(3);

  private count(routine: number): void {
    this.calls[routine] = (this.calls[routine] as number) + 1;
  }

  *create(): Generator<readonly number[], { status: number; handle: number; id: number }, number> {
    const attributes = { imageName: IMAGE };
    const made = yield* NtCreateUserProcess(
      ...([ALL, ALL, null, null, 0, 0, null, attributes] as const),
    );
    const { status, processHandle: handle, threadHandle, clientId } = made;
    if (status === STATUS.SUCCESS) yield* NtClose(threadHandle);
    // What was refused ends by itself.
    else yield* KeDelayExecutionThread(MODE.KernelMode, false, -10_000);
    return { status, handle, id: clientId?.UniqueProcess ?? 0 };
  }

  *terminate(handle: number, status: number): Generator<readonly number[], number, number> {
    const result = yield* NtTerminateProcess(handle, status);
    if (result === STATUS.SUCCESS) yield* NtWaitForSingleObject(handle, false, null);
    return result;
  }

  *register(routine: number): Generator<readonly number[], number, number> {
    if (routine === 0) return yield* PsSetCreateProcessNotifyRoutineEx(this.onProcess, false);
    if (routine === 1) return yield* PsSetCreateThreadNotifyRoutine(this.onThread);
    if (routine === 2) return yield* PsSetLoadImageNotifyRoutine(this.onImage);
    const { status, registrationHandle } = yield* ObRegisterCallbacks({
      Version: OB_FLT_REGISTRATION_VERSION,
      Altitude: '1',
      RegistrationContext: null,
      OperationRegistration: [
        {
          ObjectType: PsProcessType,
          Operations: OB_OPERATION.HANDLE_CREATE | OB_OPERATION.HANDLE_DUPLICATE,
          PreOperation: this.onHandle,
          PostOperation: null,
        },
      ],
    });
    if (status === STATUS.SUCCESS) this.held = registrationHandle;
    return status;
  }

  *remove(routine: number): Generator<readonly number[], number, number> {
    if (routine === 0) return yield* PsSetCreateProcessNotifyRoutineEx(this.onProcess, true);
    if (routine === 1) return yield* PsRemoveCreateThreadNotifyRoutine(this.onThread);
    if (routine === 2) return yield* PsRemoveLoadImageNotifyRoutine(this.onImage);
    const { held } = this;
    this.held = null;
    if (held === null) return STATUS.PROCEDURE_NOT_FOUND;
    yield* ObUnRegisterCallbacks(held);
    return STATUS.SUCCESS;
  }
}

/** Does one act on both sides; what it came to. */
function* step(
  act: Act,
  subject: Subject,
  model: ProcessModel,
): Generator<readonly number[], readonly [seen: unknown, expected: unknown], number> {
  switch (act.kind) {
    case 'create': {
      subject.veto = act.veto;
      const { status, handle, id } = yield* subject.create();
      return [[status, handle], model.create(act.veto, id)];
    }
    case 'open': {
      const id = model.id(act.pick);
      const result = yield* NtOpenProcess(ALL, {}, { UniqueProcess: id, UniqueThread: 0 });
      return [[result.status, result.handle], model.open(id)];
    }
    case 'duplicate': {
      const source = model.handle(act.pick);
      const { status, handle } = yield* NtDuplicateObject(-1, source, -1, 0, 0, 2);
      return [[status, handle], model.duplicate(source)];
    }
    case 'close': {
      const handle = model.handle(act.pick);
      return [yield* NtClose(handle), model.close(handle)];
    }
    case 'terminate': {
      const handle = model.handle(act.pick);
      return [yield* subject.terminate(handle, act.status), model.terminate(handle)];
    }
    case 'register':
      return [yield* subject.register(act.routine), model.register(act.routine)];
    case 'remove':
      return [yield* subject.remove(act.routine), model.remove(act.routine)];
  }
}

/** Ends what is alive, closes what is open, takes back what is registered. */
function* cleanUp(subject: Subject, model: ProcessModel) {
  subject.veto = false;
  for (const id of model.living) {
    const { handle } = yield* NtOpenProcess(ALL, {}, { UniqueProcess: id, UniqueThread: 0 });
    yield* subject.terminate(handle, 0);
    yield* NtClose(handle);
  }
  for (const handle of model.handles) yield* NtClose(handle);
  for (const routine of [0, 1, 2, 3]) {
    for (let left = model.registered[routine] as number; left > 0; left--)
      yield* subject.remove(routine);
  }
}

/** Rows in use, handles and registered routines. */
function leftovers(machine: Machine): unknown {
  const rows = (table: number) => machine.memory.u32(KSYSTEM.Address + table + KTABLE.Count);
  const handles = (type: typeof PsProcessType) => objectManager(machine).statistics(type).handles;
  return {
    processes: rows(KSYSTEM.ProcessTable),
    threads: rows(KSYSTEM.ThreadTable),
    extensions: rows(KSYSTEM.ExtensionTable),
    handles: handles(PsProcessType) + handles(PsThreadType),
    callbacks: inspectCallbacks(machine),
  };
}

async function run(plan: readonly Act[]): Promise<void> {
  const machine = await Machine.create({ processors: 2 });
  const here = machine.createProcess({ name: 'here' });
  const model = new ProcessModel();
  const subject = new Subject();
  const seen: unknown[] = [];
  const expected: unknown[] = [];
  const spent: unknown[] = [];
  here.createThread(
    function* () {
      spent.push(leftovers(machine));
      for (const act of plan) {
        const [came, should] = yield* step(act, subject, model);
        seen.push([act, came]);
        expected.push([act, should]);
      }
      const [ofProcesses, , , ofHandles] = subject.calls;
      seen.push([ofProcesses, ofHandles]);
      expected.push([model.calls[0], model.calls[3]]);
      yield* cleanUp(subject, model);
      spent.push(leftovers(machine));
    },
    { userMode: true },
  );
  const result = machine.run();
  expect(result).not.toHaveProperty('cause');
  expect(seen).toEqual(expected);
  expect(spent[1]).toEqual(spent[0]);
}

describe('processes, handles to them and callbacks about them', () => {
  test('come to what a plain model says, and leave nothing behind', async () => {
    await check('test/property/processes.test.ts', acts, 300, run);
  });
});
