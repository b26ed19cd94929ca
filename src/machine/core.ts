import { instantiate } from '@assemblyscript/loader';
import bundled from '#core';
import { ABI, KSYSTEM, KTHREAD } from '../../assembly/shared/layout';
import { MachineError } from './errors';
import type { MachineMemory } from './memory';
import type { CoreImports, CoreSource } from './options';

/** The exports of the wasm module, as the loader hands them over. Addresses are bytes, handles f64. */
export interface CoreExports {
  KiAbiSignature(): number;
  KiAttach(): void;
  KiInitializeSystem(): number;
  KiRun(): number;
  KiSettleAccounts(): void;
  KiAdvanceFlight(processor: number, used: number): void;
  KiSettleFlights(known: number): number;
  KiLandAll(): number;
  hostCreateObject(type: number, state: number, limit: number): number;
  hostCreateMutant(apcDisable: number, owner: number): number;
  hostCreateTimer(type: number, attributes: number): number;
  hostSetTimer(timer: number, fromNow: number, period: number, dpc: number): number;
  hostCancelTimer(timer: number): number;
  hostSetTimerDpc(timer: number, dpc: number): void;
  hostCreateDpc(type: number, program: number, low: number, high: number): number;
  hostStartDpcThreads(): number;
  hostCreateBarrier(): number;
  hostDisownMutant(mutant: number): void;
  hostInsertQueueDpc(dpc: number, low1: number, high1: number, low2: number, high2: number): number;
  hostRemoveQueueDpc(dpc: number): number;
  hostCreateApc(
    thread: number,
    flags: number,
    normalRoutine: number,
    kernelRoutine: number,
    rundownRoutine: number,
    low: number,
    high: number,
  ): number;
  hostInsertQueueApc(
    apc: number,
    low1: number,
    high1: number,
    low2: number,
    high2: number,
    increment: number,
  ): number;
  hostRemoveQueueApc(apc: number): number;
  hostTakeUserApc(thread: number): number;
  hostSuspendThread(thread: number): number;
  hostFreezeThread(thread: number, frozen: number): number;
  hostResumeThread(thread: number): number;
  hostAlertThread(thread: number, mode: number): number;
  hostTerminateThread(thread: number, status: number): number;
  hostCanEnterCall(thread: number): number;
  hostAttachedProcess(thread: number): number;
  hostCreateSpinLock(): number;
  hostCreateInterrupt(
    irql: number,
    synchronizeIrql: number,
    spinLock: number,
    program: number,
    low: number,
    high: number,
  ): number;
  hostCreateQueue(maximum: number): number;
  hostInsertQueue(
    queue: number,
    low: number,
    high: number,
    atHead: number,
    priority: number,
  ): number;
  hostTakeQueueEntry(queue: number): void;
  hostRundownQueue(queue: number): void;
  hostSignalGate(gate: number, priority: number): void;
  hostDeleteObject(handle: number): number;
  hostAddress(handle: number): number;
  hostSetEvent(event: number, increment: number): number;
  hostPulseEvent(event: number, increment: number): number;
  hostResetEvent(event: number): number;
  hostReleaseSemaphore(semaphore: number, increment: number, adjustment: number): number;
  hostCreateProcess(
    parent: number,
    priorityClass: number,
    quantum: number,
    low: number,
    high: number,
  ): number;
  hostCreateThread(
    process: number,
    program: number,
    increment: number,
    low: number,
    high: number,
    flags: number,
  ): number;
  hostStartThread(thread: number): void;
  hostStartWaitingThread(thread: number, object: number): void;
  hostCloseThread(thread: number): void;
  hostCloseProcess(process: number): void;
  hostEndProcess(process: number): void;
  hostSetForeground(process: number, foreground: number, quantum: number): void;
  hostSetPriority(thread: number, priority: number): number;
  hostSetBasePriority(thread: number, increment: number): number;
  hostSetPriorityFloor(thread: number, floor: number): void;
  hostSetAffinity(thread: number, low: number, high: number): void;
  hostScheduleInterrupt(processor: number, time: number, object: number, increment: number): number;
  hostSetSystemTime(low: number, high: number): void;
  hostSetTimerResolution(resolution: number): void;
  hostRaiseIrql(level: number): number;
  hostApcRegion(thread: number, region: number, change: number): void;
  hostBugCheck(code: number, p1: number, p2: number, p3: number, p4: number): void;
}

/** What the core for workers has besides. */
export interface ThreadsExports extends CoreExports {
  KiBeginPiece(processor: number, piece: number): number;
  KiEngineTurn(owner: number): number;
  KiEndPiece(processor: number, used: number): void;
  KiWantsTurn(owner: number, patience: number): number;
  KiIdle(worker: number, count: number, epoch: number, spins: number, timeout: bigint): number;
  KiReleaseEngine(moved: number): void;
  KiWake(): void;
}

let bundledModule: Promise<WebAssembly.Module> | undefined;

/** The module that ships inside the bundle; compiled once. */
function compileBundled(): Promise<WebAssembly.Module> {
  bundledModule ??= WebAssembly.compile(
    Uint8Array.from(atob(bundled), (letter) => letter.charCodeAt(0)),
  );
  return bundledModule;
}

/** What workers need: their script, and the core for shared memory, compiled. */
export interface WorkerCode {
  readonly script: string;
  readonly module: WebAssembly.Module;
}

let workerCode: Promise<WorkerCode> | undefined;

async function compileWorkerCode(): Promise<WorkerCode> {
  const { core, script } = await import('#threads');
  const bytes = Uint8Array.from(atob(core), (letter) => letter.charCodeAt(0));
  return { script, module: await WebAssembly.compile(bytes) };
}

/** The code of workers, which is beside the bundle and loaded once; on another core for shared memory. */
export async function loadWorkerCode(core?: CoreSource): Promise<WorkerCode> {
  if (typeof core === 'function')
    throw new MachineError(
      'option core: workers need a module of ntps.threads.wasm or its bytes; a function makes no core that they could share',
    );
  workerCode ??= compileWorkerCode();
  const code = await workerCode;
  if (core === undefined) return code;
  const isBytes = core instanceof ArrayBuffer || ArrayBuffer.isView(core);
  return {
    script: code.script,
    module: isBytes ? await WebAssembly.compile(core as BufferSource) : core,
  };
}

/** Makes an instance of the core on `memory`, and refuses one that was built for another map. */
export async function instantiateCore(
  memory: MachineMemory,
  source?: CoreSource,
): Promise<CoreExports> {
  const imports: CoreImports = { env: { memory: memory.memory } };
  let exports: unknown;
  if (typeof source === 'function') {
    exports = await source(imports);
  } else {
    const module = source ?? (await compileBundled());
    try {
      exports = (await instantiate(module as WebAssembly.Module, imports)).exports;
    } catch (error) {
      if (!(error instanceof WebAssembly.LinkError)) throw error;
      throw new MachineError(
        `option core: ${error.message}; use ntps.threads.wasm with workers, ntps.wasm without`,
      );
    }
  }
  const core = exports as CoreExports;
  const expected = ABI.Signature ^ ABI.Version ^ (KSYSTEM.Size << 8) ^ (KTHREAD.Size << 16);
  if (typeof core.KiAbiSignature !== 'function' || core.KiAbiSignature() >>> 0 !== expected >>> 0) {
    throw new MachineError(
      'option core: this module is not the core of this version of ntps; use the ntps.wasm of the same package',
    );
  }
  return core;
}
