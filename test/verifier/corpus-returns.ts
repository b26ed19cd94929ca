import { STATUS } from '../../assembly/shared/status';
import { MODE } from '../../assembly/shared/types';
import { KeStallExecutionProcessor } from '../../src/ke/ddi';
import { KeDelayExecutionThread } from '../../src/ke/time';
import type { DriverOptions } from '../../src/machine/driver';
import { PsSetCreateProcessNotifyRoutineEx } from '../../src/ps/register';
import { compute, forever, machine, pair, switched } from './corpus-parts';
import { entryDriver, NAME, type Pair, processDriver } from './drivers';

/** Drivers that are not loaded, or whose routines do not return. */

const delay = () => KeDelayExecutionThread(MODE.KernelMode, false, -10_000);

const statusDriver = (status: number): DriverOptions => ({
  name: NAME,
  DriverEntry: () => status,
});

export const RETURNS: readonly Pair[] = [
  pair(
    'DR-01',
    'a DriverEntry that returns an error',
    () => statusDriver(STATUS.INSUFFICIENT_RESOURCES),
    () => statusDriver(STATUS.SUCCESS),
  ),
  switched('DR-01', 'a DriverEntry that gives up when a routine is registered already', (good) => {
    const onProcess = () => undefined;
    return {
      name: NAME,
      *DriverEntry() {
        const first = yield* PsSetCreateProcessNotifyRoutineEx(onProcess, false);
        if (good) return first;
        const second = yield* PsSetCreateProcessNotifyRoutineEx(onProcess, false);
        yield* PsSetCreateProcessNotifyRoutineEx(onProcess, true);
        return second;
      },
      *DriverUnload() {
        yield* PsSetCreateProcessNotifyRoutineEx(onProcess, true);
      },
    };
  }),
  switched('DR-02', 'a DriverEntry that waits for what nobody sets', (good) =>
    entryDriver(function* () {
      if (good) yield* delay();
      else yield* forever(machine().createEvent('notification'));
    }),
  ),
  switched('DR-02', 'a DriverUnload that waits for what nobody sets', (good) =>
    entryDriver(
      function* () {},
      function* () {
        if (good) yield* delay();
        else yield* forever(machine().createEvent('notification'));
      },
    ),
  ),
  switched('DR-02', 'a DriverUnload that polls what nobody sets', (good) =>
    entryDriver(
      function* () {},
      function* () {
        do yield* delay();
        while (!good);
      },
    ),
  ),
  switched('DR-02', 'a DriverEntry that loops for ever', (good) =>
    entryDriver(function* () {
      do yield compute(100);
      while (!good);
    }),
  ),
  switched('CB-01', 'a process routine that polls what nobody sets', (good) =>
    processDriver(function* onProcess() {
      do yield* KeStallExecutionProcessor(50);
      while (!good);
    }),
  ),
  switched('CB-01', 'a process routine that loops for ever', (good) =>
    processDriver(function* onProcess() {
      do yield compute(1);
      while (!good);
    }),
  ),
];
