import { STATUS } from '../../assembly/shared/status';
import { JOB_OBJECT_ACCESS } from './access';
import type { Answer, QueryClass } from './information';
import { type JobObject, siloNumber } from './job';
import { JOBOBJECTINFOCLASS } from './job-information-class';
import { serverSiloOf, siloOf, type SiloState, siloState } from './silo';

/** What there is to know of a job as a silo: classes of NtQueryInformationJobObject. */

/** SILOOBJECT_BASIC_INFORMATION. */
export interface SiloBasicInformation {
  readonly SiloId: number;
  /** 0: the host. */
  readonly SiloParentId: number;
  readonly NumberOfProcesses: number;
  readonly IsInServerSilo: boolean;
}

/** SERVERSILO_BASIC_INFORMATION. */
export interface ServerSiloBasicInformation {
  readonly ServiceSessionId: number;
  /** SERVERSILO_STATE. */
  readonly State: number;
  /** STATUS_PENDING until it is asked to end. */
  readonly ExitStatus: number;
}

const NO_SILO: Answer = { status: STATUS.JOB_NO_CONTAINER };

function silo(bytes: number, query: (job: JobObject, state: SiloState) => Answer) {
  return {
    lengths: [bytes],
    access: JOB_OBJECT_ACCESS.QUERY,
    query: (job: JobObject) => (job.silo === undefined ? NO_SILO : query(job, siloState(job))),
  } satisfies QueryClass<JobObject>;
}

function basic(job: JobObject, { id }: SiloState): SiloBasicInformation {
  const parent = siloOf(job.parent);
  return {
    SiloId: id,
    SiloParentId: parent === null ? 0 : siloNumber(parent),
    NumberOfProcesses: job.members.size,
    IsInServerSilo: serverSiloOf(job) !== null,
  };
}

function server(_job: JobObject, { server }: SiloState): Answer {
  if (server === undefined) return NO_SILO;
  return {
    ServiceSessionId: server.serviceSessionId,
    State: server.state,
    ExitStatus: server.exitStatus,
  };
}

export const SILO_CLASSES: readonly (readonly [number, QueryClass<JobObject>])[] = [
  [
    JOBOBJECTINFOCLASS.JobObjectContainerId,
    silo(16, (_job, { containerId }) => ({ ContainerId: containerId })),
  ],
  [JOBOBJECTINFOCLASS.JobObjectSiloBasicInformation, silo(16, basic)],
  [JOBOBJECTINFOCLASS.JobObjectServerSiloBasicInformation, silo(32, server)],
];
