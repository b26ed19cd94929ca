import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { IDTYPE, SIG, SIG_HOW, SYS, WAIT } from '../../src/subsystem/wsl/abi';
import { signalSet } from '../../src/subsystem/wsl/signal-calls';
import type { LinuxUser } from '../../src/subsystem/wsl/user';
import type { WslSubsystem } from '../../src/subsystem/wsl/wsl';
import { runLinux } from '../subsystem/linux';
import { check } from './check';
import { type ModelProcess, TreeModel } from './linux-tree-model';

/** One system call of a process of the tree; `actor` and `pick` choose among those that there are. */
type Act = { readonly actor: number } & (
  | { readonly kind: 'fork' | 'setsid' | 'execve' | 'getppid' }
  | { readonly kind: 'exit'; readonly code: number }
  | { readonly kind: 'block'; readonly blocked: boolean }
  | { readonly kind: 'wait4' | 'waitid'; readonly pick: number; readonly options: number }
  | {
      readonly kind: 'kill';
      readonly pick: number;
      readonly whom: 'process' | 'group' | 'own';
      readonly signal: number;
    }
  | { readonly kind: 'setpgid'; readonly pick: number; readonly group: number }
);

const actor = fc.nat(5);
const pick = fc.nat(5);
const kind = <K extends string>(name: K) => fc.constant(name);
const waiting = fc.constantFrom(0, WAIT.UNTRACED, WAIT.CONTINUED, WAIT.UNTRACED | WAIT.CONTINUED);
const signals = [0, SIG.USR1, SIG.USR2, SIG.TERM, SIG.KILL, SIG.STOP, SIG.TSTP, SIG.WINCH];
const acts: fc.Arbitrary<Act[]> = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: fc.record({ actor, kind: kind('fork') }) },
    fc.record({
      actor,
      kind: fc.constantFrom('setsid' as const, 'execve' as const, 'getppid' as const),
    }),
    fc.record({ actor, kind: kind('exit'), code: fc.nat(255) }),
    fc.record({ actor, kind: kind('block'), blocked: fc.boolean() }),
    fc.record({ actor, kind: kind('wait4'), pick, options: waiting }),
    fc.record({
      actor,
      kind: kind('waitid'),
      pick,
      options: fc.tuple(waiting, fc.constantFrom(0, WAIT.NOWAIT)).map(([a, b]) => a | b),
    }),
    {
      weight: 4,
      arbitrary: fc.record({
        actor,
        kind: kind('kill'),
        pick,
        whom: fc.constantFrom('process' as const, 'group' as const, 'own' as const),
        signal: fc.constantFrom(...signals, SIG.CONT, SIG.CONT, SIG.CONT),
      }),
    },
    fc.record({ actor, kind: kind('setpgid'), pick, group: pick }),
  ),
  { minLength: 1, maxLength: 60, size: 'max' },
);

/** A word of memory that all share, for each process: it has been told to do something. */
const WORDS = 0x6000_0000;
const INFO = 0x1_0000;
/** Longer than a tick: everybody has done what there was to do. */
const SETTLE_NS = 40e6;
const NO_SUCH = 900;

type Job = (linux: LinuxUser) => Generator<readonly number[], unknown, number>;

/** The processes of a run: each does what it is told, one thing after the other. */
class Puppets {
  readonly handled = new Map<number, number>();
  private readonly jobs = new Map<number, Job>();
  private reply: unknown;

  /** What a process does, from its beginning or behind an execve. */
  readonly main = (linux: LinuxUser) => this.play(linux);

  private *play(linux: LinuxUser): Generator<readonly number[], void, number> {
    const pid = yield* linux.getpid();
    yield* this.prepare(linux, pid);
    const word = WORDS + pid * 4;
    for (;;) {
      while (linux.load(word) === 0) yield* linux.futexWait(word, 0);
      linux.store(word, 0);
      const job = this.jobs.get(pid) as Job;
      this.reply = yield* job(linux);
    }
  }

  *prepare(linux: LinuxUser, pid: number) {
    yield* linux.sigaction(SIG.USR2, 'ignore');
    yield* linux.sigaction(SIG.USR1, () => {
      this.handled.set(pid, (this.handled.get(pid) ?? 0) + 1);
      return undefined;
    });
  }

  /** Lets a process do something, and everybody settle; what it said. */
  *tell(init: LinuxUser, pid: number, job: Job): Generator<readonly number[], unknown, number> {
    this.reply = undefined;
    if (pid === 1) this.reply = yield* job(init);
    else {
      this.jobs.set(pid, job);
      init.store(WORDS + pid * 4, 1);
      yield* init.futexWake(WORDS + pid * 4);
    }
    yield* init.nanosleep(SETTLE_NS);
    return this.reply;
  }
}

const chosen = (from: readonly number[], at: number) => from[at % (from.length + 1)] ?? NO_SUCH;

/** An act as a process does it, and what the model says; a job that does not return has no reply. */
function play(
  what: Act,
  by: ModelProcess,
  model: TreeModel,
  puppets: Puppets,
): { readonly job: Job; readonly says: () => unknown } {
  const pids = [...model.processes.keys()].filter((pid) => pid !== 1);
  const target = 'pick' in what ? chosen(pids, what.pick) : NO_SUCH;
  const leads = by === model.init;
  switch (what.kind) {
    case 'fork':
      return {
        job: (linux) =>
          linux.fork(function* (child) {
            if (leads) yield* child.call(SYS.setpgid, 0, 0);
            yield* puppets.main(child);
          }),
        says: () => model.fork(by).pid,
      };
    case 'setsid':
      return { job: (linux) => linux.call(SYS.setsid), says: () => model.setsid(by) };
    case 'getppid':
      return { job: (linux) => linux.getppid(), says: () => by.parent?.pid ?? 0 };
    case 'execve':
      return leads
        ? { job: (linux) => linux.getpid(), says: () => 1 }
        : {
            job: (linux) => linux.execve('/puppet', []),
            says: () => {
              by.executed = true;
              return undefined;
            },
          };
    case 'exit':
      return leads
        ? { job: (linux) => linux.getpid(), says: () => 1 }
        : {
            job: (linux) => linux.exitGroup(what.code),
            says: () => {
              model.end(by, what.code << 8);
              return undefined;
            },
          };
    case 'block': {
      const how = what.blocked ? SIG_HOW.BLOCK : SIG_HOW.UNBLOCK;
      return {
        job: (linux) => linux.sigprocmask(how, signalSet(SIG.USR1)),
        says: () => model.block(by, what.blocked),
      };
    }
    case 'wait4': {
      const pid = what.pick === 0 ? -1 : what.pick === 1 ? 0 : target;
      return {
        job: function* (linux) {
          const { pid: found, status } = yield* linux.wait(pid, what.options | WAIT.NOHANG);
          return [found, status];
        },
        says: () => [...model.wait(by, pid, what.options)],
      };
    }
    case 'waitid':
      return {
        job: function* (linux) {
          const type = what.pick === 0 ? IDTYPE.P_ALL : IDTYPE.P_PID;
          const options = what.options | WAIT.NOHANG | WAIT.EXITED;
          const result = yield* linux.call(SYS.waitid, type, target, INFO, options, 0);
          return [result, result < 0 ? 0 : linux.load(INFO + 16)];
        },
        says: () => {
          const [pid] = model.wait(by, what.pick === 0 ? -1 : target, what.options);
          return pid < 0 ? [pid, 0] : [0, pid];
        },
      };
    case 'kill': {
      const group = chosen(
        [...new Set(pids.map((pid) => model.processes.get(pid)?.pgid ?? 0))],
        what.pick,
      );
      const own = leads ? target : 0;
      const pid = what.whom === 'process' ? target : what.whom === 'group' ? -group : own;
      return {
        job: (linux) => linux.kill(pid, what.signal),
        says: () => model.kill(by, pid, what.signal),
      };
    }
    case 'setpgid': {
      const groups = [0, ...pids];
      const group = groups[what.group % groups.length] as number;
      const pid = leads || what.pick % 2 === 0 ? target : 0;
      return {
        job: (linux) => linux.call(SYS.setpgid, pid, group),
        says: () => model.setpgid(by, pid, group),
      };
    }
  }
}

/** What there is of every process, and how often it has handled SIGUSR1. */
function* snapshot(linux: LinuxUser, wsl: WslSubsystem, model: TreeModel, puppets: Puppets) {
  const real: unknown[] = [];
  const modelled: unknown[] = [];
  for (const { pid, pgid, sid, handled, zombie, stopped } of model.processes.values()) {
    if (pid === 1) continue;
    const ids = [yield* linux.call(SYS.getpgid, pid), yield* linux.call(SYS.getsid, pid)];
    const linuxProcess = wsl.kernel.state.processes.get(pid);
    const state = [linuxProcess?.zombie, linuxProcess?.stopped];
    real.push([pid, ...ids, ...state, puppets.handled.get(pid) ?? 0]);
    modelled.push([pid, pgid, sid, zombie, stopped, handled]);
  }
  return { real, modelled };
}

/** Ends what is left of the tree. */
function* clear(linux: LinuxUser, model: TreeModel) {
  for (const { pid } of model.processes.values()) if (pid !== 1) yield* linux.kill(pid, SIG.KILL);
  yield* linux.nanosleep(SETTLE_NS);
  for (;;) {
    const { pid } = yield* linux.wait(-1);
    if (pid < 0) return;
  }
}

test('a tree of processes forks, ends, signals, stops, waits and moves between groups as the model says, and leaves nothing', async () => {
  await check('test/property/linux-tree.test.ts', acts, 120, async (plan) => {
    const model = new TreeModel();
    const puppets = new Puppets();
    const said: unknown[] = [];
    const expected: unknown[] = [];
    let subsystem: WslSubsystem | undefined;
    const install = (made: WslSubsystem) => {
      subsystem = made;
      made.install('/puppet', puppets.main);
    };
    const { wsl, machine, result } = await runLinux(function* (linux) {
      yield* puppets.prepare(linux, 1);
      for (const what of plan) {
        const { running } = model;
        const by = running[what.actor % running.length] as ModelProcess;
        const { job, says } = play(what, by, model, puppets);
        const reply = yield* puppets.tell(linux, by.pid, job);
        const answer = says();
        const { real, modelled } = yield* snapshot(
          linux,
          subsystem as WslSubsystem,
          model,
          puppets,
        );
        // Who has been stopped or ended by what it did does not say what that returned.
        said.push([what.kind, by.runs ? reply : undefined, real]);
        expected.push([what.kind, by.runs ? answer : undefined, modelled]);
      }
      yield* clear(linux, model);
    }, install);
    expect(said).toEqual(expected);
    expect(result).toMatchObject({ reason: 'idle', waiting: [] });
    expect(wsl.counts).toEqual({ threads: 0, processes: 0, futexes: 0 });
    expect([...machine.allProcesses()].length).toBe(1);
    expect([...machine.allThreads()].filter(({ process }) => process.index !== 1)).toEqual([]);
  });
});
