// @ts-check
import {
  ExAcquireFastMutex,
  ExGetPreviousMode,
  ExReleaseFastMutex,
  FastMutex,
  IoAllocateWorkItem,
  IoCreateDevice,
  IoDeleteDevice,
  IoFreeWorkItem,
  IoQueueWorkItem,
  KeClearEvent,
  KeSetEvent,
  KeWaitForSingleObject,
  KWAIT_REASON,
  MODE,
  OB_OPERATION,
  ObGetFilterVersion,
  ObRegisterCallbacks,
  ObUnRegisterCallbacks,
  PROCESS_ACCESS,
  PsGetCurrentProcessId,
  PsGetProcessId,
  PsGetThreadProcessId,
  PsProcessType,
  PsRemoveLoadImageNotifyRoutine,
  PsSetCreateProcessNotifyRoutineEx,
  PsSetLoadImageNotifyRoutine,
  PsThreadType,
  STATUS,
  THREAD_ACCESS,
  WORK_QUEUE_TYPE,
} from 'ntps';

/**
 * Protects processes: user mode cannot end, write to or take over those of some executables, and cannot
 * start others at all. What happens is written to a log by a worker thread, as a driver would that has to
 * write to a file: callbacks must not wait for that.
 *
 * @typedef {object} ProtectOptions
 * @property {readonly string[]} protect File names of the executables whose processes are protected,
 *   without regard to case.
 * @property {readonly string[]} block Of those that may not run.
 * @property {string} [altitude] Digits: which of all filters is asked first.
 * @property {(line: string) => void} [log] Given each line of the log, by a worker thread.
 */

/** What nobody in user mode gets of a protected process or thread. */
const PROCESS_DENIED =
  PROCESS_ACCESS.TERMINATE |
  PROCESS_ACCESS.CREATE_THREAD |
  PROCESS_ACCESS.VM_OPERATION |
  PROCESS_ACCESS.VM_WRITE |
  PROCESS_ACCESS.DUP_HANDLE |
  PROCESS_ACCESS.SET_INFORMATION |
  PROCESS_ACCESS.SUSPEND_RESUME;
const THREAD_DENIED =
  THREAD_ACCESS.TERMINATE |
  THREAD_ACCESS.SUSPEND_RESUME |
  THREAD_ACCESS.SET_CONTEXT |
  THREAD_ACCESS.SET_INFORMATION |
  THREAD_ACCESS.SET_THREAD_TOKEN;

const FILE_DEVICE_UNKNOWN = 0x22;

/** @param {string} path */
const fileName = (path) => path.slice(path.lastIndexOf('\\') + 1).toLowerCase();

/** The device extension, so to say: what the driver has from DriverEntry to DriverUnload. */
class Protection {
  /** Guards what follows. */
  mutex = new FastMutex('protect');
  /** @type {Map<number, string>} */
  #protected = new Map();
  /** @type {string[]} */
  #pending = [];
  #queued = false;
  /** @type {import('ntps').ObCallbackHandle | null} */
  callbacks = null;

  /**
   * @param {ProtectOptions} options
   * @param {import('ntps').DeviceObject} device
   * @param {import('ntps').IoWorkItem} workItem
   * @param {import('ntps').KEvent} idle Signaled while the work item is not queued.
   */
  constructor(options, device, workItem, idle) {
    this.options = options;
    this.device = device;
    this.workItem = workItem;
    this.idle = idle;
  }

  /**
   * Hands a line to the worker thread.
   *
   * @param {string} line
   */
  *report(line) {
    yield* ExAcquireFastMutex(this.mutex);
    this.#pending.push(line);
    const first = !this.#queued;
    this.#queued = true;
    if (first) yield* KeClearEvent(this.idle);
    yield* ExReleaseFastMutex(this.mutex);
    if (!first) return;
    const write = () => this.#write();
    yield* IoQueueWorkItem(this.workItem, write, WORK_QUEUE_TYPE.DelayedWorkQueue, null);
  }

  /** In a worker thread, until there is nothing left to write. */
  *#write() {
    for (;;) {
      yield* ExAcquireFastMutex(this.mutex);
      const lines = this.#pending;
      this.#pending = [];
      this.#queued = lines.length > 0;
      if (!this.#queued) yield* KeSetEvent(this.idle, 0, false);
      yield* ExReleaseFastMutex(this.mutex);
      if (lines.length === 0) return;
      for (const line of lines) this.options.log?.(line);
    }
  }

  /** @param {number} processId */
  *nameOf(processId) {
    yield* ExAcquireFastMutex(this.mutex);
    const name = this.#protected.get(processId);
    yield* ExReleaseFastMutex(this.mutex);
    return name;
  }

  /**
   * @param {number} processId
   * @param {string | undefined} name
   */
  *change(processId, name) {
    yield* ExAcquireFastMutex(this.mutex);
    if (name === undefined) this.#protected.delete(processId);
    else this.#protected.set(processId, name);
    yield* ExReleaseFastMutex(this.mutex);
  }
}

/**
 * The driver. `machine.loadDriver(protect({ protect: ['vault.exe'], block: ['stealer.exe'] }))`.
 *
 * @param {ProtectOptions} options
 * @returns {import('ntps').DriverOptions}
 */
export function protect(options) {
  const blocked = new Set(options.block.map(fileName));
  const guarded = new Set(options.protect.map(fileName));
  /** @type {Protection} */
  let state;

  /**
   * @param {import('ntps').KProcess} process
   * @param {number} processId
   * @param {import('ntps').PsCreateNotifyInfo | null} info
   */
  function* onProcess(process, processId, info) {
    if (info === null) {
      yield* state.change(processId, undefined);
      return;
    }
    const name = fileName(info.ImageFileName ?? '');
    if (blocked.has(name)) {
      info.CreationStatus = STATUS.ACCESS_DENIED;
      yield* state.report(`${name} was not let run, for process ${info.ParentProcessId}`);
    } else if (guarded.has(name)) {
      yield* state.change(PsGetProcessId(process), name);
      yield* state.report(`${name} is process ${processId}, and protected`);
    }
  }

  /**
   * @param {string | null} fullImageName
   * @param {number} processId
   */
  function* onImage(fullImageName, processId) {
    const name = yield* state.nameOf(processId);
    if (name === undefined || fullImageName === null) return;
    yield* state.report(`${name} loads ${fileName(fullImageName)}`);
  }

  /**
   * @param {unknown} _context
   * @param {import('ntps').ObPreOperationInformation} information
   */
  function* onHandle(_context, information) {
    if (information.KernelHandle || ExGetPreviousMode() === MODE.KernelMode) return;
    const isProcess = information.ObjectType === PsProcessType;
    const processId = isProcess
      ? PsGetProcessId(/** @type {import('ntps').KProcess} */ (information.Object))
      : PsGetThreadProcessId(/** @type {import('ntps').KThread} */ (information.Object));
    if (processId === PsGetCurrentProcessId()) return;
    const name = yield* state.nameOf(processId);
    if (name === undefined) return;
    const { Parameters } = information;
    const denied = Parameters.DesiredAccess & (isProcess ? PROCESS_DENIED : THREAD_DENIED);
    if (denied === 0) return;
    Parameters.DesiredAccess &= ~denied;
    const by = `process ${PsGetCurrentProcessId()}`;
    yield* state.report(`${name}: ${by} does not get access 0x${denied.toString(16)}`);
  }

  /** Registers everything, or as much as goes. */
  function* register() {
    const both = OB_OPERATION.HANDLE_CREATE | OB_OPERATION.HANDLE_DUPLICATE;
    const operation = { Operations: both, PreOperation: onHandle, PostOperation: null };
    const { status, registrationHandle } = yield* ObRegisterCallbacks({
      Version: ObGetFilterVersion(),
      Altitude: options.altitude ?? '321000',
      RegistrationContext: null,
      OperationRegistration: [
        { ObjectType: PsProcessType, ...operation },
        { ObjectType: PsThreadType, ...operation },
      ],
    });
    state.callbacks = registrationHandle;
    if (status !== STATUS.SUCCESS) return status;
    const image = yield* PsSetLoadImageNotifyRoutine(onImage);
    if (image !== STATUS.SUCCESS) return image;
    return yield* PsSetCreateProcessNotifyRoutineEx(onProcess, false);
  }

  /** Takes back what has been registered: then nothing of the driver is called any more. */
  function* unregister() {
    yield* PsSetCreateProcessNotifyRoutineEx(onProcess, true);
    yield* PsRemoveLoadImageNotifyRoutine(onImage);
    if (state.callbacks !== null) yield* ObUnRegisterCallbacks(state.callbacks);
    yield* KeWaitForSingleObject(state.idle, KWAIT_REASON.Executive, MODE.KernelMode, false, null);
    IoFreeWorkItem(state.workItem);
    state.idle.delete();
    IoDeleteDevice(state.device);
  }

  return {
    name: 'protect',
    *DriverEntry(driverObject) {
      const { status, deviceObject } = IoCreateDevice(
        driverObject,
        null,
        '\\Device\\Protect',
        FILE_DEVICE_UNKNOWN,
        0,
        false,
      );
      if (deviceObject === undefined) return status;
      const idle = driverObject.machine.createEvent('notification', true);
      state = new Protection(options, deviceObject, IoAllocateWorkItem(deviceObject), idle);
      const registered = yield* register();
      if (registered !== STATUS.SUCCESS) yield* unregister();
      return registered;
    },
    *DriverUnload() {
      yield* unregister();
    },
  };
}

/** For `ntps verify`, and `ntps run --events … --driver`: keeps Windows's own from being taken over, and logs to the console. */
export default protect({
  protect: ['lsass.exe', 'winlogon.exe'],
  block: ['mimikatz.exe'],
  log: (line) => console.log(`protect: ${line}`),
});
