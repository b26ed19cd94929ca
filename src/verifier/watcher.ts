import { KTHREAD } from '../../assembly/shared/layout';
import { OP, WAIT_FIELD } from '../../assembly/shared/opcode';
import { STATUS } from '../../assembly/shared/status';
import { KWAIT_REASON } from '../../assembly/shared/types';
import { DriverUnloadError } from '../machine/driver';
import type { Request } from '../machine/generator';
import { currentGuest, nameOfRoutine } from '../machine/guest';
import { qualifiedName } from '../machine/kernel-stack';
import type { Lock } from '../machine/lock';
import type { Machine } from '../machine/machine';
import { decodeRecord } from '../machine/records';
import type { RunResult } from '../machine/result';
import type { KThread } from '../machine/views';
import type { WatchedCall, Watcher } from '../machine/watch';
import { type Finding, Findings } from './finding';
import { watchGiven } from './given';
import { locate, markPlace, type SourceLocation } from './location';
import { LockOrder } from './lock-order';
import { ruleOf } from './rules';

/** Sees what drivers do in their callbacks, and makes findings of what is against a rule. */

export interface WatchOptions {
  /** Ids of the rules to look for. */
  readonly rules: ReadonlySet<string>;
  /** Names of the drivers that are looked at; undefined: every one. */
  readonly drivers?: ReadonlySet<string>;
  /** Processor time that a callback may take, ns. */
  readonly budgetNs: number;
}

/** A callback that runs. */
interface Frame {
  readonly call: WatchedCall;
  /** The thread's processor time at its beginning, ns. */
  readonly began: number;
  readonly irql: number;
  readonly apcs: number;
  readonly locks: ReadonlySet<Lock>;
  readonly impersonation: object | undefined;
  readonly terminating: boolean;
  readonly given: readonly unknown[];
  readonly close: () => void;
  /** It has queued a work item, has waited. */
  queued: boolean;
  waited: boolean;
  /** It has called a routine that terminates. */
  terminates: boolean;
  /** Where it called a routine last. */
  place: Error | undefined;
  /** A field that it has read and that was NULL. */
  readNull: string | undefined;
}

const LOAD_IMAGE = 'load-image-notify routine';
const PROCESS = 'process-notify routine';
const PRE = 'pre-operation callback';

const REMOVES = /^(PsSet|PsRemove|ObUnRegister)/;
const REGISTRY =
  /^(Nt|Zw)(Open|Create|Delete|Enumerate|Query|Set|DeleteValue|EnumerateValue|QueryValue|SetValue)Key$/;
const TALKS =
  /^(Nt|Zw|Io)(SetIoCompletion|RemoveIoCompletion(Ex)?|WaitForKeyedEvent|ReleaseKeyedEvent|SignalAndWaitForSingleObject|AlertThreadByThreadId|WaitForAlertByThreadId)$/;
const QUEUES = /^(ExQueueWorkItem|IoQueueWorkItem(Ex)?|IoTryQueueWorkItem)$/;
const NEEDS_INTEGRITY = /^(PsSetCreateProcessNotifyRoutineEx2?|ObRegisterCallbacks)$/;
const TERMINATES = /^(Nt|Zw)Terminate(Process|Thread|JobObject)$/;
const ATTACHES = /^(KeStackAttachProcess|KeAttachProcess)$/;

/** The timeout of a request that waits, as two words; undefined: it does not wait. */
function timeoutOf(request: Request): readonly [number, number] | undefined {
  const [word = 0, first = 0, second = 0, third = 0, fourth = 0] = request;
  switch (word & 0xff) {
    case OP.Wait:
    case OP.RemoveQueue:
      return [third, fourth];
    case OP.WaitMultiple:
      return [second, third];
    case OP.Delay:
    case OP.WaitForAlertById:
      return [first, second];
    case OP.WaitGate:
    case OP.SignalAndWait:
      return [1, 0];
    default:
      return undefined;
  }
}

export class RuleWatcher implements Watcher {
  readonly found = new Findings();
  private readonly frames = new Map<KThread, Frame[]>();
  /** Where threads called a routine last. */
  private readonly places = new Map<KThread, Error>();
  private readonly order: LockOrder;
  /** What the machine stops for is a finding already. */
  private explained = false;

  constructor(
    private readonly machine: Machine,
    private readonly options: WatchOptions,
  ) {
    this.order = new LockOrder(machine, {
      place: (thread) => locate() ?? locate(this.places.get(thread)),
      callback: (thread) => this.frame(thread)?.call.sort,
      found: (rule, thread, what, chain, place) => {
        const call = this.frame(thread)?.call ?? this.codeOf(thread);
        this.report(rule, thread, call, what, chain, place);
      },
    });
  }

  entered(thread: KThread, routine: string): void {
    const place = markPlace();
    this.places.set(thread, place);
    const frame = this.frame(thread);
    if (frame === undefined) return;
    frame.place = place;
    if (QUEUES.test(routine)) frame.queued = true;
    const { stack } = currentGuest(routine);
    const { low, high } = stack.limits;
    if (stack.remaining * 4 < high - low)
      this.report(
        'CB-24',
        thread,
        frame.call,
        `${routine} was called with ${stack.remaining} of ${high - low} bytes of stack left`,
      );
    if (stack.driver !== undefined && stack.driver !== frame.call.driver) return;
    if (REGISTRY.test(routine)) {
      this.report('CB-03', thread, frame.call, `calls ${routine}`);
    } else if (TALKS.test(routine)) {
      frame.waited = true;
      this.report('CB-05', thread, frame.call, `calls ${routine}`);
    } else if (ATTACHES.test(routine) && frame.call.sort === LOAD_IMAGE) {
      this.report('CB-12', thread, frame.call, `calls ${routine}`);
    } else if (routine === 'PsTerminateSystemThread') {
      this.explained = true;
      this.report('CB-30', thread, frame.call, `calls ${routine}`);
    } else if (TERMINATES.test(routine)) frame.terminates = true;
  }

  returned(thread: KThread, routine: string, result: unknown): void {
    if (!NEEDS_INTEGRITY.test(routine)) return;
    const status =
      typeof result === 'object' ? (result as { status?: unknown } | null)?.status : result;
    if (status !== STATUS.ACCESS_DENIED) return;
    this.report('CB-27', thread, this.codeOf(thread), `${routine} returned STATUS_ACCESS_DENIED`);
  }

  calloutBegins(
    thread: KThread,
    call: WatchedCall,
    parameters: readonly unknown[],
  ): readonly unknown[] {
    this.dropAbandoned(thread);
    const frames = this.frames.get(thread) ?? [];
    if (
      frames.some(
        (outer) => outer.call.routine === call.routine && outer.call.driver === call.driver,
      )
    )
      this.report('CB-25', thread, call, 'is called in itself');
    this.order.raising(thread, call.sort);
    const watched = parameters.map((parameter) => this.watchParameter(thread, call, parameter));
    frames.push({
      call,
      began: runTimeNs(thread),
      irql: this.machine.irql(),
      apcs: this.machine.memory.u32(thread.address + KTHREAD.CombinedApcDisable),
      locks: new Set(thread.locks?.held),
      impersonation: thread.impersonation,
      terminating: thread.terminating,
      given: parameters,
      close: () => {
        for (const each of watched) each.close();
      },
      queued: false,
      waited: false,
      terminates: false,
      readNull: undefined,
      place: undefined,
    });
    this.frames.set(thread, frames);
    return watched.map(({ given }) => given);
  }

  /** A callback that ends its own thread never returns. */
  private dropAbandoned(thread: KThread): void {
    const frame = this.frame(thread);
    if (frame === undefined || !frame.terminates || frame.terminating) return;
    if (thread.exists && !thread.terminating) return;
    this.frames.delete(thread);
    this.report(
      'CB-30',
      thread,
      frame.call,
      'ends the thread that it runs in',
      [],
      locate(frame.place),
    );
  }

  calloutEnds(thread: KThread, call: WatchedCall, result: unknown, error?: unknown): void {
    const frame = this.frames.get(thread)?.pop();
    if (frame === undefined) return;
    frame.close();
    if (error !== undefined) {
      this.thrown(thread, frame, error);
      return;
    }
    this.checkTime(thread, frame);
    this.checkState(thread, frame);
    if (call.sort === PRE) this.checkPre(thread, frame, result);
  }

  instruction(thread: KThread, request: Request): void {
    this.order.instruction(thread, request);
    const frame = this.frame(thread);
    if (frame === undefined) return;
    const timeout = timeoutOf(request);
    if (timeout === undefined || (timeout[0] === 0 && timeout[1] === 0)) return;
    const reason = ((request[0] as number) >>> 16) & WAIT_FIELD.Reason;
    const chain = this.stackOf(thread);
    const own = chain.indexOf(qualifiedNameOf(frame.call));
    const called = own === -1 ? chain : chain.slice(0, own);
    if (called.some((routine) => TALKS.test(routine))) return;
    if (isLockWait(request, reason)) return;
    frame.waited = true;
    const removal = called.find((routine) => REMOVES.test(routine));
    this.explained ||= removal !== undefined;
    const wait = called[0] ?? 'a wait';
    const [rule, what] =
      removal !== undefined
        ? ['CB-09', `calls ${removal}, which waits for it to return`]
        : frame.queued
          ? ['CB-07', `queued a work item and waits in ${wait}`]
          : ['CB-04', `waits in ${wait}`];
    this.report(rule, thread, frame.call, what, [], locate(frame.place));
  }

  lockTaken(thread: KThread, lock: Lock): void {
    this.order.taking(thread, lock);
  }

  lockReleased(): void {
    // Who holds what is read off the threads.
  }

  lockAwaited(thread: KThread, lock: Lock): void {
    this.order.taking(thread, lock);
  }

  /** What a run's end adds: what stopped the machine. */
  ended(result: RunResult): void {
    for (const thread of [...this.frames.keys()]) this.dropAbandoned(thread);
    if (result.reason !== 'bugcheck' || this.explained) return;
    this.explained = true;
    const { cause, name, explanation, stack, lastRecords, now } = result;
    const thread = result.thread ?? 'idle';
    const [left] = cause instanceof DriverUnloadError ? [cause] : [];
    const at = stack.findIndex((routine) => routine.includes('!'));
    const driver = left?.driver.name ?? stack[at]?.split('!')[0];
    if (driver === undefined || this.options.drivers?.has(driver) === false) return;
    const location = cause instanceof Error ? locate(cause) : undefined;
    const rule = left === undefined ? 'BC-01' : 'CB-10';
    if (!this.options.rules.has(rule)) return;
    this.found.add(
      {
        rule,
        message: left?.message ?? `${name}: ${explanation}`,
        driver,
        ...(left === undefined && at !== -1 ? { routine: `routine ${stack[at]}` } : {}),
        thread,
        process: '',
        timeNs: now,
        ...(location === undefined ? {} : { location }),
        stack,
        chain: [],
        lastRecords,
      },
      ruleOf(rule).severity,
    );
  }

  private frame(thread: KThread): Frame | undefined {
    return this.frames.get(thread)?.at(-1);
  }

  private stackOf(thread: KThread): readonly string[] {
    return this.machine.guests.chainOf(thread.index).map(({ routine }) => routine);
  }

  /** What runs in a thread, where that is no callback: the code of the driver that was called last. */
  private codeOf(thread: KThread): WatchedCall {
    const routine = this.stackOf(thread).find((each) => each.includes('!'));
    const name = routine?.slice(0, routine.indexOf('!'));
    return { sort: '', routine: nameless(), driver: name === undefined ? undefined : { name } };
  }

  private watchParameter(thread: KThread, call: WatchedCall, parameter: unknown) {
    return watchGiven(parameter, {
      written: (field) => this.report('CB-18', thread, call, `writes ${field}`),
      read: (field, value) => {
        const frame = this.frame(thread);
        if (value === null && frame !== undefined) frame.readNull = field;
        if (field !== 'GrantedAccess' || frame === undefined) return;
        const [, information] = frame.given as [unknown, { readonly ReturnStatus?: number }];
        if (((information.ReturnStatus ?? 0) | 0) < 0)
          this.report('CB-21', thread, call, 'reads GrantedAccess of a handle that was not made');
      },
      late: (field) => this.report('CB-29', thread, call, `${field} is used after its return`),
    });
  }

  /** A callback has thrown: for a NULL that it was given, perhaps. */
  private thrown(thread: KThread, frame: Frame, error: unknown): void {
    if (!(error instanceof TypeError)) return;
    const { call, given } = frame;
    const location = locate(error);
    const { message } = error;
    const report = (rule: string, what: string) => {
      this.explained = true;
      this.report(rule, thread, call, `${what}: ${message}`, [], location);
    };
    if (call.sort === PROCESS && given[2] === null) report('CB-15', 'throws when a process exits');
    else if (call.sort === PROCESS && frame.readNull !== undefined)
      report('CB-16', `throws after it has read ${frame.readNull}, which is NULL`);
    else if (call.sort === LOAD_IMAGE && given[0] === null)
      report('CB-17', 'throws when FullImageName is NULL');
  }

  private checkTime(thread: KThread, frame: Frame): void {
    const ns = runTimeNs(thread) - frame.began;
    if (ns <= this.options.budgetNs || frame.waited) return;
    this.report('CB-01', thread, frame.call, `takes more than ${this.options.budgetNs / 1000} us`);
  }

  private checkState(thread: KThread, frame: Frame): void {
    const { call } = frame;
    const level = this.machine.irql();
    if (level !== frame.irql) {
      this.explained = true;
      this.report(
        'CB-22',
        thread,
        call,
        `returns at IRQL ${level}; it was called at ${frame.irql}`,
      );
      return;
    }
    const left = [...(thread.locks?.held ?? [])].find((lock) => !frame.locks.has(lock));
    const apcs = this.machine.memory.u32(thread.address + KTHREAD.CombinedApcDisable);
    if (left !== undefined || apcs !== frame.apcs) {
      this.explained ||= apcs !== frame.apcs;
      this.report(
        'CB-23',
        thread,
        call,
        left === undefined
          ? 'returns with APCs disabled that were enabled'
          : `returns with ${left.name} held`,
      );
    }
    if (thread.impersonation !== frame.impersonation)
      this.report('CB-26', thread, call, 'returns while its thread impersonates another client');
    if (frame.terminates && thread.terminating && !frame.terminating)
      this.report('CB-30', thread, call, 'ends the thread that it runs in');
  }

  private checkPre(thread: KThread, frame: Frame, result: unknown): void {
    if (result !== undefined && result !== 0) {
      this.explained = true;
      this.report('CB-20', thread, frame.call, `returns ${String(result)}`);
    }
    const [, information] = frame.given as [
      unknown,
      { Parameters: { DesiredAccess: number; OriginalDesiredAccess: number } },
    ];
    const { DesiredAccess, OriginalDesiredAccess } = information.Parameters;
    const added = (DesiredAccess & ~OriginalDesiredAccess) >>> 0;
    if (added !== 0)
      this.report('CB-19', thread, frame.call, `adds the access bits 0x${added.toString(16)}`);
  }

  private report(
    rule: string,
    thread: KThread,
    call: WatchedCall,
    what: string,
    chain: readonly string[] = [],
    location: SourceLocation | undefined = locate(),
  ): void {
    const { driver, sort } = call;
    if (!this.options.rules.has(rule)) return;
    if (driver !== undefined && this.options.drivers?.has(driver.name) === false) return;
    const last = this.machine.trace.last(16);
    const named = call.routine.name === '' ? undefined : `${sort} ${qualifiedNameOf(call)}`;
    const finding: Omit<Finding, 'count' | 'severity'> = {
      rule,
      message: what,
      ...(driver === undefined ? {} : { driver: driver.name }),
      ...(named === undefined ? {} : { routine: named }),
      thread: thread.name,
      process: thread.process.name,
      timeNs: this.machine.now,
      ...(location === undefined ? {} : { location }),
      stack: this.stackOf(thread),
      chain,
      lastRecords: Array.from({ length: last.count }, (_, index) => decodeRecord(last, index)),
    };
    this.found.add(finding, ruleOf(rule).severity);
  }
}

/** Processor time that a thread has had, ns. */
function runTimeNs({ machine, address }: KThread): number {
  return machine.memory.u64(address + KTHREAD.CycleTime64);
}

/** A routine that is not told of by name. */
function nameless(): () => undefined {
  return () => undefined;
}

function qualifiedNameOf({ driver, routine }: WatchedCall): string {
  return qualifiedName(driver, nameOfRoutine(routine));
}

/** Locks of the host are waited for at events of their own, for reasons of their own. */
const LOCK_REASONS: readonly number[] = [
  KWAIT_REASON.WrResource,
  KWAIT_REASON.WrPushLock,
  KWAIT_REASON.WrFastMutex,
  KWAIT_REASON.WrGuardedMutex,
];

function isLockWait(request: Request, reason: number): boolean {
  return ((request[0] as number) & 0xff) === OP.Wait && LOCK_REASONS.includes(reason);
}
