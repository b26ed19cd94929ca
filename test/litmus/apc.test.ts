import { describe, expect, test } from 'vitest';
import { KAPC_ENVIRONMENT, MODE } from '../../assembly/shared/types';
import {
  KeAlertThread,
  KeInitializeApc,
  KeInsertQueueApc,
  KeResumeThread,
  KeSuspendThread,
  KeTestAlertThread,
} from '../../src/ke/apc';
import { KeStallExecutionProcessor } from '../../src/ke/ddi';
import { KeEnterCriticalRegion, KeLeaveCriticalRegion } from '../../src/ke/irql';
import { EResource } from '../../src/ex/eresource';
import { ExAcquireResourceExclusiveLite, ExReleaseResourceLite } from '../../src/ex/resource';
import { outcomes, type Stage, type Step } from './harness';
import { enter, leave, resource } from './room';
import { pulse, set, silent, states, wait } from './steps';

const oneEvent = ({ machine }: Stage) => ({ event: machine.createEvent('synchronization') });

/** An event, and a normal kernel-mode APC for thread W whose routine takes `microseconds`. */
const withApc =
  (microseconds: number) =>
  ({ machine, thread }: Stage) => {
    const event = machine.createEvent('synchronization');
    const calls = { signalState: 0 };
    const routine = function* () {
      calls.signalState++;
      yield* KeStallExecutionProcessor(microseconds);
    };
    const queue: Step = () => {
      const environment = KAPC_ENVIRONMENT.OriginalApcEnvironment;
      const mode = MODE.KernelMode;
      const apc = KeInitializeApc(thread('W'), environment, null, null, routine, mode, 0);
      return KeInsertQueueApc(apc, null, null, 0);
    };
    return { event, calls, queue };
  };

const shown = ({ event, calls }: ReturnType<ReturnType<typeof withApc>>) =>
  states({ event, calls });

describe('a kernel-mode APC', () => {
  test('runs once, and a wait that it interrupts goes on to its signal', async () => {
    const found = await outcomes({
      objects: withApc(1),
      threads: ({ event, queue }) => ({ W: [wait(event)], B: [queue], C: [set(event)] }),
      state: shown,
    });
    expect(found).toEqual([
      'W SUCCESS | B false | C | event 0 calls 0',
      'W SUCCESS | B true | C | event 0 calls 1',
    ]);
  });

  test('that runs when KePulseEvent comes lets the wait miss it', async () => {
    const found = await outcomes({
      objects: withApc(1500),
      threads: ({ event, queue }) => ({ W: [wait(event)], B: [queue], C: [pulse(event)] }),
      state: shown,
      without: ['one processor'],
    });
    expect(found).toEqual([
      'W SUCCESS | B false | C | event 0 calls 0',
      'W SUCCESS | B true | C | event 0 calls 1',
      'W … | B true | C | event 0 calls 1',
    ]);
  });

  test('does not let a wait sleep past its timeout, nor lose the signal', async () => {
    const found = await outcomes({
      objects: withApc(1),
      threads: ({ event, queue }, { until }) => ({
        W: [wait(event, () => until('timeout'))],
        B: [queue],
        C: [set(event)],
      }),
      moments: ['timeout'],
      state: shown,
    });
    expect(found).toEqual([
      'W SUCCESS | B false | C | event 0 calls 0',
      'W SUCCESS | B true | C | event 0 calls 1',
      'W TIMEOUT | B false | C | event 1 calls 0',
      'W TIMEOUT | B true | C | event 1 calls 1',
    ]);
  });

  test('waits until its thread leaves a critical region', async () => {
    const found = await outcomes({
      objects: withApc(1),
      threads: ({ event, calls, queue }) => ({
        W: [
          function* () {
            KeEnterCriticalRegion();
            const before = calls.signalState;
            yield* wait(event)();
            const inside = calls.signalState - before;
            yield* KeLeaveCriticalRegion();
            return inside;
          },
        ],
        B: [queue],
        C: [set(event)],
      }),
      state: shown,
    });
    expect(found).toEqual([
      'W 0 | B false | C | event 0 calls 0',
      'W 0 | B true | C | event 0 calls 1',
    ]);
  });
});

/** A special kernel-mode APC for thread W, whose routine takes another resource. */
function interrupting({ machine, thread }: Stage) {
  const base = resource();
  const inner = new EResource().initialize();
  const calls = { count: 0 };
  const queue: Step = () => {
    const apc = machine.createApc(thread('W'), {
      *kernelRoutine() {
        calls.count++;
        yield* ExAcquireResourceExclusiveLite(inner, true);
        yield* ExReleaseResourceLite(inner);
      },
    });
    return KeInsertQueueApc(apc, null, null, 0);
  };
  const inside = enter(base.room, false, () => ExAcquireResourceExclusiveLite(inner, true));
  const outside = leave(base.room, () => ExReleaseResourceLite(inner));
  return { ...base, calls, queue, inside, outside };
}

test('an APC that waits for a lock in a wait for another loses neither', async () => {
  const found = await outcomes({
    objects: interrupting,
    threads: ({ exclusive, release, queue, inside, outside }) => ({
      A: [exclusive, release],
      W: [exclusive, release],
      B: [queue],
      C: [inside, outside],
    }),
    state: ({ calls }) => `calls ${calls.count}`,
    without: ['one processor'],
  });
  expect(found).toEqual([
    'A in | W in | B false | C in | calls 0',
    'A in | W in | B true | C in | calls 1',
  ]);
});

describe('KeAlertThread', () => {
  test('ends an alertable wait or is kept for the next; a signal is not lost with it', async () => {
    const found = await outcomes({
      objects: oneEvent,
      threads: ({ event }, { thread }) => ({
        W: [wait(event, null, { alertable: true }), () => KeTestAlertThread(MODE.KernelMode)],
        B: [silent(() => KeAlertThread(thread('W'), MODE.KernelMode))],
        C: [set(event)],
      }),
      state: states,
    });
    expect(found).toEqual([
      'W ALERTED false | B | C | event 1',
      'W SUCCESS false | B | C | event 0',
      'W SUCCESS true | B | C | event 0',
    ]);
  });
});

describe('KeSuspendThread', () => {
  test('and KeResumeThread leave the thread and its signal as they were, in whatever order', async () => {
    const found = await outcomes({
      objects: oneEvent,
      threads: ({ event }, { thread }) => ({
        W: [wait(event)],
        B: [() => KeSuspendThread(thread('W')), () => KeResumeThread(thread('W'))],
        C: [set(event)],
      }),
      state: states,
    });
    expect(found).toEqual(['W SUCCESS | B 0 0 | C | event 0', 'W SUCCESS | B 0 1 | C | event 0']);
  });

  test('of a thread that waits leaves either its timeout or its signal', async () => {
    const found = await outcomes({
      objects: oneEvent,
      threads: ({ event }, { thread, until }) => ({
        W: [wait(event, () => until('timeout'))],
        B: [() => KeSuspendThread(thread('W')), () => KeResumeThread(thread('W'))],
        C: [set(event)],
      }),
      moments: ['timeout'],
      state: states,
    });
    expect(found).toEqual([
      'W SUCCESS | B 0 0 | C | event 0',
      'W SUCCESS | B 0 1 | C | event 0',
      'W TIMEOUT | B 0 0 | C | event 1',
      'W TIMEOUT | B 0 1 | C | event 1',
    ]);
  });

  test('nests: the thread goes on after as many resumptions', async () => {
    const found = await outcomes({
      objects: oneEvent,
      threads: ({ event }, { thread }) => ({
        W: [set(event)],
        B: [() => KeSuspendThread(thread('W')), () => KeResumeThread(thread('W'))],
        C: [() => KeSuspendThread(thread('W')), () => KeResumeThread(thread('W'))],
      }),
      state: states,
    });
    expect(found).toEqual([
      'W | B 0 0 | C 0 0 | event 1',
      'W | B 0 0 | C 0 1 | event 1',
      'W | B 0 1 | C 0 0 | event 1',
      'W | B 0 1 | C 0 1 | event 1',
      'W | B 0 1 | C 1 0 | event 1',
      'W | B 0 1 | C 1 2 | event 1',
      'W | B 0 2 | C 1 1 | event 1',
      'W | B 1 0 | C 0 1 | event 1',
      'W | B 1 1 | C 0 2 | event 1',
      'W | B 1 2 | C 0 1 | event 1',
    ]);
  });

  test('of a thread that waits lets it miss KePulseEvent', async () => {
    const found = await outcomes({
      objects: oneEvent,
      threads: ({ event }, { thread }) => ({
        W: [wait(event)],
        B: [silent(() => KeSuspendThread(thread('W'))), silent(() => KeResumeThread(thread('W')))],
        C: [pulse(event)],
      }),
      state: states,
    });
    expect(found).toEqual(['W SUCCESS | B | C | event 0', 'W … | B | C | event 0']);
  });
});
