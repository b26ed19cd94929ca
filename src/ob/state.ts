import type { Machine } from '../machine/machine';
import { PerMachine } from '../machine/per-machine';
import type { KEvent } from '../machine/views';
import { ObjectDirectory, SymbolicLink } from './directory';
import { deviceDirectory, driverDirectory } from './io-object';
import { KeyedEvent } from './keyed-event';
import { HostObject, type ObjectBody, ObjectHeader } from './object';
import type { ObjectType } from './type';
import {
  ExEventObjectType,
  ExpKeyedEventObjectType,
  ObpDirectoryObjectType,
  ObpSymbolicLinkObjectType,
  ObpTypeObjectType,
  SYSTEM_TYPES,
} from './types';

/** What the object manager has for each machine: its types and their counts, and the namespace. */

/** The object that a type is in the namespace. */
export class TypeObject extends HostObject {
  constructor(
    machine: Machine,
    readonly type: ObjectType,
  ) {
    super(machine);
  }
}

/** Objects and handles of one type. */
export interface TypeStatistics {
  objects: number;
  handles: number;
  highWaterObjects: number;
  highWaterHandles: number;
}

/** The index of the first type: 0 and 1 mean something else in Windows. */
const FIRST_TYPE_INDEX = 2;

const DIRECTORIES: readonly string[] = [
  'ArcName',
  'BaseNamedObjects',
  'Callback',
  'FileSystem',
  'GLOBAL??',
  'KnownDlls',
  'RPC Control',
  'Security',
  'Sessions',
  'Windows',
];

const LINKS: readonly (readonly [directory: string, name: string, target: string])[] = [
  ['', '??', '\\GLOBAL??'],
  ['', 'DosDevices', '\\??'],
  ['BaseNamedObjects', 'Global', '\\BaseNamedObjects'],
  ['BaseNamedObjects', 'Local', '\\BaseNamedObjects'],
  ['GLOBAL??', 'GLOBALROOT', '\\'],
];

/** What the memory manager signals: there is no want of memory. */
const CONDITIONS: readonly (readonly [name: string, signaled: boolean])[] = [
  ['HighMemoryCondition', true],
  ['LowMemoryCondition', false],
  ['HighPagedPoolCondition', true],
  ['LowPagedPoolCondition', false],
  ['HighNonPagedPoolCondition', true],
  ['LowNonPagedPoolCondition', false],
  ['HighCommitCondition', false],
  ['LowCommitCondition', true],
  ['MaximumCommitCondition', false],
];

export class ObjectManager {
  readonly types: ObjectType[] = [];
  readonly root: ObjectDirectory;
  private readonly counts = new Map<ObjectType, TypeStatistics>();
  private readonly typeDirectory: ObjectDirectory;

  constructor(private readonly machine: Machine) {
    this.criticalSectionEvent = new KeyedEvent(machine);
    for (const type of SYSTEM_TYPES) this.addType(type);
    this.root = new ObjectDirectory(machine);
    this.allocate(ObpDirectoryObjectType, this.root).permanent = true;
    for (const name of DIRECTORIES) this.addDirectory(name);
    for (const [name, directory] of [
      ['Device', deviceDirectory(machine)],
      ['Driver', driverDirectory(machine)],
    ] as const)
      this.addPermanent(this.root, name, ObpDirectoryObjectType, directory);
    this.addDirectory('KernelObjects', (directory) => {
      for (const [name, signaled] of CONDITIONS) {
        const event = machine.createEvent('notification', signaled);
        this.addPermanent(directory, name, ExEventObjectType, event);
      }
      const keyed = this.criticalSectionEvent;
      this.addPermanent(directory, 'CritSecOutOfMemoryEvent', ExpKeyedEventObjectType, keyed);
    });
    this.typeDirectory = this.addDirectory('ObjectTypes');
    for (const type of this.types) this.addTypeObject(type);
    for (const [parent, name, target] of LINKS) {
      const directory =
        parent === '' ? this.root : (this.root.lookup(parent, false)?.body as ObjectDirectory);
      const link = new SymbolicLink(machine, target, target.length * 2);
      this.addPermanent(directory, name, ObpSymbolicLinkObjectType, link);
    }
  }

  /** Where threads meet that name no keyed event of their own. */
  readonly criticalSectionEvent: KeyedEvent;
  private alwaysSignaled: KEvent | undefined;

  /** What stands for objects that are always signaled, when a thread waits for one. */
  get defaultObject(): KEvent {
    this.alwaysSignaled ??= this.machine.createEvent('notification', true);
    return this.alwaysSignaled;
  }

  /** How many objects and handles of a type there are. */
  statistics(type: ObjectType): TypeStatistics {
    return this.counts.get(type) as TypeStatistics;
  }

  typeIndex(type: ObjectType): number {
    return this.types.indexOf(type) + FIRST_TYPE_INDEX;
  }

  /** A type that a driver makes. */
  createType(type: ObjectType): void {
    this.addType(type);
    this.addTypeObject(type);
  }

  /** Gives a body its header, with one reference: that of whoever makes it. */
  allocate(type: ObjectType, body: ObjectBody): ObjectHeader {
    const header = new ObjectHeader(type, body);
    body.objectHeader = header;
    const counts = this.statistics(type);
    counts.objects++;
    counts.highWaterObjects = Math.max(counts.highWaterObjects, counts.objects);
    return header;
  }

  /** Puts an object that stays into the namespace; its one reference is the name's. */
  addPermanent(
    directory: ObjectDirectory,
    name: string,
    type: ObjectType,
    body: ObjectBody,
  ): ObjectHeader {
    const header = this.allocate(type, body);
    header.permanent = true;
    header.kernelObject = true;
    directory.insert(name, header);
    (directory.objectHeader as ObjectHeader).pointerCount++;
    return header;
  }

  private addDirectory(
    name: string,
    populate?: (directory: ObjectDirectory) => void,
  ): ObjectDirectory {
    const directory: ObjectDirectory = new ObjectDirectory(
      this.machine,
      populate === undefined ? undefined : () => populate(directory),
    );
    this.addPermanent(this.root, name, ObpDirectoryObjectType, directory);
    return directory;
  }

  private addType(type: ObjectType): void {
    this.types.push(type);
    this.counts.set(type, { objects: 0, handles: 0, highWaterObjects: 0, highWaterHandles: 0 });
  }

  private addTypeObject(type: ObjectType): void {
    const body = new TypeObject(this.machine, type);
    this.addPermanent(this.typeDirectory, type.name, ObpTypeObjectType, body);
  }
}

const managers = new PerMachine((machine) => new ObjectManager(machine));

/** What the object manager has for a machine. */
export function objectManager(machine: Machine): ObjectManager {
  return managers.of(machine);
}
