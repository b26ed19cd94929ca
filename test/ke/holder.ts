import { KWAIT_REASON, MODE } from '../../assembly/shared/types';
import { KeWaitForSingleObject } from '../../src/ke/ddi';
import { KeLowerIrql, KeRaiseIrql } from '../../src/ke/irql';
import type { NtCall, Request } from '../../src/machine/guest';
import type { Machine } from '../../src/machine/machine';
import type { KThread } from '../../src/machine/views';

/** How a thread that holds something acquires and releases it, and at which level it does so. */
export interface Holding {
  /** FALSE: it did not get it, and releases nothing. */
  readonly acquire: () => NtCall<unknown>;
  readonly release: () => NtCall<unknown>;
  readonly irql?: number;
  readonly enter?: () => void;
  readonly leave?: () => NtCall<unknown>;
  readonly increment?: number;
}

/** A thread that acquires, says so, waits until it is let go, and releases. */
export interface Holder {
  readonly thread: KThread;
  /** What its acquisition returned; undefined before that. */
  result(): unknown;
  /** Lets it release what it has, and end. */
  finish(): void;
  /** Waits for its end. */
  join(): NtCall<number>;
  /** Waits until it has acquired. */
  acquired(timeout100ns: number | null): NtCall<number>;
}

const wait = (object: Parameters<typeof KeWaitForSingleObject>[0], timeout: number | null) =>
  KeWaitForSingleObject(object, KWAIT_REASON.Executive, MODE.KernelMode, false, timeout);

/** A holder that has not started. */
export function holder(machine: Machine, name: string, holding: Holding): Holder {
  const { acquire, release, irql = 0, enter, leave, increment = 0 } = holding;
  const out = machine.createEvent('synchronization');
  const go = machine.createEvent('synchronization');
  let result: unknown;
  const thread = machine.systemProcess.createThread(
    function* () {
      if (irql !== 0) KeRaiseIrql(irql);
      enter?.();
      result = yield* acquire();
      out.set();
      yield* wait(go, null);
      if (result !== false) yield* release();
      if (leave !== undefined) yield* leave();
      if (irql !== 0) yield* KeLowerIrql(0);
    },
    { name, start: false, increment },
  );
  return {
    thread,
    result: () => result,
    finish: () => void go.set(),
    join: () => wait(thread, null),
    acquired: (timeout100ns) => wait(out, timeout100ns),
  };
}

/** Starts it if need be, and waits until it has acquired, or for as long as is given. */
export function* startHolder(
  { thread, acquired }: Holder,
  timeout100ns: number | null = null,
): Generator<Request, number, number> {
  if (thread.state === 0) thread.start();
  return yield* acquired(timeout100ns);
}
