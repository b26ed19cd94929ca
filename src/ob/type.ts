import type { MODE } from '../../assembly/shared/types';
import type { KernelCode } from '../ke/mode';
import type { GuestResult } from '../machine/dpc';
import type { Machine } from '../machine/machine';
import type { KProcess } from '../machine/views';
import type { GenericMapping } from './access';
import type { ObjectBody } from './object';
import type { ParseContext, ParseResult } from './parse';

/** Object types: what the objects of a kind have in common, and the procedures that make them differ. */

/** What a type does with its objects. Every one is optional; one that blocks is a generator. */
export interface ObjectTypeProcedures {
  /** A handle has been made: `handleCount` is how many the object has now. */
  open?(body: ObjectBody, process: KProcess, grantedAccess: number, handleCount: number): void;
  /** A handle has been closed: `handleCount` is how many the object still has. */
  close?(
    body: ObjectBody,
    process: KProcess,
    grantedAccess: number,
    handleCount: number,
  ): KernelCode<void> | undefined;
  /** The last reference has gone, and so will the object. At PASSIVE_LEVEL. */
  delete?(body: ObjectBody): GuestResult;
  /** The last reference has gone to a process that has never had a thread: nothing else will end it. */
  abandoned?(body: KProcess): KernelCode<void>;
  /** FALSE keeps a handle from being closed. */
  okayToClose?(body: ObjectBody, process: KProcess, handle: number, mode: MODE): boolean;
  /** What the rest of a path that has come to this object means. */
  parse?(body: ObjectBody, context: ParseContext): KernelCode<ParseResult> | ParseResult;
  /** The access that the caller may have at most; absent: every valid one. */
  security?(body: ObjectBody, desiredAccess: number, mode: MODE): number;
  /** The name, of types that have names of their own; undefined: it is in the namespace, if anywhere. */
  queryName?(body: ObjectBody): string | undefined;
  /** How many objects there are, of types whose objects are not made by the object manager. */
  count?(machine: Machine): number;
}

/** OBJECT_TYPE_INITIALIZER, as far as it is modelled. */
export interface ObjectTypeInitializer {
  readonly validAccessMask: number;
  readonly genericMapping: GenericMapping;
  /** OBJ flags that its objects refuse. */
  readonly invalidAttributes?: number;
  /** The type counts handles by process: it needs `open` or `close`. */
  readonly maintainHandleCount?: boolean;
  /** POOL_TYPE; NonPagedPoolNx (512) by default. */
  readonly poolType?: number;
  readonly procedures?: ObjectTypeProcedures;
}

/** OBJECT_TYPE. Those of the system are one object for all machines; how many objects there are is the machine's. */
export class ObjectType {
  readonly validAccessMask: number;
  readonly genericMapping: GenericMapping;
  readonly invalidAttributes: number;
  readonly maintainHandleCount: boolean;
  readonly poolType: number;
  /** @internal Those of the system's types are given by the floor that they belong to. */
  procedures: ObjectTypeProcedures;

  constructor(
    readonly name: string,
    initializer: ObjectTypeInitializer,
  ) {
    this.validAccessMask = initializer.validAccessMask;
    this.genericMapping = initializer.genericMapping;
    this.invalidAttributes = initializer.invalidAttributes ?? 0;
    this.maintainHandleCount = initializer.maintainHandleCount ?? false;
    this.poolType = initializer.poolType ?? 512;
    this.procedures = initializer.procedures ?? {};
  }
}
