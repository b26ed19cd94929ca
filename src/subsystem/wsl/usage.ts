import { KTHREAD_STATE } from '../../../assembly/shared/types';
import type { UserMemory } from '../../machine/user-context';
import type { KThread } from '../../machine/views';
import { RUSAGE } from './abi';
import { ERRNO } from './errno';
import { writeLong } from './memory';
import type { LinuxProcess, LinuxResult, LinuxState, LinuxThread } from './state';

/**
 * What threads and processes have used: run time, shared between user and kernel mode as their clock
 * ticks are, and switches. What else a struct rusage holds is 0.
 */

/** Sums over threads. */
export class Usage {
  runNs = 0;
  userTicks = 0;
  kernelTicks = 0;
  voluntarySwitches = 0;
  involuntarySwitches = 0;

  addThread(thread: KThread): void {
    const { runTimeNs, userTime100ns, kernelTime100ns, contextSwitches, preemptions } = thread;
    // Windows counts the times that it got a processor.
    const left = contextSwitches - (thread.state === KTHREAD_STATE.Running ? 1 : 0);
    this.runNs += runTimeNs;
    this.userTicks += userTime100ns;
    this.kernelTicks += kernelTime100ns;
    this.voluntarySwitches += left - preemptions;
    this.involuntarySwitches += preemptions;
  }

  /** Of one that is ending: it leaves its processor once more, of its own. */
  addEnding(thread: KThread): void {
    this.addThread(thread);
    this.voluntarySwitches++;
  }

  add(other: Usage): void {
    this.runNs += other.runNs;
    this.userTicks += other.userTicks;
    this.kernelTicks += other.kernelTicks;
    this.voluntarySwitches += other.voluntarySwitches;
    this.involuntarySwitches += other.involuntarySwitches;
  }

  /** Without ticks in kernel mode all of it is user time. */
  get kernelNs(): number {
    const { kernelTicks, userTicks } = this;
    if (kernelTicks === 0) return 0;
    return Math.floor((this.runNs * kernelTicks) / (kernelTicks + userTicks));
  }

  get userNs(): number {
    return this.runNs - this.kernelNs;
  }
}

/** Of a thread group up to now. */
export function usageOf({ endedUsage, threads }: LinuxProcess): Usage {
  const usage = new Usage();
  usage.add(endedUsage);
  for (const { kthread } of threads.values()) if (kthread !== undefined) usage.addThread(kthread);
  return usage;
}

/** sizeof(struct rusage). */
const RUSAGE_BYTES = 144;
const VOLUNTARY = 128;
const INVOLUNTARY = 136;

/** A struct rusage; false if it is not mapped. */
export function writeUsage(memory: UserMemory, address: number, usage: Usage): boolean {
  const bytes = new Uint8Array(RUSAGE_BYTES);
  const view = new DataView(bytes.buffer);
  const put = (offset: number, value: number) => view.setBigInt64(offset, BigInt(value), true);
  const putTime = (offset: number, ns: number) => {
    put(offset, Math.floor(ns / 1e9));
    put(offset + 8, Math.floor((ns % 1e9) / 1000));
  };
  putTime(0, usage.userNs);
  putTime(16, usage.kernelNs);
  put(VOLUNTARY, usage.voluntarySwitches);
  put(INVOLUNTARY, usage.involuntarySwitches);
  return memory.write(address, bytes);
}

/** getrusage(2). */
export function getrusage(thread: LinuxThread, who: number, address: number): LinuxResult {
  const { process, memory, kthread } = thread;
  let usage: Usage;
  if (who === RUSAGE.SELF) usage = usageOf(process);
  else if (who === RUSAGE.CHILDREN) usage = process.childUsage ?? new Usage();
  else if (who === RUSAGE.THREAD) {
    usage = new Usage();
    if (kthread !== undefined) usage.addThread(kthread);
  } else return -ERRNO.EINVAL;
  return writeUsage(memory, address, usage) ? 0 : -ERRNO.EFAULT;
}

/** CLOCKS_PER_SEC of times(2): a hundredth of a second. */
const CLOCK_NS = 10_000_000;

/** times(2): hundredths of a second since boot, and of CPU time. */
export function times(state: LinuxState, { process, memory }: LinuxThread, address: number) {
  const children = process.childUsage ?? new Usage();
  const own = usageOf(process);
  const all = [own.userNs, own.kernelNs, children.userNs, children.kernelNs];
  const written =
    address === 0 ||
    all.every((ns, index) => writeLong(memory, address + index * 8, Math.floor(ns / CLOCK_NS)));
  return written ? Math.floor(state.machine.now / CLOCK_NS) : -ERRNO.EFAULT;
}
