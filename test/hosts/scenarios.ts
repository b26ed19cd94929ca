/**
 * Runs whose histories must be the same on every build and host. This file is also loaded as it is
 * into browsers, so it imports nothing at run time: whoever runs it hands over the library.
 */
import type { CoreSource, Machine, MachineOptions } from '../../src/index';

export type Ntps = typeof import('../../src/index');

interface Host {
  readonly ntps: Ntps;
  readonly core: CoreSource | undefined;
  /** The first lines of the shipped recording. */
  readonly recording: Uint8Array;
}

const MS = 1_000_000;

const machineOf = ({ ntps, core }: Host, options: MachineOptions): Promise<Machine> =>
  ntps.Machine.create({ ...options, ...(core === undefined ? {} : { core }) });

async function pingPong(host: Host): Promise<Machine> {
  const machine = await machineOf(host, { processors: 3, seed: 7 });
  const process = machine.createProcess();
  for (let pair = 0; pair < 10; pair++) {
    const a = machine.createEvent('synchronization');
    const b = machine.createEvent('synchronization');
    const ping = host.ntps.program('ping', (p) =>
      p.loop(50, () =>
        p
          .compute({ exponential: 20_000 })
          .setEvent(b)
          .wait(a, { timeoutNs: 40 * MS }),
      ),
    );
    const pong = host.ntps.program('pong', (p) =>
      p.loop(50, () =>
        p
          .wait(b, { timeoutNs: 30 * MS })
          .compute({ uniform: [1, 90_000] })
          .setEvent(a),
      ),
    );
    process.createThread(machine.loadProgram(ping));
    process.createThread(machine.loadProgram(pong));
  }
  machine.run({ until: 20_000 * MS });
  return machine;
}

async function semaphores(host: Host): Promise<Machine> {
  const { ntps } = host;
  const machine = await machineOf(host, { processors: 2, profile: 'server', seed: 11 });
  const items = machine.createSemaphore(0, 5);
  const room = machine.createSemaphore(3);
  const producer = ntps.program('producer', (p) =>
    p.loop(200, () => {
      p.wait(room, { timeoutNs: 100 * MS });
      p.compute({ uniform: [1000, 400_000] }).releaseSemaphore(items, 2, 3);
      p.ifStatus(ntps.STATUS.SEMAPHORE_LIMIT_EXCEEDED, () => p.mark(1).yield());
    }),
  );
  const consumer = ntps.program('consumer', (p) =>
    p.loop(150, () => p.wait(items).compute({ exponential: 300_000 }).releaseSemaphore(room)),
  );
  const process = machine.createProcess();
  for (const body of [producer, consumer, consumer]) {
    process.createThread(machine.loadProgram(body));
  }
  machine.run({ until: 60_000 * MS });
  return machine;
}

async function delays(host: Host): Promise<Machine> {
  const { ntps } = host;
  const machine = await machineOf(host, { processors: 2, seed: 3 });
  const never = machine.createEvent('notification');
  const process = machine.createProcess();
  for (let ms = 1; ms <= 40; ms += 3) {
    const body = ntps.program('sleeper', (p) =>
      p.register((last) =>
        p.loop(30, () =>
          p
            .delayPeriod(last, ms * MS)
            .compute({ uniform: [1, 2 * MS] })
            .delay(ms * 333_333)
            .wait(never, { timeoutNs: ms * 77_777 }),
        ),
      ),
    );
    process.createThread(machine.loadProgram(body), { increment: (ms % 5) - 2 });
  }
  machine.run();
  return machine;
}

async function randomCompute(host: Host): Promise<Machine> {
  const machine = await machineOf(host, { processors: 4, profile: 'server', seed: 2 ** 40 + 5 });
  const { PRIORITY_CLASS } = host.ntps;
  const body = host.ntps.program('random', (p) =>
    p.loop(25, () =>
      p
        .compute({ exponential: 12 * MS })
        .yield()
        .compute({ uniform: [1, 30 * MS] }),
    ),
  );
  for (const priorityClass of [PRIORITY_CLASS.Idle, PRIORITY_CLASS.Normal, PRIORITY_CLASS.High]) {
    const process = machine.createProcess({ priorityClass });
    const loaded = machine.loadProgram(body);
    for (let increment = -2; increment <= 2; increment++) {
      process.createThread(loaded, { increment });
    }
  }
  machine.run();
  return machine;
}

async function affinity(host: Host): Promise<Machine> {
  const { ntps } = host;
  const machine = await machineOf(host, { processors: 70, groupSize: 35, nodes: 4, seed: 5 });
  for (let number = 0; number < 4; number++) {
    const process = machine.createProcess();
    for (let bit = 0n; bit < 34n; bit += 2n) {
      const walker = ntps.program('walker', (p) =>
        p.loop(8, () =>
          p
            .compute({ uniform: [1, 9 * MS] })
            .setAffinity(1n << ((bit * 7n) % 35n))
            .compute({ exponential: 5 * MS })
            .setAffinity((1n << 34n) | (1n << bit))
            .delay(3 * MS)
            .setAffinity((1n << 35n) - 1n),
        ),
      );
      process.createThread(machine.loadProgram(walker), { affinity: 3n << bit });
    }
  }
  machine.run();
  return machine;
}

async function boosts(host: Host): Promise<Machine> {
  const { ntps } = host;
  const machine = await machineOf(host, { processors: 1, seed: 17 });
  const event = machine.createEvent('synchronization');
  const foreground = machine.createProcess({ foreground: true });
  const starved = machine.createProcess({ priorityClass: ntps.PRIORITY_CLASS.Idle });
  const waiter = ntps.program('waiter', (p) =>
    p.loop(60, () => p.wait(event).compute({ uniform: [MS, 60 * MS] })),
  );
  const signaler = ntps.program('signaler', (p) =>
    p.loop(60, () =>
      p
        .compute({ exponential: 45 * MS })
        .setEvent(event, 2)
        .setBasePriority(1)
        .delay(20 * MS)
        .setBasePriority(-1),
    ),
  );
  foreground.createThread(machine.loadProgram(waiter));
  foreground.createThread(machine.loadProgram(signaler));
  starved.createThread(machine.loadProgram(ntps.program('idler', (p) => p.compute(2000 * MS))));
  const hog = ntps.program('hog', (p) => p.setPriority(12).compute(9000 * MS));
  machine.createProcess().createThread(machine.loadProgram(hog));
  machine.run({ until: 30_000 * MS });
  return machine;
}

async function guests(host: Host): Promise<Machine> {
  const { ntps } = host;
  const machine = await machineOf(host, { processors: 2, seed: 23 });
  const event = machine.createEvent('synchronization');
  const gate = machine.createSemaphore(0);
  const process = machine.createProcess();
  process.createThread(function* () {
    for (let round = 0; round < 20; round++) {
      yield* ntps.KeStallExecutionProcessor(100 + round);
      yield* ntps.KeSetEvent(event, 1, false);
      yield* ntps.KeDelayExecutionThread(ntps.MODE.KernelMode, false, -150_000);
    }
  });
  let leftNs = 75 * MS;
  process.createThread({
    run: (_thread, budgetNs) => {
      const usedNs = Math.min(budgetNs, leftNs, 400_000);
      leftNs -= usedNs;
      return { usedNs, reason: leftNs === 0 ? 'halt' : 'budget' };
    },
  });
  machine.onHostCall(5, (thread, argument) => thread.index + argument);
  const caller = ntps.program('caller', (p) =>
    p.loop(15, () =>
      p
        .wait(event)
        .hostCall(5, 40)
        .systemCall(9)
        .wait(gate, { timeoutNs: 9 * MS }),
    ),
  );
  process.createThread(machine.loadProgram(caller));
  for (let time = 1; time < 30; time++) {
    machine.scheduleInterrupt(time * 7 * MS, time % 2, gate, 2);
  }
  machine.run({ until: 2000 * MS });
  return machine;
}

async function replay(host: Host, policy: 'nt' | 'rr'): Promise<Machine> {
  const machines: Machine[] = [];
  async function* text(): AsyncGenerator<Uint8Array> {
    yield host.recording;
  }
  await host.ntps.replayRecording(text(), {
    name: 'recording',
    processors: 2,
    policies: [policy],
    liveThreads: 512,
    onStart: (replays) => machines.push(...replays.map(({ machine }) => machine)),
    ...(host.core === undefined ? {} : { core: host.core }),
  });
  return machines[0] as Machine;
}

const SCENARIOS: Readonly<Record<string, (host: Host) => Promise<Machine>>> = {
  'ping-pong': pingPong,
  semaphores,
  delays,
  'random compute': randomCompute,
  affinity,
  boosts,
  guests,
  'replay, nt': (host) => replay(host, 'nt'),
  'replay, rr': (host) => replay(host, 'rr'),
};

/** One line for each scenario: its name, digest, number of records and end in virtual time. */
export async function histories(
  ntps: Ntps,
  core: CoreSource | undefined,
  recording: Uint8Array,
): Promise<string> {
  const lines: string[] = [];
  for (const [name, run] of Object.entries(SCENARIOS)) {
    const machine = await run({ ntps, core, recording });
    lines.push(`${name}: ${machine.digest}, ${machine.trace.written} records, ${machine.now} ns\n`);
  }
  return lines.join('');
}
