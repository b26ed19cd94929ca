/** Error numbers of Linux: a system call returns them negative. */
export const enum ERRNO {
  EPERM = 1,
  ENOENT = 2,
  ESRCH = 3,
  EINTR = 4,
  E2BIG = 7,
  EBADF = 9,
  ECHILD = 10,
  EAGAIN = 11,
  ENOMEM = 12,
  EACCES = 13,
  EFAULT = 14,
  EINVAL = 22,
  EMFILE = 24,
  ESPIPE = 29,
  EPIPE = 32,
  ENAMETOOLONG = 36,
  ENOSYS = 38,
  EOPNOTSUPP = 95,
  ETIMEDOUT = 110,
  /** Never seen by user mode but of a host thread, which makes the call again: a signal came whose handler says SA_RESTART. */
  ERESTARTSYS = 512,
}
