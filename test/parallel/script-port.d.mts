import type { PortCore } from '../../src/index';

export declare function openPort(environment: {
  readonly memory: { readonly buffer: ArrayBufferLike };
  readonly guestBase: number;
}): PortCore;
