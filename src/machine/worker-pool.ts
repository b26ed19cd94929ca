import { MachineError } from './errors';
import type { FromWorker, ToWorker } from './worker/messages';

/** A worker of the host's, of Node or of a browser. */
export interface WorkerHandle {
  tell(message: ToWorker): void;
  /** What it says next; an error if it ends first. */
  next(): Promise<FromWorker>;
  /** Called with what it says, from now on; undefined: nobody is. */
  listener: ((message: FromWorker) => void) | undefined;
  /** Called when it ends without being told to. */
  ended: ((why: string) => void) | undefined;
  /** Whether the process stays for it. */
  hold(held: boolean): void;
  end(): Promise<void>;
}

/** The host has workers, but does not let this one be made, or load its script. */
export class NoWorkerError extends MachineError {}

interface Underlying {
  postMessage(message: unknown): void;
  terminate(): unknown;
  ref?(): void;
  unref?(): void;
}

/** What is the same in Node and browsers. */
class Handle implements WorkerHandle {
  listener: ((message: FromWorker) => void) | undefined;
  ended: ((why: string) => void) | undefined;
  private waiting: { resolve(message: FromWorker): void; reject(error: Error): void } | undefined;
  private why: string | undefined;

  constructor(private readonly worker: Underlying) {
    worker.unref?.();
  }

  receive(message: FromWorker): void {
    const { waiting } = this;
    if (waiting === undefined || message.kind === 'turn') this.listener?.(message);
    else {
      this.waiting = undefined;
      waiting.resolve(message);
    }
  }

  end(): Promise<void> {
    this.ended = undefined;
    this.why ??= 'it was ended';
    return Promise.resolve(this.worker.terminate()).then(() => undefined);
  }

  fail(why: string): void {
    if (this.why !== undefined) return;
    this.why = why;
    this.waiting?.reject(new MachineError(`a worker has ended: ${why}`));
    this.ended?.(why);
  }

  tell(message: ToWorker): void {
    this.worker.postMessage(message);
  }

  next(): Promise<FromWorker> {
    if (this.why !== undefined)
      return Promise.reject(new MachineError(`a worker has ended: ${this.why}`));
    return new Promise((resolve, reject) => {
      this.waiting = { resolve, reject };
    });
  }

  hold(held: boolean): void {
    if (held) this.worker.ref?.();
    else this.worker.unref?.();
  }
}

async function makeNodeWorker(script: string): Promise<WorkerHandle> {
  const name = 'node:worker_threads';
  const { Worker: NodeWorker } = (await import(/* @vite-ignore */ name)) as {
    Worker: new (
      url: URL,
    ) => Underlying & { on(event: string, listener: (value: never) => void): void };
  };
  const url = new URL(`data:text/javascript,${encodeURIComponent(script)}`);
  const worker = new NodeWorker(url);
  const handle = new Handle(worker);
  worker.on('message', (message: FromWorker) => handle.receive(message));
  worker.on('error', (error: Error) => handle.fail(error.message));
  worker.on('exit', (code: number) => handle.fail(`it exited with ${code}`));
  return handle;
}

function makeWebWorker(script: string): WorkerHandle {
  const url = URL.createObjectURL(new Blob([script], { type: 'text/javascript' }));
  const worker = new Worker(url, { type: 'module' });
  const handle = new Handle(worker);
  worker.onmessage = ({ data }) => handle.receive(data as FromWorker);
  worker.onerror = (event) => handle.fail(event.message || 'its script was not loaded');
  return handle;
}

/** Whether the host is Node. */
export function isNode(): boolean {
  const { process } = globalThis as { process?: { versions?: { node?: string } } };
  return process?.versions?.node !== undefined;
}

export async function endAll(workers: readonly WorkerHandle[]): Promise<void> {
  await Promise.all(workers.map((worker) => worker.end()));
}

/** How many workers can run at once here. */
export async function hostProcessors(): Promise<number> {
  if (!isNode()) return navigator.hardwareConcurrency;
  const name = 'node:os';
  const os = (await import(/* @vite-ignore */ name)) as { availableParallelism(): number };
  return os.availableParallelism();
}

/** What the host lacks for workers that share a machine's memory; undefined: nothing. */
export function lackingForWorkers(): string | undefined {
  const scope = globalThis as { crossOriginIsolated?: boolean; Worker?: unknown };
  if (!isNode() && scope.Worker === undefined) return 'this host has no Worker';
  if (!isNode() && scope.crossOriginIsolated === false) {
    return 'the page is not cross-origin isolated; serve it with the headers Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp';
  }
  if (typeof SharedArrayBuffer === 'undefined') return 'this host has no SharedArrayBuffer';
  return undefined;
}

/**
 * Workers that many machines use one after the other: a machine takes them when it is made with
 * `workerPool`, and gives them back when it is disposed of. Dispose of the pool at the end.
 */
export class WorkerPool {
  private readonly idle: WorkerHandle[] = [];
  private disposed = false;

  /** Workers that nobody uses. */
  get size(): number {
    return this.idle.length;
  }

  /** @internal So many workers that run `script`, made if need be. NoWorkerError: that cannot be. */
  async take(count: number, script: string): Promise<WorkerHandle[]> {
    if (this.disposed) throw new MachineError('the WorkerPool has been disposed of');
    const workers = this.idle.splice(0, count);
    try {
      while (workers.length < count) {
        workers.push(isNode() ? await makeNodeWorker(script) : makeWebWorker(script));
      }
      return workers;
    } catch (error) {
      await endAll(workers);
      throw new NoWorkerError(error instanceof Error ? error.message : String(error));
    }
  }

  /** @internal Takes workers back. */
  async give(workers: readonly WorkerHandle[]): Promise<void> {
    if (this.disposed) await endAll(workers);
    else this.idle.push(...workers);
  }

  /** Ends the workers that nobody uses, and the others when they come back. */
  async dispose(): Promise<void> {
    this.disposed = true;
    await endAll(this.idle.splice(0));
  }
}
