import { describe, expect, test } from 'vitest';
import { BUGCHECK } from '../../assembly/shared/bugcheck';
import { STATUS } from '../../assembly/shared/status';
import { IRQL } from '../../assembly/shared/types';
import {
  ExAllocatePool2,
  ExAllocatePoolWithQuota,
  ExAllocatePoolWithQuotaTag,
  ExFreePool,
  POOL_FLAG_PAGED,
  POOL_FLAG_RAISE_ON_FAILURE,
  POOL_FLAG_USE_QUOTA,
  POOL_QUOTA_FAIL_INSTEAD_OF_RAISE,
  POOL_TYPE,
} from '../../src/ex/pool';
import { KeEnterGuardedRegion, KeLeaveGuardedRegion } from '../../src/ke/irql';
import { NtStatusError } from '../../src/machine/guest';
import type { KProcess } from '../../src/machine/views';
import { PROCESSINFOCLASS } from '../../src/ps/information-class';
import { NtQueryInformationProcess, ZwQueryInformationProcess } from '../../src/ps/process-query';
import { NtSetInformationProcess, ZwSetInformationProcess } from '../../src/ps/process-set';
import {
  PsChargePoolQuota,
  PsChargeProcessNonPagedPoolQuota,
  PsChargeProcessPagedPoolQuota,
  PsChargeProcessPoolQuota,
  PsReturnPoolQuota,
  PsReturnProcessNonPagedPoolQuota,
  PsReturnProcessPagedPoolQuota,
} from '../../src/ps/quota';
import { bugCheckOf, runKernel } from '../ob/user';
import { runUser } from './user';

const PROCESS = -1;
const LIMITS = PROCESSINFOCLASS.ProcessQuotaLimits;
const VM = PROCESSINFOCLASS.ProcessVmCounters;
const POOLED = PROCESSINFOCLASS.ProcessPooledUsageAndLimits;
const NULL = { address: 0 };
const TWO = { address: 2 };
const at = (length: number, pointer: { address: number }) => ({ length, ...pointer });
const NO_LIMIT = 2n ** 64n - 1n;
const PAGED = POOL_TYPE.PagedPool;

/** The status that a routine raises; 0: none. */
function raised(routine: () => unknown): number {
  try {
    routine();
    return 0;
  } catch (error) {
    if (error instanceof NtStatusError) return error.status;
    throw error;
  }
}

function* usage() {
  const counters = yield* ZwQueryInformationProcess(PROCESS, VM, 88);
  return [counters.QuotaNonPagedPoolUsage, counters.QuotaPagedPoolUsage];
}

/** Limits paged pool of the current process. */
function* limitPaged(bytes: bigint) {
  const limits = {
    PagedPoolLimit: bytes,
    NonPagedPoolLimit: 0n,
    MinimumWorkingSetSize: 0n,
    MaximumWorkingSetSize: 0n,
    PagefileLimit: 0n,
    TimeLimit: 0n,
  };
  return yield* ZwSetInformationProcess(PROCESS, LIMITS, limits, 48);
}

describe('quotas of pool', () => {
  test('ps.quota-001: PsChargeProcessNonPagedPoolQuota and PsChargeProcessPagedPoolQuota charge a process in a guarded region', async () => {
    const value = await runKernel(function* (process, machine) {
      KeEnterGuardedRegion();
      const limits = yield* ZwQueryInformationProcess(PROCESS, LIMITS, 48);
      const below = yield* usage();
      const charged = [
        PsChargeProcessNonPagedPoolQuota(process, 0x200),
        PsChargeProcessPagedPoolQuota(process, 0x500),
        machine.irql(),
      ];
      yield* KeLeaveGuardedRegion();
      return [limits.NonPagedPoolLimit, limits.PagedPoolLimit, below, charged];
    });
    expect(value).toEqual([
      NO_LIMIT,
      NO_LIMIT,
      [0, 0],
      [STATUS.SUCCESS, STATUS.SUCCESS, IRQL.PASSIVE_LEVEL],
    ]);
  });

  test('ps.quota-002: ProcessVmCounters tells the charges, until PsReturnProcessNonPagedPoolQuota and PsReturnProcessPagedPoolQuota take them back', async () => {
    const value = await runKernel(function* (process) {
      PsChargeProcessNonPagedPoolQuota(process, 0x200);
      PsChargeProcessPagedPoolQuota(process, 0x500);
      const charged = yield* usage();
      PsReturnProcessNonPagedPoolQuota(process, 0x200);
      PsReturnProcessPagedPoolQuota(process, 0x500);
      const { QuotaPeakPagedPoolUsage, QuotaPeakNonPagedPoolUsage } =
        yield* ZwQueryInformationProcess(PROCESS, VM, 96);
      return [charged, yield* usage(), QuotaPeakPagedPoolUsage, QuotaPeakNonPagedPoolUsage];
    });
    expect(value).toEqual([[0x200, 0x500], [0, 0], 0x500, 0x200]);
  });

  test('ps.quota-005: ExAllocatePoolWithQuotaTag raises for more than there is, or returns NULL', async () => {
    const value = await runKernel(function* () {
      yield* usage();
      const failing = PAGED | POOL_QUOTA_FAIL_INSTEAD_OF_RAISE;
      return [
        raised(() => ExAllocatePoolWithQuotaTag(PAGED, 0x7fffffff, 'test')),
        ExAllocatePoolWithQuotaTag(failing, 0x7fffffff, 'test'),
      ];
    });
    expect(value).toEqual([STATUS.INSUFFICIENT_RESOURCES, null]);
  });

  test('PsChargePoolQuota raises beyond the limit, where PsChargeProcessPoolQuota returns the status', async () => {
    const value = await runKernel(function* (process) {
      yield* limitPaged(0x1000n);
      const exceeded = [
        PsChargeProcessPoolQuota(process, PAGED, 0x1000),
        PsChargeProcessPoolQuota(process, PAGED, 1),
        raised(() => PsChargePoolQuota(process, PAGED, 1)),
        raised(() => PsChargePoolQuota(process, POOL_TYPE.NonPagedPoolNx, 1)),
      ];
      PsReturnPoolQuota(process, PAGED, 0x1000);
      return [...exceeded, raised(() => PsChargePoolQuota(process, PAGED, 1))];
    });
    expect(value).toEqual([
      STATUS.SUCCESS,
      STATUS.QUOTA_EXCEEDED,
      STATUS.QUOTA_EXCEEDED,
      STATUS.SUCCESS,
      STATUS.SUCCESS,
    ]);
  });

  test('pool with quota is charged to the current process until it is freed', async () => {
    const value = await runKernel(function* () {
      yield* limitPaged(100n);
      const tagged = ExAllocatePoolWithQuotaTag(PAGED, 40, 'test');
      const plain = ExAllocatePoolWithQuota(POOL_TYPE.NonPagedPoolNx, 8);
      const flags = POOL_FLAG_PAGED | POOL_FLAG_USE_QUOTA;
      const other = ExAllocatePool2(flags, 60, 'test');
      const charged = yield* usage();
      const refused = [
        ExAllocatePool2(flags, 1, 'test'),
        raised(() => ExAllocatePool2(flags | POOL_FLAG_RAISE_ON_FAILURE, 1, 'test')),
        raised(() => ExAllocatePoolWithQuotaTag(PAGED, 1, 'test')),
        ExAllocatePool2(POOL_FLAG_PAGED, 1, 'test')?.numberOfBytes,
      ];
      for (const block of [tagged, plain, other]) if (block !== null) ExFreePool(block);
      return [charged, ...refused, yield* usage()];
    });
    expect(value).toEqual([
      [8, 100],
      null,
      STATUS.QUOTA_EXCEEDED,
      STATUS.QUOTA_EXCEEDED,
      1,
      [0, 0],
    ]);
  });

  test('System is charged with nothing', async () => {
    const value = await runKernel(function* (_process, machine) {
      yield* usage();
      return [
        PsChargeProcessPagedPoolQuota(machine.systemProcess, 10),
        raised(() => PsReturnPoolQuota(machine.systemProcess, PAGED, 99)),
      ];
    });
    expect(value).toEqual([STATUS.SUCCESS, 0]);
  });

  test('a return of what was not charged is QUOTA_UNDERFLOW', async () => {
    let charged: KProcess | undefined;
    const stop = await bugCheckOf(function* (process) {
      charged = process;
      yield* usage();
      PsChargeProcessPagedPoolQuota(process, 10);
      PsReturnPoolQuota(process, PAGED, 11);
    });
    expect(stop).toEqual([BUGCHECK.QUOTA_UNDERFLOW, BigInt(charged?.handle ?? 0), 1n]);
  });
});

describe('ProcessQuotaLimits', () => {
  for (const [id, size] of [
    ['ps.query-003: of QUOTA_LIMITS', 48],
    ['ps.query-004: of QUOTA_LIMITS_EX', 88],
  ] as const) {
    test(`${id} finds a wrong length first, then a misaligned buffer, a bad handle, and a NULL buffer last`, async () => {
      const { seen } = await runUser(function* (_, note) {
        note((yield* NtQueryInformationProcess(0, LIMITS, at(0, NULL))).status);
        note((yield* NtQueryInformationProcess(0, LIMITS, at(size, NULL))).status);
        note((yield* NtQueryInformationProcess(PROCESS, LIMITS, at(0, NULL))).status);
        note((yield* NtQueryInformationProcess(PROCESS, LIMITS, at(0, TWO))).status);
        note((yield* NtQueryInformationProcess(PROCESS, LIMITS, at(size, TWO))).status);
        note((yield* NtQueryInformationProcess(PROCESS, LIMITS, at(size - 1, NULL))).status);
        note((yield* NtQueryInformationProcess(PROCESS, LIMITS, at(size, NULL))).status);
        note((yield* NtQueryInformationProcess(PROCESS, LIMITS, at(size + 1, NULL))).status);
        const { status, returnLength } = yield* NtQueryInformationProcess(PROCESS, LIMITS, size);
        note([status, returnLength]);
      });
      expect(seen).toEqual([
        STATUS.INFO_LENGTH_MISMATCH,
        STATUS.INVALID_HANDLE,
        STATUS.INFO_LENGTH_MISMATCH,
        STATUS.INFO_LENGTH_MISMATCH,
        STATUS.DATATYPE_MISALIGNMENT,
        STATUS.INFO_LENGTH_MISMATCH,
        STATUS.ACCESS_VIOLATION,
        STATUS.INFO_LENGTH_MISMATCH,
        [STATUS.SUCCESS, size],
      ]);
    });
  }

  test('ps.query-030: has 50 and 345 pages of working set, no limit of page file and time, and tells the right length of a wrong one', async () => {
    const { seen } = await runUser(function* (_, note) {
      note((yield* NtQueryInformationProcess(0, LIMITS, 48)).status);
      note((yield* NtQueryInformationProcess(0, LIMITS, at(48, NULL))).status);
      note((yield* NtQueryInformationProcess(PROCESS, LIMITS, 2)).status);
      note(yield* NtQueryInformationProcess(PROCESS, LIMITS, 48));
      for (const length of [96, 47, 49])
        note(yield* NtQueryInformationProcess(PROCESS, LIMITS, length));
    });
    const mismatch = { status: STATUS.INFO_LENGTH_MISMATCH, returnLength: 48 };
    expect(seen).toEqual([
      STATUS.INVALID_HANDLE,
      STATUS.INVALID_HANDLE,
      STATUS.INFO_LENGTH_MISMATCH,
      {
        status: STATUS.SUCCESS,
        returnLength: 48,
        PagedPoolLimit: NO_LIMIT,
        NonPagedPoolLimit: NO_LIMIT,
        MinimumWorkingSetSize: 204_800n,
        MaximumWorkingSetSize: 1_413_120n,
        PagefileLimit: NO_LIMIT,
        TimeLimit: NO_LIMIT,
      },
      mismatch,
      mismatch,
      mismatch,
    ]);
  });

  test('takes working sets from anybody who may, and limits of pool with SeIncreaseQuotaPrivilege', async () => {
    const { seen } = await runUser(function* (_, note) {
      const limits = (minimum: bigint, maximum: bigint) => ({
        PagedPoolLimit: 4096n,
        NonPagedPoolLimit: 0n,
        MinimumWorkingSetSize: minimum,
        MaximumWorkingSetSize: maximum,
        PagefileLimit: 0n,
        TimeLimit: 0n,
      });
      note(yield* NtSetInformationProcess(PROCESS, LIMITS, limits(4096n, 8192n), 48));
      note(yield* NtSetInformationProcess(PROCESS, LIMITS, limits(9n, 8n), 48));
      note(yield* NtSetInformationProcess(PROCESS, LIMITS, limits(NO_LIMIT, NO_LIMIT), 48));
      note(yield* NtSetInformationProcess(PROCESS, LIMITS, limits(0n, 0n), 48));
      note((yield* NtQueryInformationProcess(PROCESS, LIMITS, 88)).MaximumWorkingSetSize);
      note((yield* NtQueryInformationProcess(PROCESS, POOLED, 72)).PagedPoolLimit);
    });
    expect(seen).toEqual([
      STATUS.SUCCESS,
      STATUS.INVALID_PARAMETER,
      STATUS.SUCCESS,
      STATUS.PRIVILEGE_NOT_HELD,
      8192n,
      NO_LIMIT,
    ]);
  });
});
