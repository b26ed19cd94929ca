import { ddiTime } from '../../ke/mode';
import type { LoadedProgram } from '../../machine/program';
import { hasUserApcFramesOnly, type UserMemory } from '../../machine/user-context';
import { setThreadBody } from '../routines';
import { SIG_HANDLER } from './abi';
import { ERRNO } from './errno';
import { HostGuest, type LinuxPort, ProgramGuest, type StartedImage } from './guest';
import type { WslKernel } from './kernel';
import { readLong, readString } from './memory';
import type { LinuxCode, LinuxResult, LinuxThread, ProcessImage } from './state';
import { hostBody, type LinuxMain } from './user';
import { WOKEN } from './wait-queue';

/** execve, and what an executable is: a generator function of the host, a program, or what makes a CPU core. */

export type LinuxExecutable =
  | LinuxMain
  | LoadedProgram
  | { readonly port: (image: ProcessImage, envp: readonly string[]) => LinuxPort };

export function startImage(
  kernel: WslKernel,
  executable: LinuxExecutable,
  image: ProcessImage,
  envp: readonly string[],
): StartedImage {
  if (typeof executable === 'function') {
    const guest = new HostGuest(kernel.newMemory());
    return { body: hostBody(executable, guest, image.argv, envp), guest };
  }
  if ('port' in executable) {
    const port = executable.port(image, envp);
    return { body: port, guest: port };
  }
  return { body: executable, guest: new ProgramGuest(kernel.newMemory()) };
}

const PATH_MAX = 4096;
/** MAX_ARG_STRINGS is more; here a list that long is a mistake. */
const STRINGS_MAX = 4096;
const STRING_BYTES_MAX = 131_072;
/** Of all of a list: a quarter of a stack of 8 MiB. */
const LIST_BYTES_MAX = 2_097_152;

/** An array of pointers to strings, which ends in NULL; an error number if it cannot be read. */
function readStrings(memory: UserMemory, address: number): string[] | ERRNO {
  const strings: string[] = [];
  let left = LIST_BYTES_MAX;
  if (address === 0) return strings;
  for (let at = address; ; at += 8) {
    const pointer = readLong(memory, at);
    if (pointer === undefined) return ERRNO.EFAULT;
    if (pointer === 0) return strings;
    const text = readString(memory, pointer, STRING_BYTES_MAX);
    if (text === undefined) return ERRNO.EFAULT;
    if (text === 'long' || strings.length === STRINGS_MAX) return ERRNO.E2BIG;
    left -= text.length + 1;
    if (left < 0) return ERRNO.E2BIG;
    strings.push(text);
  }
}

/** execve(2); of a handler it is the end. Deviation: NT's process keeps the name it was made with. */
export function execve(
  kernel: WslKernel,
  thread: LinuxThread,
  pathname: number,
  argvPointer: number,
  envpPointer: number,
): LinuxResult {
  const { memory } = thread;
  const path = readString(memory, pathname, PATH_MAX);
  if (path === undefined) return -ERRNO.EFAULT;
  if (path === 'long') return -ERRNO.ENAMETOOLONG;
  const argv = readStrings(memory, argvPointer);
  const envp = readStrings(memory, envpPointer);
  if (!Array.isArray(argv)) return -argv;
  if (!Array.isArray(envp)) return -envp;
  const executable = kernel.executables.get(path);
  const { guest } = thread;
  const own = guest.execute?.bind(guest);
  if (own === undefined && executable === undefined) return -ERRNO.ENOENT;
  const { kthread } = thread;
  if (kthread === undefined || !hasUserApcFramesOnly(kthread)) return -ERRNO.EAGAIN;
  const image: ProcessImage = { path, argv };
  const start = own ?? (() => startImage(kernel, executable as LinuxExecutable, image, envp));
  return execute(kernel, thread, image, start);
}

function* execute(
  kernel: WslKernel,
  thread: LinuxThread,
  image: ProcessImage,
  start: (image: ProcessImage) => StartedImage,
): LinuxCode {
  const { process, kthread } = thread;
  if (kthread === undefined) return -ERRNO.ESRCH;
  yield ddiTime(kthread.machine);
  for (const other of process.threads.values()) if (other !== thread) other.kthread?.terminate(0);
  while (process.threads.size > 1) {
    if ((yield* process.changes.sleep(thread)) === WOKEN.Interrupted) return -ERRNO.EINTR;
  }
  becomeLeader(kernel, thread);
  const { body, guest } = start(image);
  setThreadBody(kthread, body);
  thread.guest = guest;
  thread.savedMasks.length = 0;
  if (guest instanceof ProgramGuest) guest.attach(kthread);
  process.image = image;
  process.executed = true;
  process.actions = process.actions.map((action) =>
    action?.handler === SIG_HANDLER.IGN ? action : undefined,
  );
  process.code = new Map();
  thread.clearChildTid = 0;
  const { files } = process;
  process.files = files.fork();
  files.leave();
  process.files.execute();
  process.vforkDone.wakeAll();
  return 0;
}

/** The thread that executes is the only one, by the id of the group. */
function becomeLeader({ state }: WslKernel, thread: LinuxThread): void {
  const { process } = thread;
  state.threads.delete(thread.tid);
  process.threads.delete(thread.tid);
  thread.tid = process.pid;
  state.threads.set(thread.tid, thread);
  process.threads.set(thread.tid, thread);
}
