/** Rights to processes: PROCESS_TERMINATE is `PROCESS_ACCESS.TERMINATE`. */
export const enum PROCESS_ACCESS {
  TERMINATE = 0x1,
  CREATE_THREAD = 0x2,
  SET_SESSIONID = 0x4,
  VM_OPERATION = 0x8,
  VM_READ = 0x10,
  VM_WRITE = 0x20,
  DUP_HANDLE = 0x40,
  CREATE_PROCESS = 0x80,
  SET_QUOTA = 0x100,
  SET_INFORMATION = 0x200,
  QUERY_INFORMATION = 0x400,
  SUSPEND_RESUME = 0x800,
  QUERY_LIMITED_INFORMATION = 0x1000,
  SET_LIMITED_INFORMATION = 0x2000,
  ALL_ACCESS = 0x1fffff,
}

/** The same for threads. */
export const enum THREAD_ACCESS {
  TERMINATE = 0x1,
  SUSPEND_RESUME = 0x2,
  ALERT = 0x4,
  GET_CONTEXT = 0x8,
  SET_CONTEXT = 0x10,
  SET_INFORMATION = 0x20,
  QUERY_INFORMATION = 0x40,
  SET_THREAD_TOKEN = 0x80,
  IMPERSONATE = 0x100,
  DIRECT_IMPERSONATION = 0x200,
  SET_LIMITED_INFORMATION = 0x400,
  QUERY_LIMITED_INFORMATION = 0x800,
  RESUME = 0x1000,
  ALL_ACCESS = 0x1fffff,
}

/** The same for jobs. */
export const enum JOB_OBJECT_ACCESS {
  ASSIGN_PROCESS = 0x1,
  SET_ATTRIBUTES = 0x2,
  QUERY = 0x4,
  TERMINATE = 0x8,
  SET_SECURITY_ATTRIBUTES = 0x10,
  IMPERSONATE = 0x20,
  ALL_ACCESS = 0x1f003f,
}

/** With a right to information goes the limited one. */
export function withImpliedProcessRights(desiredAccess: number): number {
  const query = (desiredAccess & PROCESS_ACCESS.QUERY_INFORMATION) !== 0;
  return query ? desiredAccess | PROCESS_ACCESS.QUERY_LIMITED_INFORMATION : desiredAccess;
}

export function withImpliedThreadRights(desiredAccess: number): number {
  let access = desiredAccess;
  if ((access & THREAD_ACCESS.QUERY_INFORMATION) !== 0)
    access |= THREAD_ACCESS.QUERY_LIMITED_INFORMATION;
  if ((access & THREAD_ACCESS.SET_INFORMATION) !== 0)
    access |= THREAD_ACCESS.SET_LIMITED_INFORMATION;
  return access;
}
