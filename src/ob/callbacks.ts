import { BUGCHECK } from '../../assembly/shared/bugcheck';
import { OP } from '../../assembly/shared/opcode';
import { STATUS } from '../../assembly/shared/status';
import { IRQL, MODE } from '../../assembly/shared/types';
import { requireIrql, VerifierError, VIOLATION } from '../ke/call';
import {
  type Callout,
  CallsUnderWay,
  callDriverRoutine,
  changeCriticalRegion,
  describeCallout,
  LEAVE_CRITICAL_REGION,
  leftCallouts,
  newCallout,
} from '../ke/callout';
import { ddiTime, type KernelCode } from '../ke/mode';
import type { DriverObject } from '../machine/driver';
import { isGenerator } from '../machine/generator';
import { currentGuest, NtCall, type Request } from '../machine/guest';
import { encode } from '../machine/instruction';
import type { Machine } from '../machine/machine';
import { PerMachine } from '../machine/per-machine';
import type { KProcess, KThread } from '../machine/views';
import { type Altitude, compareAltitudes, parseAltitude } from './altitude';
import type { ObjectBody } from './object';
import type { ObjectType } from './type';
import { ExDesktopObjectType, PsProcessType, PsThreadType } from './types';

/** Object callbacks: what drivers are asked before, and told after, a handle is made or duplicated. */

/** OB_FLT_REGISTRATION_VERSION. */
export const OB_FLT_REGISTRATION_VERSION = 0x100;

/** OB_PREOP_CALLBACK_STATUS: what a pre-operation callback must return. */
export const OB_PREOP_SUCCESS = 0;

/** OB_OPERATION: OB_OPERATION_HANDLE_CREATE is `OB_OPERATION.HANDLE_CREATE`. */
export const enum OB_OPERATION {
  HANDLE_CREATE = 1,
  HANDLE_DUPLICATE = 2,
}

/** OB_PRE_CREATE_HANDLE_INFORMATION and OB_PRE_DUPLICATE_HANDLE_INFORMATION. */
export interface ObPreHandleInformation {
  /** May be given fewer of its bits; what earlier callbacks took away is gone. */
  DesiredAccess: number;
  readonly OriginalDesiredAccess: number;
  /** Of a duplication. */
  readonly SourceProcess: KProcess | undefined;
  readonly TargetProcess: KProcess | undefined;
}

/** OB_PRE_OPERATION_INFORMATION. */
export interface ObPreOperationInformation {
  readonly Operation: OB_OPERATION;
  readonly KernelHandle: boolean;
  readonly Object: ObjectBody;
  readonly ObjectType: ObjectType;
  /** Null; what it is given goes to the same registration's post-operation callback. */
  CallContext: unknown;
  readonly Parameters: ObPreHandleInformation;
}

/** OB_POST_OPERATION_INFORMATION. */
export interface ObPostOperationInformation {
  readonly Operation: OB_OPERATION;
  readonly KernelHandle: boolean;
  readonly Object: ObjectBody;
  readonly ObjectType: ObjectType;
  readonly CallContext: unknown;
  readonly ReturnStatus: number;
  /** Means something only if ReturnStatus is a success. */
  readonly Parameters: { readonly GrantedAccess: number };
}

/** OB_PREOP_CALLBACK_STATUS, which is OB_PREOP_SUCCESS; a routine in TypeScript may return nothing. */
type PreStatus = number | undefined;

export type ObPreOperationCallback = (
  registrationContext: unknown,
  operationInformation: ObPreOperationInformation,
  // biome-ignore lint/suspicious/noConfusingVoidType: a routine without a return statement is one.
) => PreStatus | void | Generator<Request, PreStatus | void, number>;

export type ObPostOperationCallback = (
  registrationContext: unknown,
  operationInformation: ObPostOperationInformation,
) => void | Generator<Request, void, number>;

/** OB_OPERATION_REGISTRATION. */
export interface ObOperationRegistration {
  readonly ObjectType: ObjectType;
  /** OB_OPERATION flags. */
  readonly Operations: number;
  readonly PreOperation: ObPreOperationCallback | null;
  readonly PostOperation: ObPostOperationCallback | null;
}

/** OB_CALLBACK_REGISTRATION; OperationRegistrationCount is the length of the array. */
export interface ObCallbackRegistration {
  readonly Version: number;
  readonly Altitude: string;
  readonly RegistrationContext: unknown;
  readonly OperationRegistration: readonly ObOperationRegistration[];
}

interface CallbackEntry extends ObOperationRegistration {
  readonly altitude: Altitude;
  /** As it was written. */
  readonly altitudeText: string;
  readonly registrationContext: unknown;
  /** Absent routines are left out. */
  readonly pre: Callout | undefined;
  readonly post: Callout | undefined;
  /** Operations under way that it has been told of. */
  readonly calls: CallsUnderWay;
}

/** What ObRegisterCallbacks gives: a name for ObUnRegisterCallbacks. */
export class ObCallbackHandle {
  /** @internal */
  registered = true;

  constructor(
    /** @internal */ readonly machine: Machine,
    /** @internal */ readonly entries: readonly CallbackEntry[],
  ) {}
}

/** The access that callbacks may take away: Windows's documented bits. */
const MODIFIABLE: readonly (readonly [ObjectType, number])[] = [
  [PsProcessType, 0x0beb],
  [PsThreadType, 0x07b3],
  [ExDesktopObjectType, 0x01ff],
];

/** The object callbacks of a machine. */
export class ObjectCallbacks {
  /** From the highest altitude to the lowest. */
  private readonly lists = new Map<ObjectType, CallbackEntry[]>(
    MODIFIABLE.map(([type]) => [type, []]),
  );
  /** By type, the access that a pre-operation callback may take away; what else it clears stays. */
  readonly modifiable = new Map<ObjectType, number>(MODIFIABLE);
  /** By operation, the entries of a type that are told of it; made anew with every change. */
  private readonly told: readonly Map<ObjectType, readonly CallbackEntry[]>[] = [
    OB_OPERATION.HANDLE_CREATE,
    OB_OPERATION.HANDLE_DUPLICATE,
  ].map(() => new Map());

  /** Those that are told of an operation on a type; undefined: there are none. */
  entriesFor(type: ObjectType, operation: OB_OPERATION): readonly CallbackEntry[] | undefined {
    return this.told[operation - 1]?.get(type);
  }

  /** Every entry, by type and from the highest altitude on. */
  entries(): readonly CallbackEntry[] {
    return [...this.lists.values()].flat();
  }

  /** Every routine that is registered. */
  callouts(): Callout[] {
    return this.entries().flatMap(({ pre, post }) => [pre ?? [], post ?? []].flat());
  }

  supports(type: ObjectType): boolean {
    return this.lists.has(type);
  }

  collides({ ObjectType, altitude }: CallbackEntry): boolean {
    const list = this.lists.get(ObjectType) ?? [];
    return list.some((entry) => compareAltitudes(entry.altitude, altitude) === 0);
  }

  add(entry: CallbackEntry): void {
    const list = this.lists.get(entry.ObjectType) as CallbackEntry[];
    list.push(entry);
    list.sort((a, b) => compareAltitudes(b.altitude, a.altitude));
    this.changed(entry.ObjectType);
  }

  remove(entry: CallbackEntry): void {
    const list = this.lists.get(entry.ObjectType) as CallbackEntry[];
    list.splice(list.indexOf(entry), 1);
    this.changed(entry.ObjectType);
  }

  private changed(type: ObjectType): void {
    const list = this.lists.get(type) as CallbackEntry[];
    this.told.forEach((byType, index) => {
      const told = list.filter(({ Operations }) => (Operations & (index + 1)) !== 0);
      if (told.length === 0) byType.delete(type);
      else byType.set(type, told);
    });
  }
}

const callbacks = new PerMachine((machine) => {
  const made = new ObjectCallbacks();
  machine.drivers.onUnload((driver) => leftCallouts(driver, made.callouts()));
  return made;
});

/** The object callbacks of a machine, with what about them can be set. */
export function objectCallbacks(machine: Machine): ObjectCallbacks {
  return callbacks.of(machine);
}

/** The same, for who only looks; undefined: there have never been any. */
export function knownObjectCallbacks(machine: Machine): ObjectCallbacks | undefined {
  return callbacks.peek(machine);
}

/** What is wrong with one of a registration's operations. */
function operationStatus(
  known: ObjectCallbacks,
  operation: ObOperationRegistration,
  driver: DriverObject | undefined,
): number {
  const { ObjectType, Operations, PreOperation, PostOperation } = operation;
  const both = OB_OPERATION.HANDLE_CREATE | OB_OPERATION.HANDLE_DUPLICATE;
  if (!known.supports(ObjectType) || Operations === 0 || (Operations & ~both) !== 0)
    return STATUS.INVALID_PARAMETER;
  if (PreOperation === null && PostOperation === null) return STATUS.INVALID_PARAMETER;
  return driver?.forceIntegrity === false ? STATUS.ACCESS_DENIED : STATUS.SUCCESS;
}

/** Entries for all that a registration asks for, or why there are none. */
function makeEntries(
  machine: Machine,
  known: ObjectCallbacks,
  registration: ObCallbackRegistration,
): number | CallbackEntry[] {
  const { Version, Altitude, RegistrationContext, OperationRegistration } = registration;
  const altitude = parseAltitude(Altitude);
  if (Version !== OB_FLT_REGISTRATION_VERSION || altitude === undefined)
    return STATUS.INVALID_PARAMETER;
  if (OperationRegistration.length === 0) return STATUS.INVALID_PARAMETER;
  const entries: CallbackEntry[] = [];
  for (const operation of OperationRegistration) {
    const status = operationStatus(known, operation, machine.guests.currentDriver);
    if (status !== STATUS.SUCCESS) return status;
    const callout = (sort: string, routine: Callout['routine'] | null) =>
      routine === null ? undefined : newCallout(machine, sort, routine);
    const entry: CallbackEntry = {
      ...operation,
      altitude,
      altitudeText: Altitude,
      registrationContext: RegistrationContext,
      pre: callout('pre-operation callback', operation.PreOperation),
      post: callout('post-operation callback', operation.PostOperation),
      calls: new CallsUnderWay(),
    };
    const twice = entries.some(({ ObjectType }) => ObjectType === operation.ObjectType);
    if (twice || known.collides(entry)) return STATUS.FLT_INSTANCE_ALTITUDE_COLLISION;
    entries.push(entry);
  }
  return entries;
}

/** What ObRegisterCallbacks comes to; null on failure. */
export interface CallbackRegistrationResult {
  readonly status: number;
  readonly registrationHandle: ObCallbackHandle | null;
}

/**
 * Registers callbacks for handles to processes, threads and desktops: from now on they are called at
 * PASSIVE_LEVEL in a critical region, in the thread that makes the handle; before, from the highest
 * altitude to the lowest, and after in the other order. They may be generators.
 *
 * @returns STATUS_SUCCESS; STATUS_INVALID_PARAMETER for another version, an altitude that is no
 *   decimal number, no operation, no routine, or a type without callbacks;
 *   STATUS_FLT_INSTANCE_ALTITUDE_COLLISION if the type has a callback at the altitude;
 *   STATUS_ACCESS_DENIED for a driver whose image is not signed or lacks FORCE_INTEGRITY.
 * @irql at most APC_LEVEL   @nt ObRegisterCallbacks
 */
export function ObRegisterCallbacks(
  callbackRegistration: ObCallbackRegistration,
): NtCall<CallbackRegistrationResult> {
  const routine = 'ObRegisterCallbacks';
  return new NtCall(routine, () => registerCallbacks(routine, callbackRegistration));
}

function* registerCallbacks(
  routine: string,
  callbackRegistration: ObCallbackRegistration,
): KernelCode<CallbackRegistrationResult> {
  requireIrql(routine, VIOLATION.IrqlObPassive, IRQL.APC_LEVEL);
  const { machine } = currentGuest(routine);
  yield ddiTime(machine);
  const known = objectCallbacks(machine);
  const entries = makeEntries(machine, known, callbackRegistration);
  if (typeof entries === 'number') return { status: entries, registrationHandle: null };
  for (const entry of entries) known.add(entry);
  const registrationHandle = new ObCallbackHandle(machine, entries);
  return { status: STATUS.SUCCESS, registrationHandle };
}

/**
 * Takes a registration back: its callbacks are not called any more, and have returned when this does.
 * A second time for the same one is bugcheck SYSTEM_THREAD_EXCEPTION_NOT_HANDLED.
 *
 * @irql at most APC_LEVEL   @nt ObUnRegisterCallbacks
 */
export function ObUnRegisterCallbacks(registrationHandle: ObCallbackHandle): NtCall<void> {
  const routine = 'ObUnRegisterCallbacks';
  return new NtCall(routine, () => unRegisterCallbacks(routine, registrationHandle));
}

function* unRegisterCallbacks(
  routine: string,
  registrationHandle: ObCallbackHandle,
): KernelCode<void> {
  requireIrql(routine, VIOLATION.IrqlObPassive, IRQL.APC_LEVEL);
  const { machine, entries } = registrationHandle;
  if (!registrationHandle.registered) {
    machine.bugCheck(BUGCHECK.SYSTEM_THREAD_EXCEPTION_NOT_HANDLED, STATUS.ACCESS_VIOLATION);
    throw new VerifierError('ObUnRegisterCallbacks was called twice for one registration');
  }
  registrationHandle.registered = false;
  yield ddiTime(machine);
  for (const entry of entries) objectCallbacks(machine).remove(entry);
  for (const { calls, pre, post } of entries)
    yield* calls.drain(machine, describeCallout((pre ?? post) as Callout));
}

/** The version that a registration must have. @irql any @nt ObGetFilterVersion */
export function ObGetFilterVersion(): number {
  return OB_FLT_REGISTRATION_VERSION;
}

/** A handle that is about to be made. */
export interface HandleOperation {
  readonly operation: OB_OPERATION;
  readonly object: ObjectBody;
  readonly type: ObjectType;
  readonly grantedAccess: number;
  readonly kernelHandle: boolean;
  /** Who asks: kernel mode gets the access that it asks for, whatever callbacks say. */
  readonly mode: MODE;
  readonly sourceProcess?: KProcess;
  readonly targetProcess?: KProcess;
}

/** What a pre-operation callback is told; it writes to this. */
type PreInformation = ObPreOperationInformation & { readonly Parameters: ObPreHandleInformation };

function preInformation(operation: HandleOperation, access: number): PreInformation {
  return {
    Operation: operation.operation,
    KernelHandle: operation.kernelHandle,
    Object: operation.object,
    ObjectType: operation.type,
    CallContext: null,
    Parameters: {
      DesiredAccess: access,
      OriginalDesiredAccess: operation.grantedAccess,
      SourceProcess: operation.sourceProcess,
      TargetProcess: operation.targetProcess,
    },
  };
}

/** Asks every entry; the access that they leave. What each wants to find again goes to `contexts`. */
function* ask(
  entries: readonly CallbackEntry[],
  operation: HandleOperation,
  modifiable: number,
  contexts: unknown[],
  thread: KThread,
): KernelCode<number> {
  let access = operation.grantedAccess;
  changeCriticalRegion(thread, -1);
  for (const { pre, registrationContext } of entries) {
    let context: unknown = null;
    if (pre !== undefined) {
      const information = preInformation(operation, access);
      const called = callDriverRoutine(thread, pre, registrationContext, information);
      const status = isGenerator(called) ? yield* called : called;
      if (status !== undefined && status !== OB_PREOP_SUCCESS) {
        thread.machine.bugCheck(BUGCHECK.DRIVER_VERIFIER_DETECTED_VIOLATION, VIOLATION.KernelApi);
        throw new VerifierError(`${describeCallout(pre)} returned what is not OB_PREOP_SUCCESS`);
      }
      access &= information.Parameters.DesiredAccess | ~modifiable;
      context = information.CallContext;
    }
    contexts.push(context);
  }
  yield LEAVE_CRITICAL_REGION;
  return access;
}

/** Tells every entry, from the last that was asked on, what has become of the handle. */
function* tell(
  entries: readonly CallbackEntry[],
  operation: HandleOperation,
  status: number,
  grantedAccess: number,
  contexts: readonly unknown[],
  thread: KThread,
): KernelCode<void> {
  changeCriticalRegion(thread, -1);
  for (let index = entries.length - 1; index >= 0; index--) {
    const { post, registrationContext, calls } = entries[index] as CallbackEntry;
    if (post !== undefined) {
      const information: ObPostOperationInformation = {
        Operation: operation.operation,
        KernelHandle: operation.kernelHandle,
        Object: operation.object,
        ObjectType: operation.type,
        CallContext: contexts[index],
        ReturnStatus: status,
        Parameters: { GrantedAccess: grantedAccess },
      };
      const called = callDriverRoutine(thread, post, registrationContext, information);
      if (isGenerator(called)) yield* called;
    }
    if (calls.end(thread)) yield* calls.signalDrained();
  }
  yield LEAVE_CRITICAL_REGION;
}

/**
 * Makes a handle between the callbacks before and after it: `insert` is given the access that they
 * leave.
 */
export function* ObpFilterHandle<R extends { readonly status: number }>(
  operation: HandleOperation,
  insert: (grantedAccess: number) => R,
): KernelCode<R> {
  const { grantedAccess, type, mode, kernelHandle } = operation;
  const { machine } = operation.object;
  const known = objectCallbacks(machine);
  const entries = known.entriesFor(type, operation.operation);
  if (entries === undefined) return insert(grantedAccess);
  const { thread } = currentGuest('ObpFilterHandle');
  for (const { calls } of entries) calls.begin(thread);
  yield [encode(OP.Compute, MODE.KernelMode), entries.length * machine.profile.costs.ddi, 0];
  const contexts: unknown[] = [];
  const left = yield* ask(entries, operation, known.modifiable.get(type) ?? 0, contexts, thread);
  const access = mode === MODE.KernelMode || kernelHandle ? grantedAccess : left;
  const result = insert(access);
  yield* tell(entries, operation, result.status, access, contexts, thread);
  return result;
}
