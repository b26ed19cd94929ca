import { describe, expect, test } from 'vitest';
import { analyzeBugCheck } from '../../src/machine/analyze';
import { BUGCHECKS_NOT_RAISED, explainBugCheck, RAISED } from '../../src/machine/explanations';
import type { RunResult } from '../../src/machine/result';
import { ASKED, CASES } from './bugcheck-cases';

/** The address or handle of an object: where that is, is nobody's business. */
const SOME = expect.any(BigInt);
const NONE = [0n, 0n, 0n, 0n] as const;

/** Of threads, processes, locks, work items and drivers: code, name, and the parameters of its case. */
const RAISED_HERE: readonly (readonly [number, string, readonly unknown[]])[] = [
  [0x1, 'APC_INDEX_MISMATCH', [0n, 0n, 0xfffen, 0n]],
  [0x2, 'DEVICE_QUEUE_NOT_BUSY', NONE],
  [0x5, 'INVALID_PROCESS_ATTACH_ATTEMPT', [SOME, SOME, 1n, 0n]],
  [0x6, 'INVALID_PROCESS_DETACH_ATTEMPT', NONE],
  [0x8, 'IRQL_NOT_DISPATCH_LEVEL', [15n, SOME, 0n, 0n]],
  [0x9, 'IRQL_NOT_GREATER_OR_EQUAL', [1n, 2n, 0n, 0n]],
  [0xa, 'IRQL_NOT_LESS_OR_EQUAL', [2n, 0n, 0n, 0n]],
  [0xc, 'MAXIMUM_WAIT_OBJECTS_EXCEEDED', NONE],
  [0x10, 'SPIN_LOCK_NOT_OWNED', [SOME, 0n, 0n, 0n]],
  [0x18, 'REFERENCE_BY_POINTER', [0n, SOME, 0n, 0n]],
  [0x1e, 'KMODE_EXCEPTION_NOT_HANDLED', [0xc0000001n, 0n, 7n, 0n]],
  [0x1f, 'SHARED_RESOURCE_CONV_ERROR', [1n, SOME, 0n, 0n]],
  [0x20, 'KERNEL_APC_PENDING_DURING_EXIT', [0n, 0xffff0000n, 0n, 0n]],
  [0x2b, 'PANIC_STACK_SWITCH', [SOME, SOME, 0n, 0n]],
  [0x39, 'SYSTEM_EXIT_OWNED_MUTEX', [SOME, 0n, SOME, 0n]],
  [0x3b, 'SYSTEM_SERVICE_EXCEPTION', [0xc0000001n, 3n, SOME, 0n]],
  [0x3d, 'INTERRUPT_EXCEPTION_NOT_HANDLED', [0xc0000001n, 0n, 0n, 0n]],
  [0x4a, 'IRQL_GT_ZERO_AT_SYSTEM_SERVICE', [3n, 1n, 0n, 0n]],
  [0x7e, 'SYSTEM_THREAD_EXCEPTION_NOT_HANDLED', [0xc0000001n, 0n, 0n, 0n]],
  [0x7f, 'UNEXPECTED_KERNEL_MODE_TRAP', [8n, 0n, 0n, 0n]],
  [0x93, 'INVALID_KERNEL_HANDLE', [0xffffffff80000004n, 1n, 0n, 0n]],
  [0x94, 'KERNEL_STACK_LOCKED_AT_EXIT', NONE],
  [0x96, 'INVALID_WORK_QUEUE_ITEM', [SOME, SOME, SOME, SOME]],
  [0xb8, 'ATTEMPTED_SWITCH_FROM_DPC', [SOME, 0n, 0n, 0n]],
  [0xc4, 'DRIVER_VERIFIER_DETECTED_VIOLATION', [0x20004n, 2n, 0n, 0n]],
  [0xc7, 'TIMER_OR_DPC_INVALID', [2n, 0n, SOME, 0n]],
  [0xc8, 'IRQL_UNEXPECTED_VALUE', [0x10000n, 0n, 0n, 0n]],
  [0xce, 'DRIVER_UNLOADED_WITHOUT_CANCELLING_PENDING_OPERATIONS', [SOME, 0n, SOME, 0n]],
  [0xdf, 'IMPERSONATING_WORKER_THREAD', [SOME, 0n, SOME, 0n]],
  [0xe1, 'WORKER_THREAD_RETURNED_AT_BAD_IRQL', [SOME, 2n, 0n, SOME]],
  [0xe3, 'RESOURCE_NOT_OWNED', [1n, SOME, 0n, 0n]],
  [0xe4, 'WORKER_INVALID', [1n, SOME, 1n, 0n]],
  [0xe9, 'ACTIVE_EX_WORKER_THREAD_TERMINATION', [SOME, 0n, 0n, 0n]],
  [0xef, 'CRITICAL_PROCESS_DIED', [SOME, 1n, 0n, 0n]],
  [0x11b, 'DRIVER_RETURNED_HOLDING_CANCEL_LOCK', [SOME, SOME, 0n, 0n]],
  [0x128, 'WORKER_THREAD_RETURNED_WITH_BAD_IO_PRIORITY', [SOME, 1n, 0n, SOME]],
  [0x132, 'RESOURCE_OWNER_POINTER_INVALID', [1n, 1n, SOME, 0xabc0n]],
  [0x133, 'DPC_WATCHDOG_VIOLATION', [0n, 21n, 20n, 0n]],
  [0x139, 'KERNEL_SECURITY_CHECK_FAILURE', [3n, 0n, 0n, 0n]],
  [0x152, 'INVALID_PUSH_LOCK_FLAGS', [0x80n, 1n, 0n, 0n]],
  [0x153, 'KERNEL_LOCK_ENTRY_LEAKED_ON_THREAD_TERMINATION', [SOME, 1n, 1n, 0n]],
  [0x15b, 'WORKER_THREAD_RETURNED_WITH_NON_DEFAULT_PAGE_PRIORITY', [SOME, 1n, 7n, SOME]],
  [0x162, 'KERNEL_AUTO_BOOST_INVALID_LOCK_RELEASE', [SOME, 1n, 0n, 0n]],
  [0x16e, 'ERESOURCE_INVALID_RELEASE', [1n, SOME, 4n, 0n]],
  [0x192, 'KERNEL_AUTO_BOOST_LOCK_ACQUISITION_WITH_RAISED_IRQL', [SOME, 1n, 2n, 0n]],
  [0x199, 'KERNEL_STORAGE_SLOT_IN_USE', [0n, 0n, 0n, 0n]],
  [0x19a, 'WORKER_THREAD_RETURNED_WHILE_ATTACHED_TO_SILO', [SOME, 7n, SOME, 0n]],
  [0x1cb, 'INVALID_SILO_DETACH', [SOME, 0n, SOME, 0n]],
  [0x4000008a, 'THREAD_TERMINATE_HELD_MUTEX', [SOME, SOME, 0n, 0n]],
];

/** The others of the same kinds that Windows documents. */
const OTHERS = [
  0x3, 0xd, 0xf, 0x11, 0x13, 0x14, 0x1d, 0x50, 0x81, 0xbf, 0xd1, 0xd4, 0xd5, 0xdc, 0xea, 0xf4,
  0x101, 0x102, 0x129, 0x157, 0x163, 0x18e, 0x1aa, 0x1c5, 0x1c6, 0x1cc, 0x1cd, 0x1ce, 0x1d2, 0x1d6,
  0x1ed,
];

const NAMED = CASES.map(
  ([code, what, run]) => [`0x${code.toString(16)}`, what, code, run] as const,
);

describe('a bugcheck', () => {
  test.each(NAMED)('%s: %s', async (_code, _what, code, run) => {
    const [, name, parameters] = RAISED_HERE.find(([each]) => each === code) ?? [];
    const result = await run();
    expect(result).toMatchObject({ reason: 'bugcheck', code, name, parameters });
    expect((result as { explanation: string }).explanation).toBe(RAISED[code]?.[1]);
  });

  test('that Windows documents is either raised or in the list of those that are not', () => {
    expect(CASES.map(([code]) => code)).toEqual(RAISED_HERE.map(([code]) => code));
    expect(Object.keys(BUGCHECKS_NOT_RAISED).map(Number)).toEqual(OTHERS);
    expect(OTHERS.filter((code) => RAISED[code] !== undefined)).toEqual([]);
  });

  test.each(
    Object.entries(BUGCHECKS_NOT_RAISED),
  )('%s that is not raised says why', (code, other) => {
    expect(other.name).toMatch(/^[A-Z][A-Z_]+$/);
    expect(other.why.length).toBeGreaterThan(20);
    expect(explainBugCheck(Number(code))).toEqual([other.name, other.explanation]);
  });
});

describe('KeBugCheckEx', () => {
  const stop = async (run: () => Promise<RunResult>) => run();

  test('stops the machine with a code and four parameters', async () => {
    expect(await stop(ASKED.withParameters)).toMatchObject({
      reason: 'bugcheck',
      name: 'MANUALLY_INITIATED_CRASH',
      parameters: [1n, 2n, 3n, 4n],
      stack: ['misuser'],
      cause: { message: 'KeBugCheckEx was called for MANUALLY_INITIATED_CRASH' },
    });
  });

  test('and KeBugCheck take a code that the kernel never stops with', async () => {
    expect(await stop(ASKED.without)).toMatchObject({
      code: 0xd1,
      name: 'DRIVER_IRQL_NOT_LESS_OR_EQUAL',
      parameters: NONE,
    });
    expect(await stop(ASKED.unknown)).toMatchObject({ code: 0x12345, name: '0x12345' });
  });
});

describe('analyzeBugCheck', () => {
  test('has name, explanation, arguments, thread, module, cause, stack and records', async () => {
    const run = CASES.find(([code]) => code === 0xc8)?.[2] as () => Promise<never>;
    const lines = analyzeBugCheck(await run()).split('\n');
    expect(lines.slice(0, 7)).toEqual([
      'IRQL_UNEXPECTED_VALUE (c8)',
      RAISED[0xc8]?.[1],
      'Arguments:',
      'Arg1: 0000000000010000',
      'Arg2: 0000000000000000',
      'Arg3: 0000000000000000',
      'Arg4: 0000000000000000',
    ]);
    expect(lines).toContain('BUGCHECK_CODE:  c8');
    expect(lines).toContain('THREAD:         process creation');
    expect(lines.filter((line) => line.startsWith('CAUSE:'))).toEqual([
      'CAUSE:          VerifierError: process-notify routine sut!onProcess returned at IRQL 1; it was called at 0',
    ]);
    expect(lines).toContain('STACK_TEXT:');
    expect(lines.at(-1)).toMatch(/^ {2}\d+ ns, processor [01]: \w+/);
  });

  test.each(NAMED)('says something of %s: %s', async (_code, _what, code, run) => {
    const text = analyzeBugCheck((await run()) as never);
    expect(text).toContain(`(${code.toString(16)})\n${RAISED[code]?.[1]}\nArguments:\nArg1: `);
  });
});
