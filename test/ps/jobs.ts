import { MODE } from '../../assembly/shared/types';
import {
  type CompletionPacket,
  NtCreateIoCompletion,
  NtRemoveIoCompletion,
} from '../../src/io/completion';
import { KeDelayExecutionThread } from '../../src/ke/time';
import type { LoadedProgram } from '../../src/machine/program';
import { NtTerminateProcess } from '../../src/ps/control-services';
import { NtCreateUserProcess, PROCESS_CREATE_FLAGS } from '../../src/ps/create-services';
import { JOBOBJECTINFOCLASS } from '../../src/ps/job-information-class';
import type { JobBasicLimits } from '../../src/ps/job-information-class';
import { NtQueryInformationJobObject } from '../../src/ps/job-query';
import { NtCreateJobObject } from '../../src/ps/job-services';
import { NtSetInformationJobObject } from '../../src/ps/job-set';

/** What tests of jobs do over and over, in user mode. */

const ALL_PROCESS = 0x1fffff;
const ALL_JOB = 0x1f003f;

export const SELF = -1;

export function* makeJob() {
  const { handle = 0 } = yield* NtCreateJobObject(ALL_JOB, null);
  return handle;
}

/** A child that waits to be terminated. */
export function* makeChild(
  jobList: readonly number[] = [],
  breakaway = false,
  main?: LoadedProgram,
) {
  const flags = breakaway ? PROCESS_CREATE_FLAGS.BREAKAWAY : 0;
  const attributes = { imageName: 'C:\\child.exe', jobList, ...(main && { main }) };
  const created = yield* NtCreateUserProcess(
    ALL_PROCESS,
    ALL_PROCESS,
    null,
    null,
    flags,
    0,
    null,
    attributes,
  );
  const { status, processHandle, clientId } = created;
  return { status, handle: processHandle, id: clientId?.UniqueProcess ?? 0 };
}

/** Lets others run for a time. */
export function* pause(ms = 1) {
  yield* KeDelayExecutionThread(MODE.UserMode, false, ms * -10_000);
}

/** Terminates a process and lets it end. */
export function* end(process: number, status = 0) {
  yield* NtTerminateProcess(process, status);
  yield* pause();
}

/** TotalProcesses, ActiveProcesses, TotalTerminatedProcesses. */
export function* accounts(job: number) {
  const { status, ...info } = yield* NtQueryInformationJobObject(
    job,
    JOBOBJECTINFOCLASS.JobObjectBasicAccountingInformation,
    48,
  );
  if (status !== 0) return [status];
  return [info.TotalProcesses, info.ActiveProcesses, info.TotalTerminatedProcesses];
}

export function* idsIn(job: number, length = 256) {
  const class_ = JOBOBJECTINFOCLASS.JobObjectBasicProcessIdList;
  return yield* NtQueryInformationJobObject(job, class_, length);
}

/** Sets limits that are in the extended form. */
export function* limit(job: number, BasicLimitInformation: JobBasicLimits) {
  const class_ = JOBOBJECTINFOCLASS.JobObjectExtendedLimitInformation;
  return yield* NtSetInformationJobObject(job, class_, { BasicLimitInformation }, 144);
}

/** Associates a new port, or one that there is, with a job. */
export function* listen(job: number, CompletionKey: unknown, port?: number) {
  const made = port ?? (yield* NtCreateIoCompletion(0x1f0003, null, 0)).handle ?? 0;
  const class_ = JOBOBJECTINFOCLASS.JobObjectAssociateCompletionPortInformation;
  yield* NtSetInformationJobObject(job, class_, { CompletionKey, CompletionPort: made }, 16);
  return made;
}

/** The messages that a port has: key, message, process id. */
export function* messages(port: number) {
  const seen: unknown[] = [];
  for (;;) {
    const { packets } = yield* NtRemoveIoCompletion(port, 0);
    const [packet] = packets;
    if (packet === undefined) return seen;
    seen.push(told(packet));
  }
}

function told({ keyContext, apcContext, ioStatus }: CompletionPacket) {
  return [keyContext, ioStatus.information, apcContext];
}
