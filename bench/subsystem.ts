import { CLONE, CONDITION, Machine, program, SYS, WslSubsystem } from 'ntps';
import { makeRelease } from './pairs.js';
import { bestInTurn } from './rounds.js';
import { figure, type Row } from './row.js';

/** Threads of Linux: system calls through the provider, futexes, processes that begin and end. */

const ROUNDS = 15;
const STEPS = 100_000;
/** The first of the words that programs share, in the memory of every process. */
const WORD = 0x6000_0000;
const FUTEX_WAIT = 0;
const FUTEX_WAKE = 1;

/** Counts what is done by the end of a call; a program's system calls by themselves. */
const COUNTED = 1;

class Linux {
  count = 0;

  private constructor(private readonly machine: Machine) {}

  static async create(start: (wsl: WslSubsystem, linux: Linux) => void): Promise<Linux> {
    const machine = await Machine.create({ livelockSteps: 0, core: makeRelease });
    const linux = new Linux(machine);
    const wsl = new WslSubsystem(machine);
    start(wsl, linux);
    wsl.spawn('/init');
    machine.run({ maxEvents: STEPS });
    return linux;
  }

  /** Runs a number of steps; ms each thing that is counted. */
  run(): number {
    const before = this.count;
    const start = performance.now();
    const { reason } = this.machine.run({ maxEvents: STEPS });
    const elapsed = performance.now() - start;
    if (reason !== 'events') throw new Error(`the threads of Linux stopped: ${reason}`);
    return elapsed / (this.count - before);
  }
}

/** getpid by a program, for ever. */
function systemCalls(wsl: WslSubsystem, linux: Linux): void {
  const { machine } = wsl;
  machine.onHostCall(COUNTED, () => {
    linux.count += 1000;
    return 0;
  });
  const body = program('/init', (p) =>
    p.forever(() => p.loop(1000, () => p.systemCall(SYS.getpid)).hostCall(COUNTED)),
  );
  wsl.install('/init', machine.loadProgram(body));
}

/** Two threads of a program that wait for each other at a futex, in a word that programs share. */
function futexPairs(wsl: WslSubsystem, linux: Linux): void {
  const { machine } = wsl;
  machine.onHostCall(COUNTED, () => {
    linux.count += 2;
    return 0;
  });
  const body = program('/init', (p) => {
    const rdi = p.register();
    const rsi = p.register();
    const rdx = p.register();
    const r10 = p.register();
    const futex = (operation: number, value: number) =>
      p.load(rdi, WORD).load(rsi, operation).load(rdx, value).load(r10, 0).systemCall(SYS.futex);
    const pass = (added: number) => {
      p.interlockedAdd(rdx, 0, added);
      futex(FUTEX_WAKE, 1);
    };
    const waitWhile = (value: number) => {
      const again = p.label();
      const done = p.label();
      p.place(again).interlockedAdd(rdx, 0, 0);
      p.branchRegister(CONDITION.NotEqual, rdx, value, done);
      futex(FUTEX_WAIT, value);
      p.jump(again).place(done);
    };
    p.load(rdi, CLONE.VM | CLONE.SIGHAND | CLONE.THREAD).systemCall(SYS.clone);
    p.ifStatus(0, () =>
      p.forever(() => {
        waitWhile(0);
        pass(-1);
      }),
    );
    p.forever(() => {
      pass(1);
      waitWhile(1);
      p.hostCall(COUNTED);
    });
  });
  wsl.install('/init', machine.loadProgram(body));
}

/** A program that forks, and waits for its child, which ends. */
function forkExit(wsl: WslSubsystem, linux: Linux): void {
  const { machine } = wsl;
  machine.onHostCall(COUNTED, () => {
    linux.count++;
    return 0;
  });
  const body = program('/init', (p) => {
    const pid = p.register();
    p.load(pid, -1);
    p.forever(() => {
      p.systemCall(SYS.fork);
      p.ifStatus(0, () => p.load(pid, 0).systemCall(SYS.exit_group));
      p.systemCall(SYS.wait4).hostCall(COUNTED);
    });
  });
  wsl.install('/init', machine.loadProgram(body));
}

export async function linuxSubsystem(): Promise<readonly Row[]> {
  const calls = await Linux.create(systemCalls);
  const futexes = await Linux.create(futexPairs);
  const forks = await Linux.create(forkExit);
  const best = await bestInTurn(ROUNDS, {
    calls: () => calls.run(),
    futexes: () => futexes.run(),
    forks: () => forks.run(),
  });
  const row = (measured: string, ms: number, least: number): Row => ({
    workload: 'subsystem',
    measured: `${measured}: ${figure(ms * 1e6)} ns each`,
    baseline: 'a second of this host',
    ratio: `${figure(1000 / ms)} /s`,
    goal: `≥ ${figure(least)}/s`,
    met: 1000 / ms >= least,
  });
  return [
    row('system calls of a program of Linux', best.calls, 1_000_000),
    row('a wake and a wait at a futex', best.futexes, 300_000),
    row('fork, exit and wait4', best.forks, 100_000),
  ];
}
