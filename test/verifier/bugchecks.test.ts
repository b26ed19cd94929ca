import { expect, test } from 'vitest';
import { stopOf } from './stop-of';

/** Bugchecks that a driver can cause, each by a driver of the corpus, without anybody who looks on. */

/** The address of an object of the core: where that is, is nobody's business. */
const SOME = expect.any(BigInt);

/** Of each bugcheck the drivers that cause it, and its parameters. */
const STOPS = {
  DRIVER_UNLOADED_WITHOUT_CANCELLING_PENDING_OPERATIONS: {
    'a driver that is unloaded with its process routine registered': [
      0xfffff80100000800n,
      0x0n,
      0xfffff80100000800n,
      0x0n,
    ],
  },
  KMODE_EXCEPTION_NOT_HANDLED: {
    'a process routine that forgets that processes end': [0xc0000001n, 0x0n, 0x7n, 0x0n],
  },
  DRIVER_VERIFIER_DETECTED_VIOLATION: {
    'a pre-operation callback that returns an error to refuse': [0xe5n, 0x0n, 0x0n, 0x0n],
    'a thread routine that closes a handle at APC_LEVEL': [0x2001fn, 0x1n, 0x0n, 0x0n],
    'a push lock acquired outside a critical region': [0xean, 0x0n, 0x0n, 0x1n],
    'an unsafe fast mutex acquired outside a critical region': [0x39n, 0x0n, 0x0n, 0x1n],
    'paged pool allocated at DISPATCH_LEVEL': [0x20004n, 0x2n, 0x0n, 0x0n],
    'a delay at DISPATCH_LEVEL': [0x2000fn, 0x2n, 0x0n, 0x0n],
    'a DPC that waits for an event': [0x121n, 0x2n, SOME, 0x0n],
  },
  IRQL_UNEXPECTED_VALUE: {
    'a process routine that stays at APC_LEVEL': [0x10000n, 0x0n, 0x0n, 0x0n],
  },
  APC_INDEX_MISMATCH: {
    'a process routine that stays in a critical region': [0x0n, 0x0n, 0xfffen, 0x0n],
  },
  KERNEL_APC_PENDING_DURING_EXIT: {
    'a process routine that ends the process that creates others': [0x0n, 0xffffn, 0x0n, 0x0n],
    'a DriverEntry that returns at APC_LEVEL': [0x0n, 0x0n, 0x1n, 0x0n],
    'a system thread that ends in a guarded region': [0x0n, 0xffff0000n, 0x0n, 0x0n],
  },
  SYSTEM_THREAD_EXCEPTION_NOT_HANDLED: {
    'a process routine that throws': [0xc0000001n, 0x0n, 0x0n, 0x0n],
    'object callbacks unregistered twice': [0xc0000005n, 0x0n, 0x0n, 0x0n],
  },
  REFERENCE_BY_POINTER: {
    'a process that is kept without a reference': [0x0n, 0x8000001000004n, 0x0n, 0x0n],
  },
  THREAD_TERMINATE_HELD_MUTEX: {
    'a DriverEntry that returns with a mutex': [SOME, SOME, 0x0n, 0x0n],
  },
  SYSTEM_EXIT_OWNED_MUTEX: {
    'a work item that returns with a mutex': [0xfffff80100000800n, 0x0n, 0xffffa80000000800n, 0x0n],
  },
  KERNEL_LOCK_ENTRY_LEAKED_ON_THREAD_TERMINATION: {
    'a system thread that ends with a push lock': [SOME, 0x1n, 0x1n, 0x0n],
  },
  SPIN_LOCK_NOT_OWNED: {
    'a spin lock released that nobody holds': [SOME, 0x0n, 0x0n, 0x0n],
  },
  RESOURCE_NOT_OWNED: {
    'a resource released that is not owned': [0x1n, SOME, 0x0n, 0x0n],
  },
  WORKER_THREAD_RETURNED_AT_BAD_IRQL: {
    'a work item that returns at DISPATCH_LEVEL': [
      0xfffff80100000800n,
      0x2n,
      0x0n,
      0xffffa80000000800n,
    ],
  },
  TIMER_OR_DPC_INVALID: {
    'a DPC queued without a routine': [0x2n, 0x0n, SOME, 0x0n],
    'a timer allocated with attributes that contradict': [0x0n, 0x0n, 0x1n, 0x0n],
  },
  WORKER_INVALID: {
    'a work item queued twice': [0x1n, 0xffffa80000000800n, 0x1n, 0x0n],
  },
  ACTIVE_EX_WORKER_THREAD_TERMINATION: {
    'a work item that ends its thread': [SOME, 0x0n, 0x0n, 0x0n],
  },
  IMPERSONATING_WORKER_THREAD: {
    'a work item that goes on as somebody else': [
      0xfffff80100000800n,
      0x0n,
      0xffffa80000000800n,
      0x0n,
    ],
  },
  INVALID_KERNEL_HANDLE: {
    'a handle closed twice': [0xffffffff80000004n, 0x1n, 0x0n, 0x0n],
  },
  BAD_POOL_CALLER: {
    'pool freed twice': [0x7n, 0x0n, 0x0n, 0x0n],
    'pool freed with another tag': [0xan, 0x0n, 0x31747553n, 0x32747553n],
  },
  UNEXPECTED_KERNEL_MODE_TRAP: {
    'a buffer of 30 KB on the stack': [0x8n, 0x0n, 0x0n, 0x0n],
  },
};

const ALL = Object.entries(STOPS).flatMap(([name, drivers]) =>
  Object.entries(drivers).map(([what, parameters]) => [name, what, parameters] as const),
);

test.each(ALL)('%s: %s', async (name, what, parameters) => {
  const result = await stopOf(what);
  expect(result).toMatchObject({ reason: 'bugcheck', name, parameters });
});
