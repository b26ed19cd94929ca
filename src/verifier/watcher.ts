import { KTHREAD } from '../../assembly/shared/layout';
import { STATUS } from '../../assembly/shared/status';
import type { DriverObject } from '../machine/driver';
import type { Request } from '../machine/generator';
import { currentGuest } from '../machine/guest';
import type { Lock } from '../machine/lock';
import type { Machine } from '../machine/machine';
import { decodeRecord } from '../machine/records';
import type { RunResult } from '../machine/result';
import type { KThread } from '../machine/views';
import type { Kept, WatchedCall, Watcher } from '../machine/watch';
import {
  blocks,
  LOAD_IMAGE,
  NEEDS_INTEGRITY,
  PRE,
  PROCESS,
  QUEUES,
  REMOVES,
  ruleOfCall,
  saysItsWait,
  TAKES,
  TERMINATES,
  TRIES,
  userOfAwaited,
} from './callback-calls';
import { codeOfDriver, nameless, qualifiedNameOf, runTimeNs } from './calls';
import { circleOf, findingOfCircle, findingOfStop } from './ended';
import { Findings, type NewFinding } from './finding';
import type { Frame, WatchOptions } from './frame';
import { watchGiven } from './given';
import { locate, locationOf, markPlace, type SourceFrame } from './location';
import { LockOrder, takerOf } from './lock-order';
import { Places } from './places';
import { Property } from './property';
import { Routines } from './routines';
import { ruleOf } from './rules';
import { type UnderWay, unfinished, wrongEntry } from './unfinished';
import { Uses } from './uses';
import { chainOfWait } from './wait-chain';

/** Sees what drivers do in their callbacks, and makes findings of what is against a rule. */

export class RuleWatcher implements Watcher {
  readonly found = new Findings();
  private readonly frames = new Map<KThread, Frame[]>();
  private readonly places = new Places();
  private readonly order: LockOrder;
  private readonly routines: Routines;
  private readonly property = new Property();
  private readonly uses: Uses;
  /** What the machine stops for is a finding already; and so is who waits for ever. */
  private explained = false;
  private waitExplained = false;
  /** What a thread that runs tries to take without waiting for it. */
  private polling: KThread | undefined;
  /** The callback that an exception has left. */
  private failed: WatchedCall | undefined;

  constructor(
    private readonly machine: Machine,
    private readonly options: WatchOptions,
  ) {
    this.order = new LockOrder(machine, {
      place: (thread) => {
        const here = locate();
        return here.length > 0 ? here : locate(this.places.lastOf(thread));
      },
      callback: (thread) => this.frame(thread)?.call.sort,
      found: (rule, { thread, call: dpc }, what, chain, place) => {
        this.waitExplained ||= rule === 'LK-03';
        const call = dpc ?? this.frame(thread)?.call ?? this.codeOf(thread);
        this.report(rule, thread, call, what, chain, place);
      },
    });
    this.routines = new Routines(machine, {
      locksOf: (taker) => this.order.heldBy(taker),
      found: (rule, thread, call, what, stops) => {
        this.explained ||= stops;
        this.report(rule, thread, call, what, [], locate(this.places.lastOf(thread)));
      },
      loaded: (thread, call, status) => this.loaded(thread, call, status),
    });
    this.uses = new Uses(machine, {
      holds: (driver, object) => this.property.holds(driver, object),
      given: (object) => {
        const thread = machine.guests.currentThread;
        const frames = (thread && this.frames.get(thread)) ?? [];
        return frames.some((frame) => frame.given.includes(object));
      },
      found: (driver, what) => {
        if (machine.watcher !== this) return;
        const thread = machine.guests.currentThread ?? machine.idleThread;
        this.report('CB-28', thread, this.frame(thread)?.call ?? codeOfDriver(driver), what);
      },
    });
    machine.drivers.onUnload((driver) => {
      if (machine.watcher === this) this.driverGone(driver);
      return [];
    });
  }

  private driverGone(driver: DriverObject): void {
    const thread = this.machine.guests.currentThread ?? this.machine.idleThread;
    for (const { rule, what, place } of this.property.leftBy(driver))
      this.report(rule, thread, codeOfDriver(driver), what, [], [], place);
  }

  entered(thread: KThread, routine: string): void {
    const frame = this.frame(thread);
    const { stack } = currentGuest(routine);
    // Where the kernel's own code is, nobody asks, but for the locks that it takes.
    if (frame === undefined && stack.driver === undefined && !TAKES.test(routine)) return;
    const place = this.places.called(thread);
    if (frame === undefined) return;
    frame.place = place;
    if (QUEUES.test(routine)) frame.queued = true;
    const { low, high } = stack.limits;
    if (stack.remaining * 4 < high - low)
      this.report(
        'CB-24',
        thread,
        frame.call,
        `${routine} was called with ${stack.remaining} of ${high - low} bytes of stack left`,
      );
    if (stack.driver !== undefined && stack.driver !== frame.call.driver) return;
    if (TERMINATES.test(routine)) frame.terminates = true;
    const rule = ruleOfCall(routine, frame.call.sort, thread);
    if (rule === undefined) return;
    if (rule === 'CB-05') frame.waited = true;
    if (rule === 'CB-30') this.explained = true;
    this.report(rule, thread, frame.call, `calls ${routine}`);
  }

  returned(thread: KThread, routine: string, result: unknown): void {
    if (!REMOVES.test(routine) && !NEEDS_INTEGRITY.test(routine)) return;
    const status =
      typeof result === 'object' ? (result as { status?: unknown } | null)?.status : result;
    const call = this.codeOf(thread);
    if (status === STATUS.ACCESS_DENIED && NEEDS_INTEGRITY.test(routine))
      this.report('CB-27', thread, call, `${routine} returned STATUS_ACCESS_DENIED`);
    if (status === STATUS.PROCEDURE_NOT_FOUND)
      this.report('OB-03', thread, call, `${routine} was to take back what is not registered`);
  }

  routineBegins(thread: KThread, call: WatchedCall): void {
    this.routines.begins(thread, call);
  }

  routineEnds(thread: KThread, result: unknown): void {
    this.routines.ends(thread, result);
  }

  private loaded(thread: KThread, call: WatchedCall, status: number): void {
    const what = wrongEntry(status, this.options.entryStatus);
    if (what !== undefined)
      this.report('DR-01', thread, call, what, [], locate(this.places.lastOf(thread)));
  }

  registers(routine: object): void {
    if (this.machine.guests.currentDriver !== undefined) this.places.registers(routine);
  }

  activation(index: number, request: Request): void {
    const dpc = this.routines.instruction(index, request);
    if (dpc !== undefined) this.order.instruction(dpc, request);
  }

  takes(kind: Kept, thing: unknown, what: string, still?: () => object | undefined): void {
    const driver = this.machine.guests.currentDriver;
    if (driver === undefined) return;
    this.uses.takes(still === undefined ? thing : still());
    this.property.takes(driver, kind, thing, what, markPlace(), still);
  }

  returns(thing: unknown): void {
    const driver = this.machine.guests.currentDriver;
    this.property.returns(driver, thing);
    if (driver !== undefined) this.uses.knows(thing);
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
    // What a driver was told of when it began, it is told of now that it ends.
    if (call.sort === PROCESS && parameters[2] === null) this.uses.knows(parameters[0]);
    const watched = parameters.map((parameter) => this.watchParameter(thread, call, parameter));
    frames.push({
      call,
      began: runTimeNs(thread),
      calledNs: this.machine.now,
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
      wrote: false,
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
    this.explained = true;
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
    this.order.instruction(takerOf(thread), request);
    const frame = this.frame(thread);
    if (frame === undefined || !blocks(request)) return;
    const stack = this.stackOf(thread);
    const own = stack.indexOf(qualifiedNameOf(frame.call));
    const called = own === -1 ? stack : stack.slice(0, own);
    if (called.some(saysItsWait)) return;
    frame.waited = true;
    const [rule, what] = this.ruleOfWait(frame, called, request);
    const waits = chainOfWait(this.machine, thread, request);
    this.report(rule, thread, frame.call, what, waits, locate(frame.place));
  }

  /** What is wrong with a wait in a callback, the worst first. */
  private ruleOfWait(
    frame: Frame,
    called: readonly string[],
    request: Request,
  ): readonly [string, string] {
    const wait = called[0] ?? 'a wait';
    const removal = called.find((routine) => REMOVES.test(routine));
    if (removal !== undefined) {
      this.explained = true;
      return ['CB-09', `calls ${removal}, which waits for it to return`];
    }
    if (frame.queued) return ['CB-07', `queued a work item and waits in ${wait}`];
    const user = userOfAwaited(this.machine, request);
    if (user !== undefined) return ['CB-02', `waits in ${wait} for ${user}`];
    return ['CB-04', `waits in ${wait}`];
  }

  polls(thread: KThread, does: boolean): void {
    this.polling = does ? thread : undefined;
  }

  lockTaken(thread: KThread, lock: Lock, again: boolean): void {
    const [routine = ''] = this.stackOf(thread);
    if (this.polling === thread || TRIES.test(routine)) return;
    this.order.taking(takerOf(thread), lock);
    if (again) this.order.recursion(takerOf(thread), lock, true);
  }

  lockUsed(thread: KThread, lock: Lock, begins: boolean): void {
    if (begins) this.order.uses(thread, lock);
    else this.order.usesNoMore(thread, lock);
  }

  lockAwaited(thread: KThread, lock: Lock): void {
    this.order.taking(takerOf(thread), lock);
    if (this.order.has(thread, lock)) this.order.recursion(takerOf(thread), lock);
  }

  /** What a run's end adds: what stopped the machine, or who waits for ever. */
  ended(result: RunResult): void {
    for (const thread of [...this.frames.keys()]) this.dropAbandoned(thread);
    if (result.reason !== 'bugcheck') {
      this.waitsForEver(result);
      return;
    }
    if (this.explained) return;
    this.explained = true;
    const placeOf: Places['of'] = (routine, name) => this.places.of(routine, name);
    const finding = findingOfStop(result, this.routines.last, this.failed, placeOf);
    if (finding !== undefined) this.add(finding);
  }

  /** What the last run's end adds: who has not returned. */
  finished(result: RunResult): void {
    if (this.explained || this.waitExplained) return;
    const all = [...this.callbacksUnderWay(), ...this.routines.underWay()];
    for (const { rule, thread, call, what, callback } of unfinished(this.machine, result, all)) {
      const last = callback === undefined ? this.places.lastOf(thread) : undefined;
      this.report(rule, thread, call, what, [], last === undefined ? [] : locate(last));
    }
    for (const driver of this.machine.drivers.list) {
      const began = all.some(({ call }) => call.driver === driver);
      if (driver.state !== 'loading' || began) continue;
      const what = 'is not loaded at the end of the run: DriverEntry was not called; run longer';
      this.report('DR-02', this.machine.idleThread, codeOfDriver(driver), what, [], []);
    }
  }

  private *callbacksUnderWay(): Generator<UnderWay> {
    for (const [thread, frames] of this.frames) {
      for (const { call, began, calledNs, waited: told } of frames) {
        const ranNs = thread.exists ? runTimeNs(thread) - began : 0;
        const { budgetNs } = this.options;
        yield { call, thread, calledNs, callback: { ranNs, budgetNs, told } };
      }
    }
  }

  private waitsForEver(result: RunResult): void {
    if (this.waitExplained || this.explained) return;
    const circle = circleOf(this.machine, result);
    if (circle.length === 0) return;
    const finding = findingOfCircle(this.machine, circle, (name) =>
      this.places.of(undefined, name),
    );
    if (finding === undefined) return;
    this.waitExplained = true;
    this.add(finding);
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
      written: (field) => {
        const frame = this.frame(thread);
        if (frame !== undefined) frame.wrote = true;
        this.report('CB-18', thread, call, `writes ${field}`);
      },
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
    const { call, given } = frame;
    this.failed = call;
    if (!(error instanceof TypeError)) return;
    this.explained ||= frame.wrote;
    const hostStack = locate(error);
    const { message } = error;
    const report = (rule: string, what: string) => {
      this.explained = true;
      this.report(rule, thread, call, `${what}: ${message}`, [], hostStack);
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
    hostStack: readonly SourceFrame[] = locate(),
    origin: Error | undefined = this.frame(thread)?.place ?? this.places.originOf(call.routine),
  ): void {
    const { driver, sort } = call;
    const place = hostStack.length > 0 || origin === undefined ? hostStack : locate(origin);
    const last = this.machine.trace.last(16);
    const named = call.routine.name === '' ? undefined : `${sort} ${qualifiedNameOf(call)}`;
    this.add({
      rule,
      message: what,
      ...(driver === undefined ? {} : { driver: driver.name }),
      ...(named === undefined ? {} : { routine: named }),
      thread: thread.name,
      process: thread.process.name,
      timeNs: this.machine.now,
      ...locationOf(place),
      hostStack,
      stack: this.stackOf(thread),
      chain,
      lastRecords: Array.from({ length: last.count }, (_, index) => decodeRecord(last, index)),
    });
  }

  private add(finding: NewFinding): void {
    const { rule, driver } = finding;
    if (!this.options.rules.has(rule)) return;
    if (driver !== undefined && this.options.drivers?.has(driver) === false) return;
    this.found.add(finding, ruleOf(rule).severity);
  }
}
