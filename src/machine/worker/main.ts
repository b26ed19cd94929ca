import { KENGINE, KFLIGHT } from '../../../assembly/shared/layout';
import { ENGINE, FLIGHT } from '../../../assembly/shared/types';
import type { ThreadsExports } from '../core';
import type { PortCore, PortModule } from '../port';
import { runGuest } from '../port-contract';
import { type Attachment, CONTROL, type FromWorker, type ToWorker, WORKER_STATE } from './messages';

/**
 * The script of a worker: it advances the flights of its processors, and steps the kernel when nobody
 * else does. It is one file without imports, in Node and in browsers.
 */

interface Parent {
  tell(message: FromWorker): void;
  listen(listener: (message: ToWorker) => void): void;
  /** Calls back when the worker ends by itself; the host may be waiting in memory, and hears of nothing there. */
  beforeExit(listener: (code: number) => void): void;
}

/** The end of a channel, as Node has it. */
interface NodePort {
  postMessage(message: FromWorker): void;
  on(event: 'message', listener: (message: ToWorker) => void): void;
}

interface NodeProcess {
  on(event: 'exit', listener: (code: number) => void): void;
}

/** Ns that it sleeps at the most before it looks anyway. */
const SLEEP_NS = 5_000_000n;
/** How often it looks whether another, who had the kernel last, takes it: for as long as a piece takes. */
const PATIENCE = 2000;
/** Sleeps without a change after which it waits for a message, while the host has the kernel. */
const SLEEPS = 4;

/** What a turn with the kernel came to. */
const enum TURN {
  Failed = -1,
  /** Another has it. */
  None = 0,
  Done = 1,
  Host = 2,
}

async function findParent(): Promise<Parent> {
  const scope = globalThis as unknown as {
    postMessage?: (message: unknown) => void;
    onmessage?: (event: { data: ToWorker }) => void;
  };
  if (typeof scope.postMessage === 'function') {
    return {
      tell: (message) => scope.postMessage?.(message),
      listen: (listener) => {
        scope.onmessage = ({ data }) => listener(data);
      },
      // One of a browser waits for messages for ever.
      beforeExit: () => undefined,
    };
  }
  const name = 'node:worker_threads';
  const { parentPort } = (await import(name)) as { parentPort: NodePort };
  const { process: nodeProcess } = globalThis as unknown as { process: NodeProcess };
  return {
    tell: (message) => parentPort.postMessage(message),
    listen: (listener) => {
      parentPort.on('message', listener);
    },
    beforeExit: (listener) => {
      nodeProcess.on('exit', listener);
    },
  };
}

/** What a worker does for one machine. */
class Job {
  private readonly words: Uint32Array;
  private readonly signed: Int32Array;
  private readonly ports: PortCore[] = [];
  private readonly random: () => number;
  /** Whose guest it runs; -1: none. */
  private running = -1;

  constructor(
    private readonly parent: Parent,
    private readonly attachment: Attachment,
    private readonly core: ThreadsExports,
  ) {
    this.words = new Uint32Array(attachment.memory.buffer);
    this.signed = new Int32Array(attachment.memory.buffer);
    let seed = attachment.index + 1;
    this.random = () => {
      seed = (Math.imul(seed, 1_664_525) + 1_013_904_223 + Date.now()) >>> 0;
      return seed / 2 ** 32;
    };
  }

  async open(index: number, url: string, data: unknown): Promise<void> {
    const module = (await import(/* @vite-ignore */ url)) as PortModule;
    const { memory, guestBase, guestBytes } = this.attachment;
    this.ports[index] = await module.openPort({ memory, guestBase, guestBytes, data });
  }

  private engineWord(field: number): number {
    return Atomics.load(this.words, (this.attachment.engineBase + field) >>> 2);
  }

  /** Works until the host has kept the kernel for a while. */
  work(): void {
    const { index, count, spins, pauseUs } = this.attachment;
    const { core } = this;
    let sleeps = 0;
    for (;;) {
      const ran = this.advance();
      if (ran < 0) return;
      if (pauseUs !== 0) this.pause();
      const isDue = core.KiWantsTurn(index + 1, ran > 0 ? 0 : PATIENCE) !== 0;
      if (isDue && this.takeTurn() === TURN.Failed) return;
      if (ran > 0 || isDue) {
        sleeps = 0;
        continue;
      }
      // What is changed after this shows in the epoch.
      const epoch = this.engineWord(KENGINE.Epoch);
      if ((sleeps > SLEEPS || this.isToLeave()) && this.park()) return;
      // Who has slept for nothing is not needed soon.
      const looks = sleeps === 0 ? spins : 0;
      sleeps = core.KiIdle(index, count, epoch, looks, SLEEP_NS) === 0 ? sleeps + 1 : 0;
    }
  }

  private isToLeave(): boolean {
    return Atomics.load(this.attachment.control, CONTROL.Leave) !== 0;
  }

  /** Whether the host has the kernel. */
  private isHostsTurn(): boolean {
    return this.engineWord(KENGINE.Owner) === ENGINE.Host;
  }

  /** Waits for a message from now on, unless the kernel is not the host's. */
  private park(): boolean {
    const { control, index } = this.attachment;
    if (!this.isHostsTurn()) return false;
    const word = CONTROL.State + index;
    Atomics.store(control, word, WORKER_STATE.Parked);
    if (this.isHostsTurn()) return true;
    // The host has let go of it meanwhile; if it has seen the worker parked, a message comes too.
    Atomics.store(control, word, WORKER_STATE.Active);
    return false;
  }

  private takeTurn(): TURN {
    try {
      const turn = this.core.KiEngineTurn(this.attachment.index + 1);
      if (turn === TURN.Host && this.engineWord(KENGINE.Message) !== 0)
        this.parent.tell({ kind: 'turn' });
      return turn;
    } catch (error) {
      this.fail(-1, error);
      return TURN.Failed;
    }
  }

  /** Runs each of its flights for a piece; how many. -1: it has failed. */
  private advance(): number {
    const { index, count, processors, pieceNs } = this.attachment;
    const { core } = this;
    let ran = 0;
    for (let processor = index; processor < processors; processor += count) {
      const budget = core.KiBeginPiece(processor, pieceNs);
      if (budget === 0) continue;
      if (!this.run(processor, budget)) return -1;
      ran++;
    }
    return ran;
  }

  private run(processor: number, budget: number): boolean {
    const { words } = this;
    const flight = this.attachment.flightBase + processor * KFLIGHT.Size;
    this.running = processor;
    try {
      this.core.KiEndPiece(processor, runGuest(words, flight, this.ports, budget));
      return true;
    } catch (error) {
      Atomics.store(words, (flight + KFLIGHT.State) >>> 2, FLIGHT.Aloft);
      this.fail(processor, error);
      return false;
    } finally {
      this.running = -1;
    }
  }

  /** The worker ends. */
  exit(code: number): void {
    this.fail(this.running, `it exited with ${code}`);
  }

  /** Tells the host what went wrong, in memory: it may be waiting there. */
  private fail(processor: number, error: unknown): void {
    const { control, index, engineBase } = this.attachment;
    const text = String(error instanceof Error ? error.message : error);
    if (Atomics.compareExchange(control, CONTROL.Failed, 0, -1) !== 0) return;
    const length = Math.min(text.length, CONTROL.TextEnd - CONTROL.Text);
    for (let at = 0; at < length; at++) control[CONTROL.Text + at] = text.charCodeAt(at);
    control[CONTROL.TextLength] = length;
    control[CONTROL.FailedProcessor] = processor + 1;
    Atomics.store(control, CONTROL.Failed, index + 1);
    const turn = (engineBase + KENGINE.HostTurn) >>> 2;
    Atomics.store(this.signed, turn, 1);
    Atomics.notify(this.signed, turn);
    this.parent.tell({ kind: 'turn' });
  }

  private pause(): void {
    if (this.random() < 0.5) return;
    const us = this.random() * this.attachment.pauseUs;
    if (this.random() < 0.5) {
      Atomics.wait(this.attachment.control, CONTROL.Nothing, 0, us / 1000);
      return;
    }
    const end = performance.now() + us / 1000;
    while (performance.now() < end);
  }
}

async function answer(
  parent: Parent,
  kind: 'attached' | 'detached' | 'port',
  action: () => unknown,
): Promise<void> {
  try {
    await action();
    parent.tell({ kind });
  } catch (error) {
    parent.tell({ kind, error: String(error instanceof Error ? error.message : error) });
  }
}

async function attach(parent: Parent, attachment: Attachment): Promise<Job> {
  const imports = { env: { memory: attachment.memory } };
  const module = attachment.module as WebAssembly.Module;
  const { exports } = await WebAssembly.instantiate(module, imports);
  const core = exports as unknown as ThreadsExports;
  core.KiAttach();
  return new Job(parent, attachment, core);
}

const parent = await findParent();
let job: Job | undefined;
parent.beforeExit((code) => job?.exit(code));
parent.listen((message) => {
  if (message.kind === 'attach') {
    void answer(parent, 'attached', async () => {
      job = await attach(parent, message);
    });
  } else if (message.kind === 'port') {
    const { index, url, data } = message;
    void answer(parent, 'port', () => job?.open(index, url, data));
  } else if (message.kind === 'detach') {
    void answer(parent, 'detached', () => {
      job = undefined;
    });
  } else job?.work();
});
