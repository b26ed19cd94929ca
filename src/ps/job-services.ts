import { STATUS } from '../../assembly/shared/status';
import { systemService } from '../ke/mode';
import { currentGuest } from '../machine/guest';
import type { KProcess } from '../machine/views';
import type { Handle, ObjectAttributes } from '../ob/attributes';
import { ObpCreateObject, ObpOpenObjectByName } from '../ob/create';
import { headerOf } from '../ob/object';
import { ObpDereference } from '../ob/reference';
import { onHandle, readHandle } from '../ob/services/on-handle';
import { PsJobType, PsProcessType } from '../ob/types';
import { JOB_OBJECT_ACCESS, PROCESS_ACCESS } from './access';
import { isTerminating, type ProcessExecutive } from './executive';
import { isInJob, JobObject, joinJob, jobOf } from './job';
import { endMembers, endProcess, LIMIT_EXIT_STATUS, terminateJob } from './job-end';
import { forgetJob, takeUpLimits } from './job-clock';
import { JOB_OBJECT_LIMIT } from './job-limits';
import { processManager } from './manager';
import { endIfUnused, terminateSilo } from './silo-end';

/** Jobs by handle: how they are made, what is put into them, and their end. */

PsJobType.procedures = {
  close(body, _process, _grantedAccess, handleCount) {
    const job = body as JobObject;
    const kills = (job.limits.flags & JOB_OBJECT_LIMIT.KILL_ON_JOB_CLOSE) !== 0;
    if (handleCount === 0 && kills) endMembers(job, STATUS.SUCCESS);
    if (handleCount === 0) endIfUnused(job);
    return undefined;
  },
  *delete(body) {
    const job = body as JobObject;
    forgetJob(job);
    job.waitObject.delete();
    const { parent, port } = job;
    if (port !== undefined) yield* ObpDereference(headerOf('PspJobDelete', port.queue));
    if (parent === undefined) return;
    parent.children.delete(job);
    yield* ObpDereference(headerOf('PspJobDelete', parent));
  },
};

const createJobObject = systemService(
  'CreateJobObject',
  (mode, desiredAccess: number, objectAttributes: ObjectAttributes | null) => {
    const { machine, thread } = currentGuest('NtCreateJobObject');
    const { sessionId } = (thread.process.executive as ProcessExecutive | undefined) ?? {
      sessionId: 0,
    };
    return ObpCreateObject({
      mode,
      type: PsJobType,
      desiredAccess,
      attributes: objectAttributes,
      make: () =>
        machine.hasObjectRoom
          ? new JobObject(machine, machine.createEvent('notification'), sessionId)
          : undefined,
    });
  },
);

/** Makes a job, or opens the one of its name if OBJ_OPENIF allows. @irql PASSIVE_LEVEL @nt NtCreateJobObject */
export const NtCreateJobObject = createJobObject.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwCreateJobObject */
export const ZwCreateJobObject = createJobObject.zw;

const openJobObject = systemService(
  'OpenJobObject',
  (mode, desiredAccess: number, objectAttributes: ObjectAttributes | null) =>
    ObpOpenObjectByName(mode, PsJobType, desiredAccess, objectAttributes),
);

/** Opens the job of a name. @irql PASSIVE_LEVEL @nt NtOpenJobObject */
export const NtOpenJobObject = openJobObject.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwOpenJobObject */
export const ZwOpenJobObject = openJobObject.zw;

const assignProcess = systemService(
  'AssignProcessToJobObject',
  (mode, jobHandle: Handle, processHandle: Handle) =>
    onHandle(mode, jobHandle, JOB_OBJECT_ACCESS.ASSIGN_PROCESS, PsJobType, (job: JobObject) => {
      const access = PROCESS_ACCESS.SET_QUOTA | PROCESS_ACCESS.TERMINATE;
      return onHandle(mode, processHandle, access, PsProcessType, function* (process: KProcess) {
        const { machine } = process;
        if (process === machine.systemProcess) return STATUS.ACCESS_DENIED;
        if (isTerminating(process)) return STATUS.PROCESS_IS_TERMINATING;
        // From its first use on it is in the life of every thread, and of this process's.
        processManager(machine);
        const status = joinJob(process, job);
        if (status === STATUS.QUOTA_EXCEEDED) endProcess(process, LIMIT_EXIT_STATUS);
        if (status === STATUS.SUCCESS) yield* takeUpLimits(process);
        return status;
      });
    }),
);

/**
 * Puts a process into a job, and its children to come. A process in a job can be put into one that is
 * nested in that, or that nobody has been in: it is nested there from then on.
 *
 * @returns SUCCESS; ACCESS_DENIED: the job is nested elsewhere or has been used outside, or has UI
 *   restrictions; QUOTA_EXCEEDED: it has as many active processes as it may, and the process ends;
 *   PROCESS_IS_TERMINATING; INVALID_HANDLE; OBJECT_TYPE_MISMATCH.
 * @irql PASSIVE_LEVEL   @nt NtAssignProcessToJobObject
 */
export const NtAssignProcessToJobObject = assignProcess.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwAssignProcessToJobObject */
export const ZwAssignProcessToJobObject = assignProcess.zw;

const terminate = systemService(
  'TerminateJobObject',
  (mode, jobHandle: Handle, exitStatus: number) =>
    readHandle(mode, jobHandle, JOB_OBJECT_ACCESS.TERMINATE, PsJobType, (job: JobObject) => {
      if (job.silo === undefined) terminateJob(job, exitStatus);
      else terminateSilo(job, exitStatus);
      return STATUS.SUCCESS;
    }),
);

/**
 * Ends every process in a job and in those nested in it, and signals the job.
 *
 * @returns SUCCESS; INVALID_HANDLE; OBJECT_TYPE_MISMATCH; ACCESS_DENIED.
 * @irql PASSIVE_LEVEL   @nt NtTerminateJobObject
 */
export const NtTerminateJobObject = terminate.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwTerminateJobObject */
export const ZwTerminateJobObject = terminate.zw;

const answer = (inJob: boolean) => (inJob ? STATUS.PROCESS_IN_JOB : STATUS.PROCESS_NOT_IN_JOB);

const isProcessInJob = systemService(
  'IsProcessInJob',
  (mode, processHandle: Handle, jobHandle: Handle) =>
    onHandle(
      mode,
      processHandle,
      PROCESS_ACCESS.QUERY_LIMITED_INFORMATION,
      PsProcessType,
      function* (process: KProcess) {
        if (jobHandle === 0) return answer(jobOf(process) !== undefined);
        const access = JOB_OBJECT_ACCESS.QUERY;
        return yield* readHandle(mode, jobHandle, access, PsJobType, (job: JobObject) =>
          answer(isInJob(process, job)),
        );
      },
    ),
);

/**
 * Whether a process is in a job, or was at its end; with a job handle of 0: in any.
 *
 * @returns PROCESS_IN_JOB; PROCESS_NOT_IN_JOB; INVALID_HANDLE; OBJECT_TYPE_MISMATCH; ACCESS_DENIED.
 * @irql PASSIVE_LEVEL   @nt NtIsProcessInJob
 */
export const NtIsProcessInJob = isProcessInJob.nt;
/** The same from kernel mode. @irql PASSIVE_LEVEL @nt ZwIsProcessInJob */
export const ZwIsProcessInJob = isProcessInJob.zw;
