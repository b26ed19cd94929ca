import { describe, expect, test } from 'vitest';
import { BUGCHECK } from '../../assembly/shared/bugcheck';
import { STATUS } from '../../assembly/shared/status';
import { MODE } from '../../assembly/shared/types';
import { POOL_TYPE, poolUsage } from '../../src/ex/pool';
import { ExInitializeWorkItem, ExQueueWorkItem, WorkQueueItem } from '../../src/ex/worker';
import { KeDelayExecutionThread } from '../../src/ke/time';
import { currentGuest } from '../../src/machine/guest';
import { Machine } from '../../src/machine/machine';
import type { KProcess } from '../../src/machine/views';
import { NtClose, ObOpenObjectByPointer, ObReferenceObjectByHandle } from '../../src/ob/handle';
import { ObDereferenceObject } from '../../src/ob/reference';
import { PsJobType, PsProcessType } from '../../src/ob/types';
import { PROCESSINFOCLASS } from '../../src/ps/information-class';
import { NtQueryInformationProcess } from '../../src/ps/process-query';
import { processManager } from '../../src/ps/manager';
import { type JobObject, JOB_OBJECT_MSG } from '../../src/ps/job';
import { JOBOBJECTINFOCLASS } from '../../src/ps/job-information-class';
import { NtQueryInformationJobObject } from '../../src/ps/job-query';
import {
  NtAssignProcessToJobObject,
  NtCreateJobObject,
  NtTerminateJobObject,
} from '../../src/ps/job-services';
import { NtSetInformationJobObject } from '../../src/ps/job-set';
import {
  PsAllocSiloContextSlot,
  PsCreateSiloContext,
  PsDereferenceSiloContext,
  PsFreeSiloContextSlot,
  PsGetPermanentSiloContext,
  PsGetSiloContext,
  PsInsertPermanentSiloContext,
  PsInsertSiloContext,
  PsMakeSiloContextPermanent,
  PsReferenceSiloContext,
  PsRemoveSiloContext,
  PsReplaceSiloContext,
} from '../../src/ps/silo-context';
import { PsReleaseSiloHardReference, PsTerminateServerSilo } from '../../src/ps/silo-end';
import {
  PsGetSiloMonitorContextSlot,
  PsRegisterSiloMonitor,
  PsStartSiloMonitor,
  PsUnregisterSiloMonitor,
} from '../../src/ps/silo-monitor';
import type { SiloMonitorRegistration } from '../../src/ps/silo-monitor-object';
import {
  IoGetSiloParameters,
  PsAcquireSiloHardReference,
  PsAttachSiloToCurrentThread,
  PsDetachSiloFromCurrentThread,
  PsGetCurrentServerSilo,
  PsGetCurrentServerSiloName,
  PsGetCurrentSilo,
  PsGetEffectiveServerSilo,
  PsGetHostSilo,
  PsGetJobServerSilo,
  PsGetJobSilo,
  PsGetParentSilo,
  PsGetServerSiloActiveConsoleId,
  PsGetServerSiloServiceSessionId,
  PsGetSiloContainerId,
  PsGetThreadServerSilo,
  PsIsCurrentThreadInServerSilo,
  PsIsHostSilo,
} from '../../src/ps/silo-routines';
import { runGuest } from '../ke/guest';
import { listen, messages } from './jobs';

const CREATE = JOBOBJECTINFOCLASS.JobObjectCreateSilo;
const INITIALIZE = JOBOBJECTINFOCLASS.JobObjectServerSiloInitialize;
const SERVER = JOBOBJECTINFOCLASS.JobObjectServerSiloBasicInformation;
const NON_PAGED = POOL_TYPE.NonPagedPoolNx;

/** A job: an app silo, or a server silo, if that is asked for. */
function* makeSilo(kind: 'job' | 'app' | 'server') {
  const { handle = 0 } = yield* NtCreateJobObject(0x1f003f, null);
  if (kind !== 'job') yield* NtSetInformationJobObject(handle, CREATE, null, 0);
  if (kind === 'server') yield* NtSetInformationJobObject(handle, INITIALIZE, null, 0);
  const { object } = yield* ObReferenceObjectByHandle<JobObject>(handle, 0, PsJobType, 0);
  const silo = object as JobObject;
  yield* ObDereferenceObject(silo);
  return { handle, silo };
}

function* open(process: KProcess) {
  const { handle = 0 } = yield* ObOpenObjectByPointer(process, 0, null, 0, PsProcessType, 0);
  return handle;
}

/** Lets threads of the system run. */
function* pause() {
  yield* KeDelayExecutionThread(MODE.KernelMode, false, -1_000_000);
}

/** A context of a silo, whose cleanup notes a word. */
function contextOf(silo: JobObject | null, note: (what: unknown) => void = () => undefined) {
  const { context } = PsCreateSiloContext(silo, 64, NON_PAGED, () => note('cleanup'));
  if (context === null) throw new Error('no context');
  return context;
}

function registration(more: Partial<SiloMonitorRegistration> = {}): SiloMonitorRegistration {
  return {
    Version: 1,
    MonitorHost: false,
    MonitorExistingSilos: false,
    ComponentName: 'test',
    CreateCallback: () => STATUS.SUCCESS,
    TerminateCallback: () => undefined,
    ...more,
  };
}

/** A monitor that notes what it is told, is registered, and started. */
function* monitorWith(note: (what: unknown) => void, more: Partial<SiloMonitorRegistration> = {}) {
  const name = (silo: JobObject | null) => (silo === null ? 'host' : `silo ${silo.silo?.id}`);
  const { monitor } = PsRegisterSiloMonitor(
    registration({
      CreateCallback: (silo) => {
        note(`${name(silo)} begins`);
        return STATUS.SUCCESS;
      },
      TerminateCallback: (silo) => note(`${name(silo)} ends`),
      ...more,
    }),
  );
  if (monitor === undefined) throw new Error('no monitor');
  note(yield* PsStartSiloMonitor(monitor));
  return monitor;
}

async function collect(
  body: (
    note: (what: unknown) => void,
    machine: Machine,
  ) => Generator<readonly number[], void, number>,
) {
  const seen: unknown[] = [];
  await runGuest((machine) => body((what) => seen.push(what), machine));
  return seen;
}

/** Code and the first two parameters of the bugcheck that code of the kernel ends in. */
async function bugCheckOf(body: () => Generator<readonly number[], void, number>) {
  const machine = await Machine.create({ processors: 1 });
  const thread = machine.systemProcess.createThread(body);
  const result = machine.run();
  if (result.reason !== 'bugcheck') return undefined;
  return { code: result.code, parameters: result.parameters.map(Number), thread };
}

describe('the silo of a job', () => {
  test('is the first silo of its chain, and the server silo the first of those', async () => {
    const seen = await collect(function* (note) {
      const outer = yield* makeSilo('server');
      const inner = yield* makeSilo('app');
      const job = yield* makeSilo('job');
      const sameJob = [outer, inner, job].map(({ silo }) => silo);
      const name = (silo: JobObject | null) =>
        silo === null ? 'host' : ['server', 'app', 'job'][sameJob.indexOf(silo)];
      inner.silo.nest(outer.silo);
      job.silo.nest(inner.silo);
      note(name(PsGetJobSilo(job.silo).silo));
      note(name(PsGetJobServerSilo(job.silo).silo));
      note(name(PsGetParentSilo(inner.silo)));
      note(name(PsGetParentSilo(outer.silo)));
      note(name(PsGetParentSilo(null)));
      note(name(PsGetEffectiveServerSilo(inner.silo)));
      note(name(PsGetEffectiveServerSilo(null)));
    });
    expect(seen).toEqual(['app', 'server', 'server', 'host', 'host', 'server', 'host']);
  });

  test('PsGetJobSilo has none for a plain job, where PsGetJobServerSilo has the host', async () => {
    const seen = await collect(function* (note) {
      const { silo } = yield* makeSilo('job');
      note(PsGetJobSilo(silo));
      note(PsGetJobSilo(null).status);
      note(PsGetJobServerSilo(silo));
      note(PsGetJobServerSilo(null).status);
    });
    expect(seen).toEqual([
      { status: STATUS.JOB_NO_CONTAINER, silo: null },
      STATUS.INVALID_PARAMETER,
      { status: STATUS.SUCCESS, silo: null },
      STATUS.INVALID_PARAMETER,
    ]);
  });

  test('NtSetInformationJobObject makes silos of empty jobs alone, and server silos of silos', async () => {
    const seen = await collect(function* (note, machine) {
      const job = yield* makeSilo('job');
      note(yield* NtSetInformationJobObject(job.handle, INITIALIZE, null, 0));
      const creation = processManager(machine).createProcess({ image: 'C:\\a.exe' });
      yield* pause();
      const own = yield* open(creation.process as KProcess);
      yield* NtAssignProcessToJobObject(job.handle, own);
      note(yield* NtSetInformationJobObject(job.handle, CREATE, null, 0));
      const app = yield* makeSilo('app');
      note(yield* NtSetInformationJobObject(app.handle, CREATE, null, 0));
      note((yield* NtQueryInformationJobObject(app.handle, SERVER, 32)).status);
      note(yield* NtSetInformationJobObject(app.handle, INITIALIZE, null, 0));
      note(yield* NtSetInformationJobObject(app.handle, INITIALIZE, null, 0));
      note((yield* NtQueryInformationJobObject(app.handle, SERVER, 32)).State);
      creation.thread?.terminate();
    });
    expect(seen).toEqual([
      STATUS.JOB_NO_CONTAINER,
      STATUS.JOB_NOT_EMPTY,
      STATUS.INVALID_PARAMETER,
      STATUS.JOB_NO_CONTAINER,
      STATUS.SUCCESS,
      STATUS.INVALID_PARAMETER,
      1,
    ]);
  });
});

describe('the silo of a thread', () => {
  test('PsAttachSiloToCurrentThread comes before membership, and is taken back by PsDetachSiloFromCurrentThread', async () => {
    const seen = await collect(function* (note) {
      const server = yield* makeSilo('server');
      const app = yield* makeSilo('app');
      const { thread } = currentGuest('test');
      note([PsGetCurrentSilo(), PsGetCurrentServerSilo(), PsIsCurrentThreadInServerSilo()]);
      const outer = PsAttachSiloToCurrentThread(server.silo);
      note([outer, PsGetCurrentSilo() === server.silo, PsIsCurrentThreadInServerSilo()]);
      note(PsGetThreadServerSilo(thread) === server.silo);
      note(PsGetCurrentServerSiloName());
      const inner = PsAttachSiloToCurrentThread(app.silo);
      note([inner === server.silo, PsGetCurrentSilo() === app.silo, PsGetCurrentServerSilo()]);
      PsDetachSiloFromCurrentThread(inner);
      note(PsGetCurrentSilo() === server.silo);
      PsDetachSiloFromCurrentThread(outer);
      note([PsGetCurrentSilo(), PsGetThreadServerSilo(thread), PsGetCurrentServerSiloName()]);
    });
    expect(seen).toEqual([
      [null, null, false],
      [undefined, true, true],
      true,
      '\\Silos\\1',
      [true, true, null],
      true,
      [null, null, ''],
    ]);
  });

  test('the host is null, and has sessions 0 and 1; server silos have theirs behind those', async () => {
    const seen = await collect(function* (note) {
      const { silo } = yield* makeSilo('server');
      const host = PsGetHostSilo();
      note([PsIsHostSilo(host), PsIsHostSilo(silo)]);
      note([PsGetServerSiloServiceSessionId(host), PsGetServerSiloActiveConsoleId(host)]);
      note([PsGetServerSiloServiceSessionId(silo), PsGetServerSiloActiveConsoleId(silo)]);
      note([PsGetSiloContainerId(host), PsGetSiloContainerId(silo)]);
      note(IoGetSiloParameters({ FileName: '' }));
    });
    expect(seen).toEqual([
      [true, false],
      [0, 1],
      [2, 2],
      [null, '00000000-0000-4000-8000-000000000001'],
      null,
    ]);
  });

  test('a thread that ends attached is INVALID_SILO_DETACH', async () => {
    const stop = await bugCheckOf(function* () {
      const { silo } = yield* makeSilo('app');
      PsAttachSiloToCurrentThread(silo);
    });
    expect(stop?.code).toBe(BUGCHECK.INVALID_SILO_DETACH);
    expect(stop?.parameters).toEqual([
      stop?.thread.handle,
      1,
      stop?.thread.machine.systemProcess.handle,
      0,
    ]);
  });

  test('a work item that returns attached is WORKER_THREAD_RETURNED_WHILE_ATTACHED_TO_SILO', async () => {
    const stop = await bugCheckOf(function* () {
      const item = new WorkQueueItem();
      ExInitializeWorkItem(item, () => void PsAttachSiloToCurrentThread(null), 7);
      yield* ExQueueWorkItem(item, 1);
    });
    expect(stop?.code).toBe(BUGCHECK.WORKER_THREAD_RETURNED_WHILE_ATTACHED_TO_SILO);
    expect(stop?.parameters[1]).toBe(7);
  });
});

describe('contexts of silos', () => {
  test('PsAllocSiloContextSlot has 64 slots, which PsFreeSiloContextSlot gives back', async () => {
    const seen = await collect(function* (note) {
      yield* pause();
      for (let slot = 0; slot < 64; slot++) PsAllocSiloContextSlot(0);
      note(PsAllocSiloContextSlot(0).status);
      note(PsFreeSiloContextSlot(5));
      note(PsFreeSiloContextSlot(5));
      note(PsAllocSiloContextSlot(0));
    });
    expect(seen).toEqual([
      STATUS.INSUFFICIENT_RESOURCES,
      STATUS.SUCCESS,
      STATUS.INVALID_PARAMETER,
      { status: STATUS.SUCCESS, slot: 5 },
    ]);
  });

  test('are one a slot, counted, replaced and removed', async () => {
    const seen = await collect(function* (note) {
      const { silo } = yield* makeSilo('app');
      const { slot } = PsAllocSiloContextSlot(0);
      const first = contextOf(silo, note);
      const second = contextOf(silo, note);
      note(PsGetSiloContext(silo, slot));
      note(PsGetSiloContext(silo, slot + 1).status);
      note(PsInsertSiloContext(silo, slot, first));
      note(PsInsertSiloContext(silo, slot, second));
      note(PsInsertSiloContext(silo, slot + 1, second));
      note(PsInsertSiloContext(null, slot, second));
      yield* PsDereferenceSiloContext(first);
      const replaced = PsReplaceSiloContext(silo, slot, second);
      note([replaced.status, replaced.context === first]);
      yield* PsDereferenceSiloContext(first);
      note(PsGetSiloContext(silo, slot).context === second);
      yield* PsDereferenceSiloContext(second);
      PsReferenceSiloContext(second);
      const removed = PsRemoveSiloContext(silo, slot);
      note([removed.status, removed.context === second]);
      note(PsRemoveSiloContext(silo, slot).status);
      for (let count = 0; count < 3; count++) yield* PsDereferenceSiloContext(second);
    });
    expect(seen).toEqual([
      { status: STATUS.NOT_FOUND, context: null },
      STATUS.INVALID_PARAMETER,
      STATUS.SUCCESS,
      STATUS.NOT_SUPPORTED,
      STATUS.INVALID_PARAMETER,
      STATUS.INVALID_PARAMETER,
      [STATUS.SUCCESS, true],
      'cleanup',
      true,
      [STATUS.SUCCESS, true],
      STATUS.NOT_FOUND,
      'cleanup',
    ]);
  });

  test('that are permanent are not replaced or removed, and need no reference', async () => {
    const seen = await collect(function* (note) {
      const { silo } = yield* makeSilo('app');
      const { slot } = PsAllocSiloContextSlot(0);
      const context = contextOf(silo);
      note(PsMakeSiloContextPermanent(silo, slot));
      note(PsMakeSiloContextPermanent(silo, slot + 1));
      note(PsGetPermanentSiloContext(silo, slot).status);
      note(PsInsertSiloContext(silo, slot, context));
      note(PsGetPermanentSiloContext(silo, slot).status);
      note(PsMakeSiloContextPermanent(silo, slot));
      note(PsGetPermanentSiloContext(silo, slot).context === context);
      note(PsReplaceSiloContext(silo, slot, context).status);
      note(PsRemoveSiloContext(silo, slot).status);
      const other = PsAllocSiloContextSlot(0).slot;
      note(PsInsertPermanentSiloContext(silo, other, context));
      note(PsInsertPermanentSiloContext(silo, other, context));
    });
    expect(seen).toEqual([
      STATUS.INVALID_PARAMETER,
      STATUS.NOT_FOUND,
      STATUS.NOT_FOUND,
      STATUS.SUCCESS,
      STATUS.NOT_SUPPORTED,
      STATUS.SUCCESS,
      true,
      STATUS.NOT_SUPPORTED,
      STATUS.NOT_SUPPORTED,
      STATUS.SUCCESS,
      STATUS.NOT_SUPPORTED,
    ]);
  });

  test('PsCreateSiloContext takes NonPagedPoolNx and PagedPool, and gives the pool back', async () => {
    const seen = await collect(function* (note, machine) {
      note(PsCreateSiloContext(null, 64, POOL_TYPE.NonPagedPool, null).status);
      const { context } = PsCreateSiloContext(null, 64, POOL_TYPE.PagedPool, null);
      note(context?.size);
      note(poolUsage(machine).map(({ tag, bytes }) => [tag, bytes]));
      if (context !== null) yield* PsDereferenceSiloContext(context);
      note(poolUsage(machine).map(({ bytes }) => bytes));
    });
    expect(seen).toEqual([STATUS.INVALID_PARAMETER, 64, [['PsSC', 64]], [0]]);
  });

  test('PsFreeSiloContextSlot of a slot in use is KERNEL_STORAGE_SLOT_IN_USE', async () => {
    const stop = await bugCheckOf(function* () {
      const { silo } = yield* makeSilo('app');
      const { slot } = PsAllocSiloContextSlot(0);
      PsInsertSiloContext(silo, slot, contextOf(silo));
      PsFreeSiloContextSlot(slot);
    });
    expect([stop?.code, ...(stop?.parameters ?? [])]).toEqual([
      BUGCHECK.KERNEL_STORAGE_SLOT_IN_USE,
      1,
      0,
      0,
      0,
    ]);
  });

  test('PsDereferenceSiloContext once too often is REFERENCE_BY_POINTER', async () => {
    const stop = await bugCheckOf(function* () {
      const context = contextOf(null);
      yield* PsDereferenceSiloContext(context);
      yield* PsDereferenceSiloContext(context);
    });
    expect(stop?.code).toBe(BUGCHECK.REFERENCE_BY_POINTER);
  });
});

describe('monitors of silos', () => {
  test('PsRegisterSiloMonitor needs its version, a name and a terminate callback, outside of server silos', async () => {
    const seen = await collect(function* (note) {
      const register = (more: Partial<SiloMonitorRegistration>) =>
        PsRegisterSiloMonitor(registration(more)).status;
      note(register({ Version: 2 }));
      note(register({ ComponentName: '' }));
      note(register({ TerminateCallback: null }));
      note(register({ ComponentName: '', DriverObjectName: '\\Driver\\a' }));
      const { silo } = yield* makeSilo('server');
      const previous = PsAttachSiloToCurrentThread(silo);
      note(register({}));
      PsDetachSiloFromCurrentThread(previous);
      for (let count = 0; count < 63; count++) register({});
      note(register({}));
    });
    expect(seen).toEqual([
      STATUS.INVALID_PARAMETER,
      STATUS.INVALID_PARAMETER,
      STATUS.INVALID_PARAMETER,
      STATUS.SUCCESS,
      STATUS.PRIVILEGE_NOT_HELD,
      STATUS.INSUFFICIENT_RESOURCES,
    ]);
  });

  test('are told of server silos that begin and end, from when they are started', async () => {
    const seen = await collect(function* (note) {
      yield* monitorWith(note, { MonitorHost: true });
      const { silo } = yield* makeSilo('server');
      yield* makeSilo('app');
      PsTerminateServerSilo(silo, 5);
      note('asked');
      yield* pause();
    });
    expect(seen).toEqual(['host begins', STATUS.SUCCESS, 'silo 1 begins', 'asked', 'silo 1 ends']);
  });

  test('PsStartSiloMonitor tells of silos that there are, or refuses', async () => {
    const seen = await collect(function* (note) {
      yield* makeSilo('server');
      yield* monitorWith(note);
      const monitor = yield* monitorWith(note, { MonitorExistingSilos: true });
      note(yield* PsStartSiloMonitor(monitor));
      const failing = { MonitorExistingSilos: true, CreateCallback: () => STATUS.NO_MEMORY };
      yield* monitorWith(note, failing);
    });
    expect(seen).toEqual([
      STATUS.NOT_SUPPORTED,
      'silo 1 begins',
      STATUS.SUCCESS,
      STATUS.REQUEST_ABORTED,
      STATUS.REQUEST_ABORTED,
    ]);
  });

  test('a create callback that fails ends the silo, of which those before it are told', async () => {
    const seen = await collect(function* (note) {
      yield* monitorWith(note);
      yield* monitorWith(note, { CreateCallback: () => STATUS.NO_MEMORY });
      const { handle } = yield* makeSilo('app');
      note(yield* NtSetInformationJobObject(handle, INITIALIZE, null, 0));
      yield* pause();
      note(yield* NtQueryInformationJobObject(handle, SERVER, 32));
    });
    expect(seen).toEqual([
      STATUS.SUCCESS,
      STATUS.SUCCESS,
      'silo 1 begins',
      STATUS.NO_MEMORY,
      'silo 1 ends',
      {
        status: STATUS.SUCCESS,
        returnLength: 32,
        ServiceSessionId: 2,
        State: 4,
        ExitStatus: STATUS.NO_MEMORY,
      },
    ]);
  });

  test('PsUnregisterSiloMonitor waits until every context has left its slot', async () => {
    const seen = await collect(function* (note, machine) {
      const monitor = yield* monitorWith(note);
      const slot = PsGetSiloMonitorContextSlot(monitor);
      const { silo } = yield* makeSilo('server');
      const context = contextOf(silo, note);
      PsInsertSiloContext(silo, slot, context);
      yield* PsDereferenceSiloContext(context);
      machine.systemProcess.createThread(function* () {
        yield* pause();
        note('silo is to end');
        PsTerminateServerSilo(silo, 0);
      });
      yield* PsUnregisterSiloMonitor(monitor);
      note('unregistered');
      note(PsGetSiloContext(silo, slot).status);
    });
    expect(seen).toEqual([
      STATUS.SUCCESS,
      'silo 1 begins',
      'silo is to end',
      'cleanup',
      'unregistered',
      STATUS.INVALID_PARAMETER,
    ]);
  });

  test('a driver that leaves one when it is unloaded is a bugcheck', async () => {
    const machine = await Machine.create({ processors: 1 });
    const driver = machine.loadDriver({
      name: 'leaver',
      DriverEntry: () => PsRegisterSiloMonitor(registration()).status,
      DriverUnload: () => undefined,
    });
    machine.run();
    driver.unload();
    const result = machine.run();
    expect(result.reason === 'bugcheck' && result.name).toBe(
      'DRIVER_UNLOADED_WITHOUT_CANCELLING_PENDING_OPERATIONS',
    );
  });
});

describe('the end of a silo', () => {
  test('waits for its processes, then tells the monitors, empties the slots and tells the port', async () => {
    const seen = await collect(function* (note, machine) {
      yield* monitorWith(note);
      const { handle, silo } = yield* makeSilo('server');
      const { slot } = PsAllocSiloContextSlot(0);
      const context = contextOf(silo, note);
      PsInsertPermanentSiloContext(silo, slot, context);
      yield* PsDereferenceSiloContext(context);
      const port = yield* listen(handle, 'silo');
      const creation = processManager(machine).createProcess({ image: 'C:\\a.exe' });
      yield* pause();
      const process = creation.process as KProcess;
      const own = yield* open(process);
      note(yield* NtAssignProcessToJobObject(handle, own));
      const membership = PROCESSINFOCLASS.ProcessMembershipInformation;
      note((yield* NtQueryInformationProcess(own, membership, 4)).ServerSiloId);
      note((yield* NtQueryInformationProcess(-1, membership, 4)).ServerSiloId);
      note(yield* NtTerminateJobObject(handle, 9));
      yield* pause();
      note(((yield* messages(port)) as unknown[][]).map(([, message]) => message));
      note(process.exitStatus);
      note(yield* NtAssignProcessToJobObject(handle, own));
    });
    expect(seen).toEqual([
      STATUS.SUCCESS,
      'silo 1 begins',
      STATUS.SUCCESS,
      1,
      0,
      STATUS.SUCCESS,
      'silo 1 ends',
      'cleanup',
      [
        JOB_OBJECT_MSG.NEW_PROCESS,
        JOB_OBJECT_MSG.EXIT_PROCESS,
        JOB_OBJECT_MSG.ACTIVE_PROCESS_ZERO,
        JOB_OBJECT_MSG.SILO_TERMINATED,
      ],
      9,
      STATUS.PROCESS_IS_TERMINATING,
    ]);
  });

  test('waits for hard references, which a silo that is to end gives no more', async () => {
    const seen = await collect(function* (note) {
      yield* monitorWith(note);
      const { silo } = yield* makeSilo('server');
      note(PsAcquireSiloHardReference(silo));
      PsTerminateServerSilo(silo, 0);
      note(PsAcquireSiloHardReference(silo));
      yield* pause();
      note('released');
      PsReleaseSiloHardReference(silo);
      yield* pause();
    });
    expect(seen).toEqual([
      STATUS.SUCCESS,
      'silo 1 begins',
      STATUS.SUCCESS,
      STATUS.DELETE_PENDING,
      'released',
      'silo 1 ends',
    ]);
  });

  test('comes with the last handle of one without processes', async () => {
    const seen = await collect(function* (note) {
      yield* monitorWith(note);
      const { handle } = yield* makeSilo('server');
      yield* NtClose(handle);
      yield* pause();
    });
    expect(seen).toEqual([STATUS.SUCCESS, 'silo 1 begins', 'silo 1 ends']);
  });
});
