import { PKTHREAD } from '../hal';
import { KTHREAD } from '../shared/layout';
import { APC_REGION } from '../shared/opcode';

/**
 * What keeps asynchronous procedure calls from a thread: critical regions and mutexes (normal kernel
 * APCs), guarded regions (all of them). Two signed 16-bit counts in one word, which wrap alike: one
 * that is left once too often disables them too.
 */

const KERNEL_COUNT: u32 = 0xffff;

/** Changes KernelApcDisable: -1 enters a critical region, 1 leaves it. */
export function KiAddKernelApcDisable(thread: PKTHREAD, change: i32): void {
  const counts = load<u32>(thread, KTHREAD.CombinedApcDisable);
  const kernel = (counts + <u32>change) & KERNEL_COUNT;
  store<u32>(thread, (counts & ~KERNEL_COUNT) | kernel, KTHREAD.CombinedApcDisable);
}

/**
 * Enters (-1) or leaves (1) a region.
 *
 * @irql at most APC_LEVEL
 * @internal @nt KeEnterCriticalRegion, KeLeaveCriticalRegion, KeEnterGuardedRegion, KeLeaveGuardedRegion
 */
export function KiChangeApcRegion(thread: PKTHREAD, region: APC_REGION, change: i32): void {
  if (region == APC_REGION.Critical) {
    KiAddKernelApcDisable(thread, change);
    return;
  }
  const counts = load<u32>(thread, KTHREAD.CombinedApcDisable);
  store<u32>(thread, counts + ((<u32>change) << 16), KTHREAD.CombinedApcDisable);
}
