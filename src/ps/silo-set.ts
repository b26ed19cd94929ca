import { STATUS } from '../../assembly/shared/status';
import type { KernelCode } from '../ke/mode';
import { SE_PRIVILEGE, SeSinglePrivilegeCheck } from '../ob/security';
import type { Caller } from './information';
import type { JobObject } from './job';
import { SERVERSILO_STATE, siloManager, siloState } from './silo';
import { endIfUnused, terminateSilo } from './silo-end';
import { announceSilo } from './silo-monitor';

/** How jobs become silos: classes of NtSetInformationJobObject. */

/** The first session of a server silo: behind those of the host. */
const FIRST_SERVICE_SESSION = 2;

/** Makes a job without processes an app silo. */
export function createSilo(job: JobObject): number {
  if (job.silo !== undefined) return STATUS.INVALID_PARAMETER;
  if (job.members.size !== 0) return STATUS.JOB_NOT_EMPTY;
  siloManager(job.machine).create(job);
  job.onEmpty = () => endIfUnused(job);
  return STATUS.SUCCESS;
}

/** Makes an app silo without processes a server silo: monitors are told, and may refuse it. */
export function* initializeServerSilo(
  job: JobObject,
  _information: unknown,
  { mode }: Caller,
): KernelCode<number> {
  if (!SeSinglePrivilegeCheck(SE_PRIVILEGE.TCB, mode)) return STATUS.PRIVILEGE_NOT_HELD;
  if (job.silo === undefined) return STATUS.JOB_NO_CONTAINER;
  const state = siloState(job);
  if (state.server !== undefined || state.ending) return STATUS.INVALID_PARAMETER;
  if (job.members.size !== 0) return STATUS.JOB_NOT_EMPTY;
  const server = {
    state: SERVERSILO_STATE.INITING,
    exitStatus: STATUS.PENDING as number,
    serviceSessionId: FIRST_SERVICE_SESSION + state.id - 1,
  };
  state.server = server;
  const status = yield* announceSilo(job.machine, job);
  if ((status | 0) < 0) {
    terminateSilo(job, status);
    return status;
  }
  server.state = SERVERSILO_STATE.STARTED;
  return STATUS.SUCCESS;
}
