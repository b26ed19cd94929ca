import { plain, shared } from '#port';
import type { PortCore, PortEnvironment } from '../machine/port';

// The module `ntps/port.js`: what workers import. It stands alone.

interface Interpreter extends PortCore {
  attach(guestBase: number, guestBytes: number): void;
}

const modules = new Map<string, Promise<WebAssembly.Module>>();

function compiled(bytes: string): Promise<WebAssembly.Module> {
  const known = modules.get(bytes);
  if (known !== undefined) return known;
  const module = WebAssembly.compile(
    Uint8Array.from(atob(bytes), (letter) => letter.charCodeAt(0)),
  );
  modules.set(bytes, module);
  return module;
}

/** The reference port: a register machine in WebAssembly, on memory that is shared or not. */
export async function openPort(environment: PortEnvironment): Promise<PortCore> {
  const { memory, guestBase, guestBytes } = environment;
  // A module says of which of the two its memory is.
  const module = await compiled(memory.buffer instanceof ArrayBuffer ? plain : shared);
  const { exports } = await WebAssembly.instantiate(module, { env: { memory } });
  const interpreter = exports as unknown as Interpreter;
  interpreter.attach(guestBase, guestBytes);
  return interpreter;
}
