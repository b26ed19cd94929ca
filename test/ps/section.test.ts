import { describe, expect, test } from 'vitest';
import { STATUS } from '../../assembly/shared/status';
import { MODE } from '../../assembly/shared/types';
import { KeDelayExecutionThread } from '../../src/ke/time';
import type { Machine } from '../../src/machine/machine';
import { OBJ } from '../../src/ob/attributes';
import { NtClose, ObReferenceObjectByHandle, ZwClose } from '../../src/ob/handle';
import { ObDereferenceObject, ObReferenceObject } from '../../src/ob/reference';
import { NtCreateSection, SEC, type SectionObject } from '../../src/ob/services/section';
import { NtWaitForSingleObject } from '../../src/ob/services/wait';
import { IoFileObjectType, PsProcessType } from '../../src/ob/types';
import { NtFsControlFile } from '../../src/io/file';
import { PROCESS_ACCESS } from '../../src/ps/access';
import { MEM, PAGE } from '../../src/ps/address-space';
import { NtTerminateProcess } from '../../src/ps/control-services';
import { NtCreateProcessEx } from '../../src/ps/create-process-ex';
import { NtCreateThreadEx } from '../../src/ps/create-services';
import { FsRtlCreateSectionForDataScan } from '../../src/ps/data-scan';
import { type ImageFile, NtOpenFile } from '../../src/ps/image-file';
import { PROCESSINFOCLASS } from '../../src/ps/information-class';
import { processManager } from '../../src/ps/manager';
import {
  MEMORY_INFORMATION_CLASS,
  NtQueryVirtualMemory,
  NtWriteVirtualMemory,
} from '../../src/ps/memory-services';
import { NtQueryInformationProcess } from '../../src/ps/process-query';
import {
  PsSetCreateProcessNotifyRoutineEx,
  PsSetLoadImageNotifyRoutine,
} from '../../src/ps/register';
import {
  NtMapViewOfSection,
  NtQuerySection,
  NtUnmapViewOfSection,
  SECTION_INFORMATION_CLASS,
  ZwMapViewOfSection,
} from '../../src/ps/section-services';
import { runUser } from './user';

const ALL = PROCESS_ACCESS.ALL_ACCESS;
const SECTION_ALL = 0xf001f;
const PROCESS = -1;
const BASIC = PROCESSINFOCLASS.ProcessBasicInformation;

function* openImage(path: string) {
  return (yield* NtOpenFile(0x120089, { ObjectName: `\\??\\${path}` }, 1, 0)).handle;
}

function* sectionOf(path: string, attributes: number = SEC.IMAGE) {
  const file = yield* openImage(path);
  const { handle } = yield* NtCreateSection(
    SECTION_ALL,
    null,
    0,
    PAGE.EXECUTE_READ,
    attributes,
    file,
  );
  yield* NtClose(file);
  return handle;
}

const map = (section: number, base = 0, protect: number = PAGE.READONLY, size = 0) =>
  NtMapViewOfSection(section, PROCESS, base, 0, 0, 0, size, 2, 0, protect);

const createProcess = (section: number, flags = 0) =>
  NtCreateProcessEx(ALL, null, PROCESS, flags, section, 0, 0, 0);

/** Notes what is told of processes. */
function* listen(note: (what: unknown) => void) {
  yield* PsSetCreateProcessNotifyRoutineEx((_process, id, info) => {
    note(info === null ? `exit ${id}` : `create ${id} ${info.ImageFileName}`);
  }, false);
}

describe('NtCreateProcessEx', () => {
  test('makes a process whose end is told of without a creation, if it never has a thread', async () => {
    const { seen, machine } = await runUser(function* (_, note) {
      yield* listen(note);
      const section = yield* sectionOf('C:\\tool.exe');
      const { status, handle } = yield* createProcess(section);
      note(status);
      yield* NtClose(handle);
      note('closed');
      yield* NtClose(section);
    });
    expect(seen).toEqual([STATUS.SUCCESS, 'exit 20', 'closed', 'exit 12']);
    expect([...machine.allProcesses()].map(({ name }) => name)).toEqual(['System', 'user']);
  });

  test('the process can be kept by who is told of its end', async () => {
    const { seen } = await runUser(function* (_, note) {
      const section = yield* sectionOf('C:\\tool.exe');
      const { handle } = yield* createProcess(section);
      let kept: Machine['systemProcess'] | undefined;
      yield* PsSetCreateProcessNotifyRoutineEx((process) => {
        kept = process;
        keep();
      }, false);
      const keep = () => ObReferenceObject(kept as Machine['systemProcess']);
      yield* NtClose(handle);
      note([kept?.exists, kept?.exited, kept?.signalState]);
      yield* ObDereferenceObject(kept as Machine['systemProcess']);
      note(kept?.exists);
    });
    expect(seen).toEqual([[true, true, 1], false]);
  });

  test('without a thread ends by NtTerminateProcess at once, with that status, and is signaled', async () => {
    const { seen } = await runUser(function* (_, note) {
      yield* listen(note);
      const section = yield* sectionOf('C:\\tool.exe');
      const { handle } = yield* createProcess(section);
      note(yield* NtWaitForSingleObject(handle, false, 0));
      note(yield* NtTerminateProcess(handle, 7));
      note(yield* NtWaitForSingleObject(handle, false, 0));
      note((yield* NtQueryInformationProcess(handle, BASIC, 48)).ExitStatus);
      note(yield* NtTerminateProcess(handle, 8));
      const body = function* () {};
      note((yield* NtCreateThreadEx(ALL, null, handle, body, 0, 0, 0, 0, 0, null)).status);
      yield* NtClose(handle);
    });
    expect(seen).toEqual([
      STATUS.TIMEOUT,
      'exit 20',
      STATUS.SUCCESS,
      STATUS.SUCCESS,
      7,
      STATUS.PROCESS_IS_TERMINATING,
      STATUS.PROCESS_IS_TERMINATING,
      'exit 12',
    ]);
  });

  test('is told of with its first thread, as a process of its image', async () => {
    const { seen } = await runUser(function* (_, note) {
      yield* listen(note);
      const section = yield* sectionOf('C:\\tool.exe');
      const { handle } = yield* createProcess(section);
      note('made');
      const body = function* () {
        yield* KeDelayExecutionThread(MODE.UserMode, false, 0);
        note('runs');
      };
      yield* NtCreateThreadEx(ALL, null, handle, body, 0, 0, 0, 0, 0, null);
      note(yield* NtWaitForSingleObject(handle, false, null));
    });
    expect(seen).toEqual([
      'made',
      'create 20 \\??\\C:\\tool.exe',
      'runs',
      'exit 20',
      STATUS.SUCCESS,
      'exit 12',
    ]);
  });

  test('without a section makes a process after its parent', async () => {
    const { seen } = await runUser(function* (_, note) {
      const { handle } = yield* createProcess(0, 4);
      const { object } = yield* ObReferenceObjectByHandle(
        handle,
        0,
        PsProcessType,
        MODE.KernelMode,
      );
      note((object as Machine['systemProcess']).name);
      yield* NtTerminateProcess(handle, 0);
    });
    expect(seen).toEqual(['user']);
  });

  test('needs a section of an image, and known flags', async () => {
    const { seen } = await runUser(function* (_, note) {
      const data = yield* sectionOf('C:\\tool.exe', SEC.COMMIT);
      note((yield* createProcess(data)).status);
      note((yield* createProcess(0, 0x8000)).status);
      note((yield* createProcess(0x1234)).status);
      note((yield* createProcess(PROCESS)).status);
      note((yield* NtCreateProcessEx(ALL, null, -2, 0, 0, 0, 0, 0)).status);
    });
    expect(seen).toEqual([
      STATUS.SECTION_NOT_IMAGE,
      STATUS.INVALID_PARAMETER,
      STATUS.INVALID_HANDLE,
      STATUS.OBJECT_TYPE_MISMATCH,
      STATUS.OBJECT_TYPE_MISMATCH,
    ]);
  });
});

describe('NtMapViewOfSection', () => {
  test('tells the image-notify routines of an image, where it is, and of none that cannot be executed', async () => {
    const { seen } = await runUser(function* (machine, note) {
      const { images } = processManager(machine);
      images.describe('C:\\a.dll', { base: 0x1_8000_0000, size: 0x3456 });
      yield* PsSetLoadImageNotifyRoutine((name, processId, { ImageBase, ImageSize }) => {
        note([name, processId, ImageBase, ImageSize]);
      });
      const section = yield* sectionOf('C:\\a.dll');
      note(yield* map(section));
      const again = yield* map(section);
      note(again.status);
      const quiet = yield* sectionOf('C:\\a.dll', SEC.IMAGE_NO_EXECUTE);
      note((yield* map(quiet)).status);
      note(yield* NtUnmapViewOfSection(PROCESS, 0x1_8000_2000));
      note(yield* NtUnmapViewOfSection(PROCESS, 0x1_8000_2000));
      note((yield* map(section, 0x1_8000_0000)).status);
      note((yield* map(section, 0x1_8000_0000)).status);
    });
    const name = '\\Device\\HarddiskVolume3\\a.dll';
    const view = { sectionOffset: 0, viewSize: 0x4000 };
    expect(seen).toEqual([
      [name, 12, 0x1_8000_0000, 0x3456],
      { status: STATUS.SUCCESS, baseAddress: 0x1_8000_0000, ...view },
      [name, 12, 0x1_0000, 0x3456],
      STATUS.IMAGE_NOT_AT_BASE,
      STATUS.IMAGE_NOT_AT_BASE,
      STATUS.SUCCESS,
      STATUS.NOT_MAPPED_VIEW,
      [name, 12, 0x1_8000_0000, 0x3456],
      STATUS.SUCCESS,
      STATUS.CONFLICTING_ADDRESSES,
    ]);
  });

  test('maps data where it fits, with the rights that the protection needs', async () => {
    const { seen } = await runUser(function* (_, note) {
      const readable = 0xd;
      const { handle } = yield* NtCreateSection(
        readable,
        null,
        0x5000,
        PAGE.READWRITE,
        SEC.COMMIT,
        0,
      );
      note((yield* map(handle, 0, PAGE.READWRITE)).status);
      note((yield* map(handle, 0x1234)).status);
      note((yield* map(handle, 0, PAGE.READONLY, 0x6000)).status);
      note((yield* map(handle, 0, 3)).status);
      const { baseAddress = 0, viewSize } = yield* map(handle);
      note(viewSize);
      note((yield* NtWriteVirtualMemory(PROCESS, baseAddress, new Uint8Array(1), 1)).status);
      const information = MEMORY_INFORMATION_CLASS.MemoryBasicInformation;
      const { Type, State } = yield* NtQueryVirtualMemory(PROCESS, baseAddress, information, 48);
      note([Type, State]);
    });
    expect(seen).toEqual([
      STATUS.ACCESS_DENIED,
      STATUS.MAPPED_ALIGNMENT,
      STATUS.INVALID_VIEW_SIZE,
      STATUS.INVALID_PAGE_PROTECTION,
      0x5000,
      STATUS.PARTIAL_COPY,
      [MEM.MAPPED, MEM.COMMIT],
    ]);
  });
});

test('NtQuerySection tells what a section is, and of an image its header', async () => {
  const { seen } = await runUser(function* (_, note) {
    const { SectionBasicInformation, SectionImageInformation } = {
      SectionBasicInformation: SECTION_INFORMATION_CLASS.SectionBasicInformation,
      SectionImageInformation: SECTION_INFORMATION_CLASS.SectionImageInformation,
    };
    const section = yield* sectionOf('C:\\tool.exe');
    const data = yield* sectionOf('C:\\tool.exe', SEC.COMMIT);
    note(yield* NtQuerySection(section, SectionBasicInformation, 24));
    note((yield* NtQuerySection(section, SectionImageInformation, 64)).Machine);
    note((yield* NtQuerySection(section, SectionImageInformation, 63)).status);
    note((yield* NtQuerySection(data, SectionImageInformation, 64)).status);
    note((yield* NtQuerySection(section, 5 as never, 64)).status);
  });
  expect(seen).toEqual([
    {
      status: STATUS.SUCCESS,
      returnLength: 24,
      BaseAddress: 0,
      AllocationAttributes: SEC.IMAGE,
      MaximumSize: 0x20000,
    },
    0x8664,
    STATUS.INFO_LENGTH_MISMATCH,
    STATUS.SECTION_NOT_IMAGE,
    STATUS.INVALID_INFO_CLASS,
  ]);
});

test('NtOpenFile opens images by their paths; nothing can be asked of them', async () => {
  const { seen } = await runUser(function* (_, note) {
    note((yield* NtOpenFile(0x120089, { ObjectName: 'tool.exe' }, 1, 0)).status);
    const file = yield* openImage('C:\\tool.exe');
    note(yield* NtFsControlFile(file, 0, null, null, {}, 0));
  });
  expect(seen).toEqual([STATUS.OBJECT_PATH_SYNTAX_BAD, STATUS.INVALID_DEVICE_REQUEST]);
});

test('FsRtlCreateSectionForDataScan makes a section of a file that no image-notify routine hears of', async () => {
  const { seen } = await runUser(function* (_, note) {
    yield* PsSetLoadImageNotifyRoutine(() => note('image'));
    const file = yield* openImage('C:\\a.dll');
    const type = IoFileObjectType;
    const { object } = yield* ObReferenceObjectByHandle(file, 0, type, MODE.KernelMode);
    const scan = (attributes: number) =>
      FsRtlCreateSectionForDataScan(
        object as ImageFile,
        SECTION_ALL,
        { Attributes: OBJ.KERNEL_HANDLE },
        null,
        PAGE.READONLY,
        attributes,
        0,
      );
    note((yield* scan(SEC.IMAGE)).status);
    const { status, sectionHandle, sectionObject, sectionFileSize } = yield* scan(SEC.COMMIT);
    note([status, sectionHandle < 0, sectionFileSize]);
    const view = yield* ZwMapViewOfSection(
      sectionHandle,
      PROCESS,
      0,
      0,
      0,
      0,
      0,
      2,
      0,
      PAGE.READONLY,
    );
    note([view.status, view.viewSize]);
    yield* ZwClose(sectionHandle);
    note(yield* ObDereferenceObject(sectionObject as SectionObject));
    yield* ObDereferenceObject(object as ImageFile);
    yield* NtClose(file);
  });
  expect(seen).toEqual([
    STATUS.INVALID_PARAMETER,
    [STATUS.SUCCESS, true, 0x20000],
    [STATUS.SUCCESS, 0x20000],
    0,
  ]);
});
