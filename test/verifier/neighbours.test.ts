import { describe, expect, test } from 'vitest';
import { STATUS } from '../../assembly/shared/status';
import { ZwClose } from '../../src/ob/handle';
import type { DriverOptions } from '../../src/machine/driver';
import { checkDriver } from '../../src/verifier/check';
import {
  PsSetCreateProcessNotifyRoutineEx2,
  PsSetCreateThreadNotifyRoutine,
} from '../../src/ps/register';
import type { CreateProcessNotifyRoutineEx } from '../../src/ps/process-notify';
import { entryDriver, processDriver, threadDriver } from './drivers';

const rulesBeside = async (driver: DriverOptions, ...neighbours: string[]) => {
  const { findings } = await checkDriver(driver, { neighbours });
  return [...new Set(findings.map(({ rule }) => rule))];
};

/** Told of the processes of all subsystems. */
function everyProcess(routine: CreateProcessNotifyRoutineEx): DriverOptions {
  return entryDriver(
    () => PsSetCreateProcessNotifyRoutineEx2(0, routine, false) as never,
    () => PsSetCreateProcessNotifyRoutineEx2(0, routine, true) as never,
  );
}

/** What process routines are told beside a neighbour. */
async function seenBeside(neighbour: string) {
  const made: number[] = [];
  const gone: number[] = [];
  const commandLines: (string | null)[] = [];
  const { findings, result } = await checkDriver(
    everyProcess((_process, id, createInfo) => {
      (createInfo === null ? gone : made).push(id);
      if (createInfo !== null) commandLines.push(createInfo.CommandLine);
    }),
    { neighbours: [neighbour] },
  );
  expect(findings).toEqual([]);
  return { made, gone, commandLines, reason: result.reason };
}

describe('a neighbour', () => {
  test("'pid-reuse' gives process ids to one process after another", async () => {
    const { made, gone } = await seenBeside('pid-reuse');
    expect(made.length).toBe(23);
    expect(new Set(made).size).toBeLessThan(12);
    expect(gone.length).toBe(made.length);
  });

  test("'storm' ends many processes at once", async () => {
    const { made, gone } = await seenBeside('storm');
    expect(made.length).toBe(23);
    expect(gone.length).toBe(23);
  });

  test("'exit-only' has processes end of which PsSetCreateProcessNotifyRoutineEx2 told no beginning", async () => {
    const { made, gone } = await seenBeside('exit-only');
    expect(made.length).toBe(11);
    expect(gone.length).toBe(23);
  });

  test("'linux' has processes whose CommandLine has NULs", async () => {
    const { commandLines } = await seenBeside('linux');
    expect(commandLines).toContain('/init\0--quiet\0');
  });

  test("'kill' ends processes while PsSetCreateProcessNotifyRoutineEx2 tells that they are made", async () => {
    const { made, gone } = await seenBeside('kill');
    expect(gone.length).toBe(made.length);
  });

  test("'leave' takes its routine back in a work item of its own", async () => {
    const { made, reason } = await seenBeside('leave');
    expect(made.length).toBe(10);
    expect(reason).not.toBe('bugcheck');
  });

  test("'apc-level' calls thread routines at APC_LEVEL, where ZwClose must not be called", async () => {
    const driver = () =>
      threadDriver(function* onThread() {
        yield* ZwClose(-1);
      });
    expect(await rulesBeside(driver())).toEqual([]);
    expect(await rulesBeside(driver(), 'apc-level')).toEqual(['CB-14']);
  });

  test("'minimal' has a process without ImageFileName", async () => {
    const driver = () =>
      processDriver(function onProcess(_process, _id, createInfo) {
        if (createInfo !== null) (createInfo.ImageFileName as string).toLowerCase();
      });
    expect(await rulesBeside(driver())).toEqual([]);
    expect(await rulesBeside(driver(), 'minimal')).toEqual(['CB-16']);
  });

  test("'full' leaves no slot for PsSetCreateThreadNotifyRoutine", async () => {
    const driver: DriverOptions = {
      name: 'sut',
      *DriverEntry() {
        return yield* PsSetCreateThreadNotifyRoutine(() => undefined);
      },
    };
    const { findings, status } = await checkDriver(driver, { neighbours: ['full'] });
    expect(findings).toEqual([]);
    expect(status).toBe(STATUS.INSUFFICIENT_RESOURCES);
  });

  test('of any kind lets a driver be that asks for little', async () => {
    const { findings, result, status } = await checkDriver(
      processDriver(() => undefined),
      { neighbours: 'all' },
    );
    expect(findings).toEqual([]);
    expect(status).toBe(STATUS.SUCCESS);
    expect(['idle', 'time']).toContain(result.reason);
  });
});
