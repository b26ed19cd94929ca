import { BUGCHECK } from '../../assembly/shared/bugcheck';
import { OP } from '../../assembly/shared/opcode';
import { STATUS } from '../../assembly/shared/status';
import { MODE } from '../../assembly/shared/types';
import { type GuestResult, KDpc } from './dpc';
import { MachineError } from './errors';
import { requireKnown, requireStatus } from './given';
import { invokeWatched, nameOfRoutine, type Request } from './guest';
import { encode } from './instruction';
import type { Machine } from './machine';
import { requireInteger } from './profile';
import { KInterrupt } from './spinlock';
import type { KernelObject, KThread } from './views';

/** DRIVER_INITIALIZE: an NTSTATUS; an error, and the driver is not loaded. At PASSIVE_LEVEL, in a system thread. */
export type DriverInitialize = (
  driverObject: DriverObject,
  registryPath: string,
) => GuestResult<number>;

/** DRIVER_UNLOAD: takes back what the driver has registered. At PASSIVE_LEVEL, in a system thread. */
export type DriverUnloadRoutine = (driverObject: DriverObject) => GuestResult;

/** What is looked at of a driver's file. */
export interface DriverImageOptions {
  /** Default: `\SystemRoot\System32\drivers\NAME.sys`. */
  readonly path?: string;
  /** Where it is loaded; default: behind the others. Addresses are numbers: nothing is there. */
  readonly base?: number;
  /** Bytes. Default 64 KiB. */
  readonly size?: number;
  /** Bits of IMAGE_DLLCHARACTERISTICS. Default: those of a driver linked with /INTEGRITYCHECK. */
  readonly dllCharacteristics?: number;
  /** Whether it has a signature that the kernel accepts. Default true. */
  readonly signed?: boolean;
}

export type DriverImage = Required<DriverImageOptions>;

export interface DriverOptions {
  /** Of the service and the driver object. */
  readonly name: string;
  readonly image?: DriverImageOptions;
  readonly DriverEntry: DriverInitialize;
  /** DriverEntry may set it too. Without one the driver stays loaded. */
  readonly DriverUnload?: DriverUnloadRoutine;
}

/** Bits of OptionalHeader.DllCharacteristics that the kernel looks at. */
export const enum IMAGE_DLLCHARACTERISTICS {
  DYNAMIC_BASE = 0x40,
  /** Some callbacks are refused to a driver without it: linker option /INTEGRITYCHECK. */
  FORCE_INTEGRITY = 0x80,
  NX_COMPAT = 0x100,
}

/** Something of a driver that was still in use when the driver was gone. */
export interface DriverLeftover {
  /** In words, such as `a queued DPC of onTick`. */
  readonly what: string;
  /** Of the routine that would have been called. */
  readonly routine?: object;
}

/** Looks for what a driver has left behind. */
export type UnloadCheck = (driver: DriverObject) => readonly DriverLeftover[];

/** Called in the loading thread when a driver's image is in memory, before its DriverEntry. */
export type DriverLoadHook = (driver: DriverObject) => Generator<Request, void, number>;

/** An object of the I/O manager that others may refer to. */
export abstract class IoObject {
  private references = 1;
  /** @internal What the object manager keeps of it. */
  objectHeader: object | undefined;

  abstract readonly machine: Machine;

  /** PointerCount. */
  get pointerCount(): number {
    return this.references;
  }

  reference(): void {
    this.references++;
  }

  dereference(): void {
    this.references--;
    if (this.references === 0) this.release();
  }

  /** Nobody refers to it any more. */
  protected abstract release(): void;
}

/** DRIVER_OBJECT. What others are given of a driver. */
export class DriverObject extends IoObject {
  DriverUnload: DriverUnloadRoutine | null;
  /** The driver's devices, the one that was created last first. */
  readonly devices: DeviceObject[] = [];
  /** @internal Its system threads that have not ended. */
  readonly threads = new Set<KThread>();
  private stage: 'loading' | 'loaded' | 'failed' | 'unloading' | 'unloaded' = 'loading';
  private result: number = STATUS.PENDING;

  constructor(
    readonly machine: Machine,
    readonly name: string,
    readonly image: DriverImage,
    unload: DriverUnloadRoutine | null,
  ) {
    super();
    this.DriverUnload = unload;
  }

  get DriverName(): string {
    return `\\Driver\\${this.name}`;
  }

  get registryPath(): string {
    return `${SERVICES}${this.name}`;
  }

  get DriverStart(): number {
    return this.image.base;
  }

  get DriverSize(): number {
    return this.image.size;
  }

  /** Head of the list of devices. */
  get DeviceObject(): DeviceObject | null {
    return this.devices[0] ?? null;
  }

  /** 'failed' if DriverEntry did; 'unloading' until nobody refers to it or its devices. */
  get state(): 'loading' | 'loaded' | 'failed' | 'unloading' | 'unloaded' {
    return this.stage;
  }

  /** Whether its image has gone. */
  get unloaded(): boolean {
    return this.stage === 'unloaded' || (this.stage === 'failed' && this.pointerCount === 0);
  }

  /** What DriverEntry returned; STATUS_PENDING before. */
  get status(): number {
    return this.result;
  }

  /** Whether callbacks that need it accept the driver's routines: signed, and linked with /INTEGRITYCHECK. */
  get forceIntegrity(): boolean {
    const { signed, dllCharacteristics } = this.image;
    return signed && (dllCharacteristics & IMAGE_DLLCHARACTERISTICS.FORCE_INTEGRITY) !== 0;
  }

  /** Unloads it, from outside any guest: in a system thread, behind the loads and unloads asked for before. */
  unload(): void {
    if (this.stage !== 'loaded')
      throw new MachineError(
        `unload: driver '${this.name}' is ${this.stage}; only a loaded one is unloaded`,
      );
    if (this.DriverUnload === null)
      throw new MachineError(
        `unload: driver '${this.name}' has no DriverUnload, so it stays loaded (STATUS_INVALID_DEVICE_REQUEST); give one to loadDriver, or set driverObject.DriverUnload in DriverEntry`,
      );
    this.machine.drivers.requestUnload(this);
  }

  /** @internal DriverEntry has returned. */
  initialized(status: number): void {
    this.result = status;
    const success = (status | 0) >= 0;
    this.stage = success ? 'loaded' : 'failed';
    if (!success) this.dereference();
  }

  /** @internal */
  beginUnload(): void {
    this.stage = 'unloading';
  }

  protected override release(): void {
    if (this.stage === 'unloading') this.stage = 'unloaded';
    this.machine.drivers.remove(this);
  }
}

/** DEVICE_OBJECT. */
export class DeviceObject extends IoObject {
  private deleted = false;

  constructor(
    readonly driverObject: DriverObject,
    /** Undefined: it has no name. */
    readonly name: string | undefined,
    readonly deviceType: number,
    readonly characteristics: number,
    /** DeviceExtension: the driver's own. */
    readonly deviceExtension: unknown,
  ) {
    super();
    driverObject.reference();
    driverObject.devices.unshift(this);
  }

  get machine(): Machine {
    return this.driverObject.machine;
  }

  /** IoDeleteDevice was called for it; it is there until nobody refers to it. */
  get deletePending(): boolean {
    return this.deleted;
  }

  /** @internal */
  delete(): void {
    if (this.deleted)
      throw new MachineError(`device ${this.name ?? 'without a name'} has been deleted already`);
    this.deleted = true;
    this.dereference();
  }

  protected override release(): void {
    const { devices } = this.driverObject;
    devices.splice(devices.indexOf(this), 1);
    this.driverObject.dereference();
  }
}

const SERVICES = '\\Registry\\Machine\\System\\CurrentControlSet\\Services\\';

/** Addresses of images that are given none, and of routines that are in no image. */
const FIRST_IMAGE = 0xffff_f801 * 2 ** 32;
const KERNEL_IMAGE = 0xffff_f800 * 2 ** 32;
/** Where objects of the host's are. */
const POOL = 0xffff_a800 * 2 ** 32;
const IMAGE_DISTANCE = 2 ** 24;
/** Bytes from an image's base to its first routine, and from each to the next: numbers hold multiples of 2048 exactly there. */
const ROUTINE_BYTES = 0x800;

/** The cause of DRIVER_UNLOADED_WITHOUT_CANCELLING_PENDING_OPERATIONS. */
export class DriverUnloadError extends Error {
  override readonly name = 'DriverUnloadError';

  constructor(
    readonly driver: DriverObject,
    readonly leftovers: readonly DriverLeftover[],
  ) {
    const what = leftovers.map((leftover) => leftover.what).join(', ');
    super(`driver '${driver.name}' was unloaded and left ${what}`);
  }
}

/** Something for the loading thread to do. */
interface Job {
  readonly driver: DriverObject;
  /** Undefined: unload it. */
  readonly entry: DriverInitialize | undefined;
  readonly done: (() => void) | undefined;
}

/** The drivers of a machine. One system thread loads and unloads them, one after the other. */
export class Drivers {
  private readonly loaded: DriverObject[] = [];
  private readonly services = new Map<string, DriverOptions>();
  private readonly checks: UnloadCheck[] = [];
  private readonly hooks: DriverLoadHook[] = [];
  private readonly jobs: Job[] = [];
  private loading = false;
  private images = 0;
  private readonly addresses = new WeakMap<object, number>();
  /** How many routines or objects have addresses behind each of these. */
  private readonly counts = new Map<number, number>();

  constructor(private readonly machine: Machine) {
    this.onUnload(leftThreads);
    this.onUnload((driver) => leftObjects(driver, machine.hostObjectList()));
  }

  /** Those that are loaded or being loaded or unloaded, in the order in which they were asked for. */
  get list(): readonly DriverObject[] {
    return this.loaded;
  }

  /** By its name or that of its service, in any case; undefined: it is not loaded. */
  find(name: string): DriverObject | undefined {
    const key = serviceName(name);
    return this.loaded.find((driver) => driver.name.toLowerCase() === key);
  }

  /** Makes a driver known, for ZwLoadDriver. */
  define(options: DriverOptions): void {
    this.services.set(checkOptions(options).name.toLowerCase(), options);
  }

  /** What is known of a service, by its name or registry path. */
  service(name: string): DriverOptions | undefined {
    return this.services.get(serviceName(name));
  }

  /**
   * Adds a check of what a driver left behind. It is made when the last reference to an unloaded driver
   * is gone; anything found is bugcheck DRIVER_UNLOADED_WITHOUT_CANCELLING_PENDING_OPERATIONS.
   */
  onUnload(check: UnloadCheck): void {
    this.checks.push(check);
  }

  /** Adds what is to be done when an image is in memory, before DriverEntry; in the loading thread. */
  onLoad(hook: DriverLoadHook): void {
    this.hooks.push(hook);
  }

  /** @internal Asks for a driver to be loaded; `done` is called when DriverEntry has returned. */
  requestLoad(options: DriverOptions, done?: () => void): DriverObject {
    const { name, DriverEntry, DriverUnload = null } = checkOptions(options);
    if (this.find(name) !== undefined)
      throw new MachineError(`loadDriver: driver '${name}' is loaded; unload it first`);
    this.define(options);
    const driver = new DriverObject(this.machine, name, this.imageOf(options), DriverUnload);
    this.loaded.push(driver);
    this.add({ driver, entry: DriverEntry, done });
    return driver;
  }

  /** @internal Asks for a driver that has a DriverUnload to be unloaded. */
  requestUnload(driver: DriverObject, done?: () => void): void {
    driver.beginUnload();
    this.add({ driver, entry: undefined, done });
  }

  /**
   * A number for a routine or an object of the host's, for parameters of bugchecks. A routine's is in
   * the image of the driver whose code first gave it to the kernel.
   */
  addressOf(object: object, driver = this.machine.guests.currentDriver): number {
    const known = this.addresses.get(object);
    if (known !== undefined) return known;
    const owner = typeof object === 'function' ? (driver?.image.base ?? KERNEL_IMAGE) : POOL;
    const count = (this.counts.get(owner) ?? 0) + 1;
    this.counts.set(owner, count);
    const address = owner + count * ROUTINE_BYTES;
    this.addresses.set(object, address);
    return address;
  }

  /** A number for any value: a whole number is its own. */
  numberOf(value: unknown): number {
    if (typeof value === 'number') return Number.isSafeInteger(value) && value >= 0 ? value : 0;
    const known = typeof value === 'function' || (typeof value === 'object' && value !== null);
    return known ? this.addressOf(value) : 0;
  }

  /** @internal The last reference to a driver is gone, and with it its image. */
  remove(driver: DriverObject): void {
    this.loaded.splice(this.loaded.indexOf(driver), 1);
    const leftovers = this.checks.flatMap((check) => check(driver));
    const [first] = leftovers;
    if (first === undefined) return;
    const address = this.addressOf(first.routine ?? driver, driver);
    const code = BUGCHECK.DRIVER_UNLOADED_WITHOUT_CANCELLING_PENDING_OPERATIONS;
    this.machine.bugCheck(code, address, 0, address);
    throw new DriverUnloadError(driver, leftovers);
  }

  private imageOf({ name, image = {} }: DriverOptions): DriverImage {
    const size = requireInteger('image.size', image.size ?? 0x10000, 0x1000, IMAGE_DISTANCE);
    const base = image.base ?? FIRST_IMAGE + this.images++ * IMAGE_DISTANCE;
    requireInteger('image.base', base, 0x10000, 2 ** 64 - 1);
    const characteristics =
      IMAGE_DLLCHARACTERISTICS.DYNAMIC_BASE |
      IMAGE_DLLCHARACTERISTICS.FORCE_INTEGRITY |
      IMAGE_DLLCHARACTERISTICS.NX_COMPAT;
    return {
      path: image.path ?? `\\SystemRoot\\System32\\drivers\\${name}.sys`,
      base,
      size,
      dllCharacteristics: image.dllCharacteristics ?? characteristics,
      signed: image.signed ?? true,
    };
  }

  private add(job: Job): void {
    this.jobs.push(job);
    if (this.loading) return;
    this.loading = true;
    const drivers = this;
    this.machine.createThread(
      this.machine.systemProcess,
      function* IopLoadUnloadDriver() {
        yield* drivers.work();
      },
      { name: 'driver loader' },
    );
  }

  /** What the loading thread does: it ends when there is nothing left. */
  private *work(): Generator<Request, void, number> {
    const { ddi } = this.machine.profile.costs;
    for (let job = this.jobs.shift(); job !== undefined; job = this.jobs.shift()) {
      yield [encode(OP.Compute, MODE.KernelMode), ddi, 0];
      if (job.entry === undefined) yield* this.unload(job.driver);
      else yield* this.initialize(job.driver, job.entry);
      job.done?.();
    }
    this.loading = false;
  }

  private *initialize(
    driver: DriverObject,
    entry: DriverInitialize,
  ): Generator<Request, void, number> {
    for (const hook of this.hooks) yield* hook(driver);
    const status = yield* invokeWatched('DriverEntry', driver, entry, driver, driver.registryPath);
    driver.initialized(
      requireStatus(`what DriverEntry of driver '${driver.name}' returned`, status),
    );
  }

  private *unload(driver: DriverObject): Generator<Request, void, number> {
    if (driver.DriverUnload !== null)
      yield* invokeWatched('DriverUnload', driver, driver.DriverUnload, driver);
    driver.dereference();
  }
}

/** The name of a service in lower case, of its registry path too. */
function serviceName(name: string): string {
  const lower = name.toLowerCase();
  return lower.startsWith(SERVICES.toLowerCase()) ? lower.slice(SERVICES.length) : lower;
}

const OPTION_NAMES = ['name', 'image', 'DriverEntry', 'DriverUnload'];
const IMAGE_NAMES = ['path', 'base', 'size', 'dllCharacteristics', 'signed'];

function checkOptions(options: DriverOptions): DriverOptions {
  requireKnown('loadDriver: options', options, OPTION_NAMES, 'no field of a driver');
  if (options.image !== undefined)
    requireKnown('loadDriver: image', options.image, IMAGE_NAMES, 'no field of an image');
  if (typeof options.name !== 'string' || !/^[^\\/]+$/.test(options.name))
    throw new MachineError(
      `loadDriver: name is '${String(options.name)}'; give that of a service, without \\`,
    );
  if (typeof options.DriverEntry !== 'function')
    throw new MachineError(`loadDriver: driver '${options.name}' has no DriverEntry; give one`);
  return options;
}

/** Of the routines that a driver gave to objects, those that could still be called. */
function leftObjects(driver: DriverObject, objects: Iterable<KernelObject>): DriverLeftover[] {
  const left: DriverLeftover[] = [];
  for (const object of objects) {
    if (object instanceof KDpc && object.driver === driver && object.exists && object.pending) {
      const routine = object.deferredRoutine ?? object;
      left.push({ what: `a DPC of ${object.routineName}, queued or of a timer`, routine });
    } else if (object instanceof KInterrupt && object.driver === driver && object.exists) {
      const routine = object.serviceRoutine;
      left.push({ what: `a connected interrupt of ${nameOfRoutine(routine)}`, routine });
    }
  }
  return left;
}

function leftThreads(driver: DriverObject): DriverLeftover[] {
  return [...driver.threads].map(({ name }) => ({ what: `system thread '${name}'` }));
}
