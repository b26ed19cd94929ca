import { MODE } from '../../assembly/shared/types';
import { EResource } from '../../src/ex/eresource';
import {
  ExDeleteLookasideListEx,
  ExDeletePagedLookasideList,
  ExInitializeLookasideListEx,
  ExInitializePagedLookasideList,
} from '../../src/ex/lookaside';
import { ExDeleteResourceLite, ExInitializeResourceLite } from '../../src/ex/resource';
import { KeCancelTimer, KeSetTimer } from '../../src/ke/timer';
import { KeDelayExecutionThread } from '../../src/ke/time';
import { currentGuest } from '../../src/machine/guest';
import type { Machine } from '../../src/machine/machine';
import type { KTimer } from '../../src/machine/views';
import { NtClose, ZwClose } from '../../src/ob/handle';
import { processManager } from '../../src/ps/manager';
import {
  PsDereferenceImpersonationToken,
  PsDereferencePrimaryToken,
  PsReferenceImpersonationToken,
  PsReferencePrimaryToken,
  PsRevertToSelf,
} from '../../src/ps/token';
import {
  compute,
  createChild,
  createEvent,
  entries,
  impersonate,
  machine,
  switched,
} from './corpus-parts';
import { entryDriver, type Pair, processDriver } from './drivers';

/** The pairs of what drivers leave when they are unloaded. */

/** An event of the process at hand, which the code that makes it ought to close. */
const userEvent = () => createEvent(null);

export const LEFTOVERS: readonly Pair[] = [
  switched('UN-01', 'a timer without a DPC that is set', timerDriver),
  entries('UN-03', 'a handle of the System process that is not closed', function* (good) {
    const handle = yield* userEvent();
    if (good) yield* ZwClose(handle);
  }),
  switched(
    'UN-03',
    'a handle in a process that goes on',
    (good) =>
      processDriver(function* onProcess(_process, _id, createInfo) {
        if (createInfo === null) return;
        const handle = yield* userEvent();
        if (good) yield* NtClose(handle);
      }),
    lastingProcess,
  ),
  entries('UN-04', 'a primary token that is not dereferenced', function* (good) {
    const token = PsReferencePrimaryToken(machine().systemProcess);
    if (good) yield* PsDereferencePrimaryToken(token);
    yield compute(1);
  }),
  entries('UN-04', 'an impersonation token that is not dereferenced', function* (good) {
    yield* impersonate();
    const { thread } = currentGuest('corpus');
    const whom = PsReferenceImpersonationToken(thread);
    yield* PsRevertToSelf();
    if (good) yield* PsDereferenceImpersonationToken(whom.token);
  }),
  entries('UN-05', 'a lookaside list that is not deleted', function* (good) {
    const { value } = ExInitializeLookasideListEx(null, null, 512, 0, 64, 'Sut1', 0);
    if (good && value !== null) yield* ExDeleteLookasideListEx(value);
    yield compute(1);
  }),
  entries('UN-05', 'a lookaside list of paged pool that is not deleted', function* (good) {
    const lookaside = ExInitializePagedLookasideList(null, null, 0, 64, 'Sut1', 0);
    if (good) yield* ExDeletePagedLookasideList(lookaside);
    yield compute(1);
  }),
  entries('UN-05', 'a resource that is not deleted', function* (good) {
    const resource = new EResource('table');
    ExInitializeResourceLite(resource);
    yield compute(1);
    if (good) ExDeleteResourceLite(resource);
  }),
];

/** A process that makes another, and is there for longer than the driver. */
function lastingProcess(machine: Machine): void {
  processManager(machine).createProcess({
    image: 'C:\\Windows\\explorer.exe',
    *main() {
      yield* createChild();
      yield* KeDelayExecutionThread(MODE.UserMode, false, -1e9);
    },
  });
}

function timerDriver(cancel: boolean) {
  let timer: KTimer | undefined;
  return entryDriver(
    function* () {
      timer = machine().createTimer('notification');
      yield* KeSetTimer(timer, -1e9, null);
    },
    function* () {
      if (cancel && timer !== undefined) yield* KeCancelTimer(timer);
    },
  );
}
