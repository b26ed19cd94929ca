import { STATUS } from '../../assembly/shared/status';
import { MachineError } from './errors';
import { forget } from './generator';
import type { Machine } from './machine';
import type { KernelObject } from './views';

/** What the host is given, in words and as it must be. */

/** A value as messages show it. */
export function inWords(value: unknown): string {
  if (typeof value === 'string') return `'${value}', a string`;
  if (typeof value === 'bigint') return `${value}n, a bigint`;
  if (typeof value === 'function')
    return value.name === '' ? 'a function' : `the function '${value.name}'`;
  if (typeof value !== 'object' || value === null) return String(value);
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (value instanceof Promise) return 'a Promise';
  const name: unknown = Reflect.get(value, 'constructor')?.name;
  return typeof name !== 'string' || name === '' || name === 'Object' ? 'an object' : `a ${name}`;
}

/** How many letters have to be put in, left out or changed to make one word of another. */
function distance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let at = 1; at <= from.length; at++) {
    const next = [at];
    for (let index = 1; index <= to.length; index++) {
      const same = from[at - 1] === to[index - 1] ? 0 : 1;
      const [left, up, diagonal] = [next[index - 1], row[index], row[index - 1]] as number[];
      next.push(Math.min((left as number) + 1, (up as number) + 1, (diagonal as number) + same));
    }
    row = next;
  }
  return row[to.length] as number;
}

/** `did you mean 'x'? `, if one of the names is like it. */
function suggestion(name: string, known: readonly string[]): string {
  const lower = name.toLowerCase();
  const [nearest] = known
    .map((word) => ({ word, far: distance(lower, word.toLowerCase()) }))
    .sort((a, b) => a.far - b.far);
  if (nearest === undefined || nearest.far > Math.max(2, name.length / 3)) return '';
  return `did you mean '${nearest.word}'? `;
}

/** Throws unless options are an object. */
export function requireObject(place: string, given: unknown): void {
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    throw new MachineError(`${place} is ${inWords(given)}; give an object`);
}

/**
 * Throws unless `given` is an object none of whose fields is unknown. `whose` is what a field is of,
 * such as `no option of run`.
 */
export function requireKnown(
  place: string,
  given: object,
  known: readonly string[],
  whose: string,
): void {
  requireObject(place, given);
  for (const name in given) {
    if (known.includes(name)) continue;
    throw new MachineError(
      `'${name}' is ${whose}; ${suggestion(name, known)}known: ${known.join(', ')}`,
    );
  }
}

/** The same of the options of a routine of the host's. */
export function requireOptions(routine: string, given: object, known: readonly string[]): void {
  requireKnown(`${routine}: options`, given, known, `no option of ${routine}`);
}

/** What a routine on an object has come to, which is a value unless the object is gone or of another sort. */
export function requireAnswer(routine: string, object: KernelObject, status: number): number {
  if (status === STATUS.INVALID_HANDLE && !object.exists) object.failAsGone();
  if (status === STATUS.OBJECT_TYPE_MISMATCH)
    throw new MachineError(
      `${routine}: ${objectInWords(object)} is of another sort; give what ${routine} is for`,
    );
  return status;
}

/** An NTSTATUS that somebody gives, unsigned; `what` says whose. */
export function requireStatus(what: string, value: unknown): number {
  if (typeof value === 'number' && Number.isInteger(value)) {
    if (value >= -(2 ** 31) && value < 2 ** 32) return value >>> 0;
  }
  if (value instanceof Promise) {
    forget(value);
    throw new MachineError(
      `${what} is a Promise; the routine must be a generator function or return a number, not async`,
    );
  }
  throw new MachineError(
    `${what} is ${inWords(value)}; give an NTSTATUS, an integer of 32 bits, such as STATUS.SUCCESS`,
  );
}

/** Throws unless a routine that the kernel is to call is a function, or null where that may be. */
export function requireRoutine(
  routine: string,
  parameter: string,
  given: unknown,
  orNull = false,
): void {
  if (typeof given === 'function' || (orNull && given === null)) return;
  throw new MachineError(
    `${routine}: ${parameter} is ${inWords(given)}; give a function${orNull ? ', or null' : ''}`,
  );
}

/** An object as messages name it. */
function objectInWords(object: KernelObject): string {
  const { name } = object as { readonly name?: unknown };
  const sort = object.constructor.name;
  return typeof name === 'string' ? `${sort} '${name}'` : `${sort} ${object.index}`;
}

/** Throws unless an object is one of this machine's: another's handle names something else here. */
export function requireOwn(machine: Machine, routine: string, object: KernelObject): void {
  if (object?.machine !== machine) refuseForeign(routine, object);
}

/** Of what is no object of the machine at hand. */
export function refuseForeign(routine: string, object: unknown): never {
  const foreign = object as KernelObject | undefined;
  if (foreign?.machine === undefined || foreign.handle === undefined)
    throw new MachineError(
      `${routine}: ${inWords(object)} is no object of a machine; give what its create… methods return`,
    );
  throw new MachineError(
    `${routine}: ${objectInWords(foreign)} belongs to another machine; give one of this machine's`,
  );
}
