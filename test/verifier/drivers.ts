import { STATUS } from '../../assembly/shared/status';
import type { DriverOptions } from '../../src/machine/driver';
import type { Request } from '../../src/machine/guest';
import type { Machine } from '../../src/machine/machine';
import {
  OB_OPERATION,
  type ObCallbackHandle,
  type ObPostOperationCallback,
  type ObPreOperationCallback,
  ObRegisterCallbacks,
  ObUnRegisterCallbacks,
} from '../../src/ob/callbacks';
import { PsProcessType } from '../../src/ob/types';
import type { LoadImageNotifyRoutine } from '../../src/ps/image-notify';
import type { CreateProcessNotifyRoutineEx } from '../../src/ps/process-notify';
import {
  PsRemoveCreateThreadNotifyRoutine,
  PsRemoveLoadImageNotifyRoutine,
  PsSetCreateProcessNotifyRoutineEx,
  PsSetCreateThreadNotifyRoutine,
  PsSetLoadImageNotifyRoutine,
} from '../../src/ps/register';
import type { CreateThreadNotifyRoutine } from '../../src/ps/thread-notify';

/** A small driver that breaks one rule, and the smallest that does the same and keeps it. */
export interface Pair {
  readonly rule: string;
  readonly what: string;
  readonly bad: () => DriverOptions;
  readonly good: () => DriverOptions;
  /** What happens meanwhile. Default: the usual scenario. */
  readonly scenario?: (machine: Machine) => void;
}

/** Drivers of one callback each, which take it back when they are unloaded. */

export type Entry = () => Generator<Request, unknown, number>;

export const NAME = 'sut';

/** A driver that does nothing but what it is given for its entry. */
export function entryDriver(entry: Entry, unload: Entry | null = function* () {}): DriverOptions {
  return {
    name: NAME,
    *DriverEntry() {
      yield* entry();
      return STATUS.SUCCESS;
    },
    ...(unload === null
      ? {}
      : {
          *DriverUnload() {
            yield* unload();
          },
        }),
  };
}

export function processDriver(routine: CreateProcessNotifyRoutineEx): DriverOptions {
  return entryDriver(
    () => PsSetCreateProcessNotifyRoutineEx(routine, false) as never,
    () => PsSetCreateProcessNotifyRoutineEx(routine, true) as never,
  );
}

export function threadDriver(routine: CreateThreadNotifyRoutine): DriverOptions {
  return entryDriver(
    () => PsSetCreateThreadNotifyRoutine(routine) as never,
    () => PsRemoveCreateThreadNotifyRoutine(routine) as never,
  );
}

export function imageDriver(routine: LoadImageNotifyRoutine): DriverOptions {
  return entryDriver(
    () => PsSetLoadImageNotifyRoutine(routine) as never,
    () => PsRemoveLoadImageNotifyRoutine(routine) as never,
  );
}

/** Callbacks before and after handles to processes are made. */
export function handleDriver(
  PreOperation: ObPreOperationCallback | null,
  PostOperation: ObPostOperationCallback | null = null,
): DriverOptions {
  let registration: ObCallbackHandle | null = null;
  return entryDriver(
    function* () {
      const result = yield* ObRegisterCallbacks({
        Version: 0x100,
        Altitude: '320000',
        RegistrationContext: null,
        OperationRegistration: [
          {
            ObjectType: PsProcessType,
            Operations: OB_OPERATION.HANDLE_CREATE | OB_OPERATION.HANDLE_DUPLICATE,
            PreOperation,
            PostOperation,
          },
        ],
      });
      registration = result.registrationHandle;
    },
    function* () {
      if (registration !== null) yield* ObUnRegisterCallbacks(registration);
    },
  );
}
