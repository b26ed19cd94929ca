import { Machine, PORT_CONTEXT, PORT_STOP, PortGuests, portState } from 'ntps';
import * as port from 'ntps/port.js';
import {
  computeGuest,
  GUEST_CALL,
  GUEST_INSTRUCTIONS,
  GUEST_WINDOW,
  guestState,
  stir,
} from './guest.js';
import { bestInTurn } from './rounds.js';
import { figure, type Row, times } from './row.js';

/** The reference port: instructions a second, by itself and as the threads of a machine. */

const ROUNDS = 10;
const CALLS = 100;
const PROCESSORS = 4;

/** Runs the guest by itself; ms an instruction. */
async function interpreter(): Promise<() => number> {
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 1 });
  const guestBase = PORT_CONTEXT.Size;
  const core = await port.openPort({ memory, guestBase, guestBytes: GUEST_WINDOW });
  const words = new Uint32Array(memory.buffer);
  new Uint8Array(memory.buffer).set(computeGuest.bytes, guestBase + computeGuest.origin);
  words.set(portState(guestState(0, 0)), PORT_CONTEXT.Own / 4);
  return () => {
    const start = performance.now();
    for (let calls = 0; calls < CALLS; ) {
      core.run(0, 1_000_000, 1);
      if (words[PORT_CONTEXT.Reason / 4] === PORT_STOP.SystemCall) calls++;
    }
    return (performance.now() - start) / (CALLS * GUEST_INSTRUCTIONS);
  };
}

/** Runs one guest a processor as threads; ms an instruction. */
async function threads(): Promise<() => number> {
  const machine = await Machine.create({ processors: PROCESSORS, livelockSteps: 0 });
  const guests = await PortGuests.open(port, { guestBytes: PROCESSORS * GUEST_WINDOW });
  let calls = 0;
  machine.onSystemCall(GUEST_CALL, () => {
    calls++;
    if (calls === CALLS) machine.stop();
    return undefined;
  });
  const process = machine.createProcess();
  for (let index = 0; index < PROCESSORS; index++) {
    guests.load(computeGuest, index * GUEST_WINDOW);
    process.createThread(guests.create(portState(guestState(index, 0))));
  }
  return () => {
    calls = 0;
    const start = performance.now();
    machine.run();
    return (performance.now() - start) / (CALLS * GUEST_INSTRUCTIONS);
  };
}

const rate = (ms: number) => `${figure(1e-3 / ms)} M instructions/s`;

export async function referencePort(): Promise<readonly Row[]> {
  const table = new Uint32Array(256);
  const best = await bestInTurn(ROUNDS, {
    alone: await interpreter(),
    machine: await threads(),
    javaScript: () => {
      const start = performance.now();
      stir(table, CALLS);
      return (performance.now() - start) / (CALLS * GUEST_INSTRUCTIONS);
    },
  });
  return [
    {
      workload: 'port',
      measured: `the reference port by itself: ${rate(best.alone)}`,
      baseline: `the same in JavaScript: ${rate(best.javaScript)}`,
      ratio: times(best.javaScript / best.alone),
    },
    {
      workload: 'port',
      measured: `threads of it on ${PROCESSORS} processors, a system call every 50 us, no workers: ${rate(best.machine)}`,
      baseline: `by itself: ${rate(best.alone)}`,
      ratio: times(best.alone / best.machine),
    },
  ];
}
