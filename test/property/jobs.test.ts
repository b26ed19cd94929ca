import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { STATUS } from '../../assembly/shared/status';
import { Machine } from '../../src/machine/machine';
import { NtClose } from '../../src/ob/handle';
import { objectManager } from '../../src/ob/state';
import { PsJobType } from '../../src/ob/types';
import { NtTerminateProcess } from '../../src/ps/control-services';
import { NtCreateUserProcess, PROCESS_CREATE_FLAGS } from '../../src/ps/create-services';
import { JOB_OBJECT_LIMIT } from '../../src/ps/job-limits';
import {
  NtAssignProcessToJobObject,
  NtIsProcessInJob,
  NtTerminateJobObject,
} from '../../src/ps/job-services';
import { objectRows } from '../ob/user';
import { accounts, idsIn, limit, makeJob, pause } from '../ps/jobs';
import { check } from './check';
import { BREAKAWAY, JobModel, KILL, SILENT } from './job-model';

/** One thing that is done to jobs and processes; a pick is one of those that there are. */
type Act =
  | { readonly kind: 'job' }
  | {
      readonly kind: 'spawn';
      readonly parent: number;
      readonly breakaway: boolean;
      readonly list: readonly number[];
    }
  | { readonly kind: 'assign'; readonly job: number; readonly process: number }
  | { readonly kind: 'terminate'; readonly process: number }
  | { readonly kind: 'terminateJob'; readonly job: number }
  | {
      readonly kind: 'limit';
      readonly job: number;
      readonly count: number;
      readonly flags: number;
    }
  | { readonly kind: 'close'; readonly job: number };

const pick = fc.nat(20);
const flags = fc.constantFrom(0, BREAKAWAY, SILENT, KILL, BREAKAWAY | KILL);
const spawn = fc.record({
  kind: fc.constant('spawn' as const),
  parent: pick,
  breakaway: fc.boolean(),
  list: fc.array(pick, { maxLength: 2 }),
});
const assign = fc.record({ kind: fc.constant('assign' as const), job: pick, process: pick });
const acts: fc.Arbitrary<Act[]> = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant('job' as const) }),
    spawn,
    spawn,
    assign,
    assign,
    fc.record({ kind: fc.constant('terminate' as const), process: pick }),
    fc.record({ kind: fc.constant('terminateJob' as const), job: pick }),
    fc.record({ kind: fc.constant('limit' as const), job: pick, count: fc.nat(4), flags }),
    fc.record({ kind: fc.constant('close' as const), job: pick }),
  ),
  { maxLength: 40 },
);

const ALL = 0x1fffff;

/** The thread's side: what each act comes to, there and in the model. */
class Subject {
  readonly model = new JobModel();
  private readonly jobs: number[] = [];
  private readonly processes: { handle: number; id: number }[] = [];

  private jobOf(pick: number): number | undefined {
    const { open } = this.model;
    return open[pick % open.length];
  }

  private processOf(pick: number): number | undefined {
    return this.processes.length === 0 ? undefined : pick % this.processes.length;
  }

  private handleOf(job: number): number {
    return this.jobs[job] as number;
  }

  /** @returns the status, and the model's. */
  *do(act: Act): Generator<readonly number[], readonly [unknown, unknown], number> {
    if (act.kind === 'job') {
      this.model.makeJob();
      this.jobs.push(yield* makeJob());
      return [0, 0];
    }
    if (act.kind === 'spawn') return yield* this.spawn(act);
    if (act.kind === 'terminate') {
      const id = this.processOf(act.process);
      if (id === undefined) return [0, 0];
      const { handle } = this.processes[id] as { handle: number };
      return [yield* NtTerminateProcess(handle, 0), this.model.terminate(id)];
    }
    const job = this.jobOf(act.job);
    return job === undefined ? [0, 0] : yield* this.doTo(act, job);
  }

  private *doTo(
    act: Exclude<Act, { kind: 'job' | 'spawn' | 'terminate' }>,
    job: number,
  ): Generator<readonly number[], readonly [unknown, unknown], number> {
    const handle = this.handleOf(job);
    switch (act.kind) {
      case 'assign': {
        const id = this.processOf(act.process);
        if (id === undefined) return [0, 0];
        const process = (this.processes[id] as { handle: number }).handle;
        const model = this.model.assign(job, id);
        return [yield* NtAssignProcessToJobObject(handle, process), model];
      }
      case 'terminateJob':
        this.model.terminateJob(job);
        return [yield* NtTerminateJobObject(handle, 0), STATUS.SUCCESS];
      case 'limit': {
        this.model.limit(job, act.count, act.flags);
        const limits = { LimitFlags: JOB_OBJECT_LIMIT.ACTIVE_PROCESS | act.flags };
        return [yield* limit(handle, { ...limits, ActiveProcessLimit: act.count }), 0];
      }
      case 'close':
        this.model.close(job);
        return [yield* NtClose(handle), STATUS.SUCCESS];
    }
  }

  private *spawn(
    act: Extract<Act, { kind: 'spawn' }>,
  ): Generator<readonly number[], readonly [unknown, unknown], number> {
    // Every third is made by the caller, which is in no job.
    const parent = act.parent % 3 === 0 ? undefined : this.processOf(act.parent);
    const list = act.list.flatMap((pick) => this.jobOf(pick) ?? []);
    const expected = this.model.spawn(parent, act.breakaway, list);
    const created = yield* NtCreateUserProcess(
      ALL,
      ALL,
      null,
      null,
      act.breakaway ? PROCESS_CREATE_FLAGS.BREAKAWAY : 0,
      0,
      null,
      {
        imageName: 'C:\\child.exe',
        jobList: list.map((job) => this.handleOf(job)),
        ...(parent !== undefined && { parentProcess: this.processes[parent]?.handle ?? 0 }),
      },
    );
    if (created.status === STATUS.SUCCESS) {
      const id = created.clientId?.UniqueProcess ?? 0;
      this.processes.push({ handle: created.processHandle, id });
      yield* NtClose(created.threadHandle);
    }
    return [created.status, expected];
  }

  /** What JobModel.shown is to be. */
  *shown(): Generator<readonly number[], unknown, number> {
    const jobs: unknown[] = [];
    const numbers = new Map(this.processes.map(({ id }, number) => [id, number]));
    for (const job of this.model.open) {
      const { ProcessIdList = [] } = yield* idsIn(this.handleOf(job), 1024);
      const ids = ProcessIdList.map((id) => numbers.get(id));
      jobs.push([...(yield* accounts(this.handleOf(job))), ids]);
    }
    const inJobs: boolean[] = [];
    for (const { handle } of this.processes)
      inJobs.push((yield* NtIsProcessInJob(handle, 0)) === STATUS.PROCESS_IN_JOB);
    return [jobs, inJobs];
  }

  /** Ends all that there is, and closes every handle. */
  *cleanUp(): Generator<readonly number[], void, number> {
    for (const { handle } of this.processes) yield* NtTerminateProcess(handle, 0);
    yield* pause();
    for (const { handle } of this.processes) yield* NtClose(handle);
    for (const job of this.model.open) yield* NtClose(this.handleOf(job));
  }
}

async function run(plan: readonly Act[]): Promise<void> {
  const machine = await Machine.create({ processors: 1 });
  const jobObjects = () => objectManager(machine).statistics(PsJobType).objects;
  const seen: unknown[] = [];
  const expected: unknown[] = [];
  const left: number[] = [];
  const process = machine.createProcess({ name: 'user' });
  process.createThread(
    function* () {
      const subject = new Subject();
      const before = objectRows(machine);
      for (const act of plan) {
        const [status, model] = yield* subject.do(act);
        yield* pause();
        seen.push([status, yield* subject.shown(), jobObjects()]);
        expected.push([model, subject.model.shown, subject.model.living]);
      }
      yield* subject.cleanUp();
      // What processes that only wait wait for stays.
      left.push(jobObjects(), objectRows(machine) - before);
    },
    { userMode: true },
  );
  const result = machine.run();
  expect(result).not.toHaveProperty('cause');
  expect(seen).toEqual(expected);
  expect(left[0]).toBe(0);
  expect(left[1]).toBeLessThanOrEqual(1);
}

describe('jobs', () => {
  test('come to what a plain model says, and leave nothing behind', async () => {
    await check('test/property/jobs.test.ts', acts, 300, run);
  });
});
