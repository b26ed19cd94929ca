import type { CoreMemory } from '../options';

/** What the host tells a worker. */
export type ToWorker =
  | ({ readonly kind: 'attach' } & Attachment)
  | { readonly kind: 'port'; readonly index: number; readonly url: string; readonly data: unknown }
  | { readonly kind: 'go' }
  | { readonly kind: 'detach' };

/** What a worker is to know of a machine. */
export interface Attachment {
  /** Which of `count` workers it is: processors are dealt by number. */
  readonly index: number;
  readonly count: number;
  readonly processors: number;
  readonly memory: CoreMemory;
  /** The core for workers, compiled. */
  readonly module: unknown;
  /** Words that host and workers share besides: see CONTROL. */
  readonly control: Int32Array;
  readonly flightBase: number;
  readonly engineBase: number;
  readonly guestBase: number;
  readonly guestBytes: number;
  /** Ns that a guest runs before its worker looks round. */
  readonly pieceNs: number;
  /** How often it looks before it sleeps. */
  readonly spins: number;
  readonly pauseUs: number;
}

/** What a worker tells the host. */
export type FromWorker =
  | { readonly kind: 'attached' | 'detached' | 'port'; readonly error?: string }
  /** The host has the kernel. */
  | { readonly kind: 'turn' };

/** The words of `control`. */
export const enum CONTROL {
  /** A worker's number plus one: it has failed. */
  Failed = 0,
  /** The processor whose guest it ran then, plus one. */
  FailedProcessor = 1,
  /** Characters of what it said. */
  TextLength = 2,
  /** 1: workers are to wait for a message as soon as they have nothing to do. */
  Leave = 3,
  /** What nobody changes: to wait for. */
  Nothing = 4,
  Text = 5,
  TextEnd = Text + 256,
  /** One WORKER_STATE a worker. */
  State = TextEnd,
}

export const enum WORKER_STATE {
  /** It waits for a message. */
  Parked = 0,
  /** It works, or waits in memory. */
  Active = 1,
}
