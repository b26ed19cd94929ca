import { KTHREAD_STATE } from '../../assembly/shared/types';
import type { Machine } from '../machine/machine';
import { remainingThreads, type RunResult } from '../machine/result';
import type { KThread } from '../machine/views';
import type { WatchedCall } from '../machine/watch';

/** Drivers that are not loaded, and routines that have not returned when a run has ended. */

/** A routine that was called and has not returned. */
export interface UnderWay {
  readonly call: WatchedCall;
  /** The thread that it runs in, or that it has interrupted. */
  readonly thread: KThread;
  /** When it was called, ns. */
  readonly calledNs: number;
  /** A callback: the processor time that it has had, ns, and that it may have; a finding has told that it waits. */
  readonly callback?: { readonly ranNs: number; readonly budgetNs: number; readonly told: boolean };
}

/** Virtual time after which a callback has not just been called, ns. */
const LONG_NS = 100_000_000;

/** Routines that a driver is done with before anything else is asked of it. */
const ENTRIES = ['DriverEntry', 'DriverUnload'];

/** Whether a thread waits for nothing but a processor. */
function executes({ state }: KThread): boolean {
  return state !== KTHREAD_STATE.Waiting && state !== KTHREAD_STATE.Terminated;
}

/** Whether it is a fault that a routine has not returned. */
function isLate(machine: Machine, result: RunResult, routine: UnderWay): boolean {
  const { call, thread, calledNs, callback } = routine;
  if (ENTRIES.includes(call.sort)) return true;
  const cut = result.reason === 'events' || result.reason === 'livelock';
  if (cut && executes(thread)) return true;
  if (callback === undefined || callback.told) return false;
  const elapsedNs = machine.now - calledNs;
  return result.reason === 'idle' || callback.ranNs > callback.budgetNs || elapsedNs > LONG_NS;
}

/** What is wrong, in words. */
function wordsOf(machine: Machine, result: RunResult, { thread, calledNs }: UnderWay): string {
  const left = remainingThreads(machine).find(({ index }) => index === thread.index);
  const does = left?.waitsFor === undefined ? 'runs' : `waits for ${left.waitsFor}`;
  const us = (machine.now - calledNs) / 1000;
  if (result.reason === 'events' && executes(thread))
    return `has not returned: the run ended after ${machine.steps} steps inside it, ${us} us after its call`;
  return `has not returned at the end of the run, ${us} us after its call, and ${does}`;
}

/** What is wrong with what DriverEntry returned; undefined: nothing. */
export function wrongEntry(
  status: number,
  expected: number | 'any' | undefined,
): string | undefined {
  const hex = (word: number) => `0x${word.toString(16)}`;
  if (expected === 'any') return undefined;
  if (expected === undefined) return (status | 0) < 0 ? `returns ${hex(status)}` : undefined;
  return status === expected ? undefined : `returns ${hex(status)}; ${hex(expected)} was expected`;
}

export interface Unfinished extends UnderWay {
  readonly rule: string;
  readonly what: string;
}

/** Those of the routines under way that are late: callbacks, or else others. Of a bugcheck or deadlock nothing is said: others do that. */
export function unfinished(
  machine: Machine,
  result: RunResult,
  underWay: Iterable<UnderWay>,
): Unfinished[] {
  if (result.reason === 'bugcheck' || result.reason === 'deadlock') return [];
  const late = [...underWay].filter((each) => each.thread.exists && isLate(machine, result, each));
  // Who unloads a driver waits for the calls of its callbacks.
  const callbacks = late.filter(({ callback }) => callback !== undefined);
  return (callbacks.length > 0 ? callbacks : late).map((each) => ({
    ...each,
    rule: each.callback === undefined ? 'DR-02' : 'CB-01',
    what: wordsOf(machine, result, each),
  }));
}
