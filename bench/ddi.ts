import {
  KeReadStateEvent,
  KeSetEvent,
  KeWaitForSingleObject,
  KWAIT_REASON,
  Machine,
  MODE,
} from 'ntps';
import { makeRelease } from './pairs.js';
import { bestInTurn } from './rounds.js';
import { figure, type Row } from './row.js';

/** The routines that a host thread calls: KeSetEvent, KeReadStateEvent, KeWaitForSingleObject in turn. */

const ROUNDS = 20;
const STEPS = 200_000;
/** Calls of a turn, and those of them that are steps of the core. */
const CALLS = 3;
const CALL_STEPS = 2;

async function newHost(): Promise<() => number> {
  const machine = await Machine.create({ livelockSteps: 0, core: makeRelease });
  const event = machine.createEvent('synchronization');
  machine.systemProcess.createThread(function* () {
    for (;;) {
      yield* KeSetEvent(event, 0, false);
      if (KeReadStateEvent(event) !== 1) throw new Error('the event is not set');
      yield* KeWaitForSingleObject(event, KWAIT_REASON.Executive, MODE.KernelMode, false, null);
    }
  });
  return () => {
    const start = performance.now();
    const { reason } = machine.run({ maxEvents: STEPS });
    const elapsed = performance.now() - start;
    if (reason !== 'events') throw new Error(`the host thread stopped: ${reason}`);
    return (elapsed * CALL_STEPS) / (STEPS * CALLS);
  };
}

export async function hostCalls(): Promise<readonly Row[]> {
  const { call } = await bestInTurn(ROUNDS, { call: await newHost() });
  const rate = 1e-3 / call;
  return [
    {
      workload: 'ddi',
      measured: `KeSetEvent, KeReadStateEvent, KeWaitForSingleObject of a host thread: ${figure(call * 1e6)} ns a call`,
      baseline: 'a second of this host',
      ratio: `${figure(rate)} M calls/s`,
      goal: '≥ 1 M/s',
      met: rate >= 1,
    },
  ];
}
