import { STATUS } from '../../assembly/shared/status';
import type { DriverOptions } from '../machine/driver';
import { OB_OPERATION, ObRegisterCallbacks, ObUnRegisterCallbacks } from '../ob/callbacks';
import type { ObCallbackHandle } from '../ob/callbacks';
import { PsProcessType, PsThreadType } from '../ob/types';
import {
  PsRemoveLoadImageNotifyRoutine,
  PsSetCreateProcessNotifyRoutineEx,
  PsSetLoadImageNotifyRoutine,
} from '../ps/register';

/** Drivers that do what a driver must put up with, to be loaded beside the one under test. */

/** Refuses every second process, before others are asked. */
function vetoer(): DriverOptions {
  let count = 0;
  const onProcess: Parameters<typeof PsSetCreateProcessNotifyRoutineEx>[0] = (
    _process,
    _processId,
    createInfo,
  ) => {
    if (createInfo === null) return;
    count++;
    if (count % 2 === 0) createInfo.CreationStatus = STATUS.ACCESS_DENIED;
  };
  return {
    name: 'neighbour-veto',
    *DriverEntry() {
      return yield* PsSetCreateProcessNotifyRoutineEx(onProcess, false);
    },
    *DriverUnload() {
      yield* PsSetCreateProcessNotifyRoutineEx(onProcess, true);
    },
  };
}

/** Takes all access away, from the highest altitude. */
function stripper(): DriverOptions {
  let handle: ObCallbackHandle | null = null;
  const strip: Parameters<
    typeof ObRegisterCallbacks
  >[0]['OperationRegistration'][number]['PreOperation'] = (_context, information) => {
    information.Parameters.DesiredAccess &= 0x1000;
    return 0;
  };
  return {
    name: 'neighbour-strip',
    *DriverEntry() {
      const result = yield* ObRegisterCallbacks({
        Version: 0x100,
        Altitude: '999999',
        RegistrationContext: null,
        OperationRegistration: [PsProcessType, PsThreadType].map((ObjectType) => ({
          ObjectType,
          Operations: OB_OPERATION.HANDLE_CREATE | OB_OPERATION.HANDLE_DUPLICATE,
          PreOperation: strip,
          PostOperation: null,
        })),
      });
      handle = result.registrationHandle;
      return result.status;
    },
    *DriverUnload() {
      if (handle !== null) yield* ObUnRegisterCallbacks(handle);
    },
  };
}

/** Takes all slots of load-image routines but one. */
function filler(): DriverOptions {
  const routines = Array.from({ length: 63 }, () => () => undefined);
  return {
    name: 'neighbour-fill',
    *DriverEntry() {
      for (const routine of routines) yield* PsSetLoadImageNotifyRoutine(routine);
      return STATUS.SUCCESS;
    },
    *DriverUnload() {
      for (const routine of routines) yield* PsRemoveLoadImageNotifyRoutine(routine);
    },
  };
}

export const NEIGHBOURS: Readonly<Record<string, () => DriverOptions>> = {
  veto: vetoer,
  strip: stripper,
  fill: filler,
};
