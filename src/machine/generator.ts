import { MachineError } from './errors';

/** An instruction that a host thread asks the core for: words as in a program. */
export type Request = readonly number[];

/** What is left of a generator that has been run up to its first instruction. */
export class Resumed<T> implements Generator<Request, T, number> {
  private first: IteratorResult<Request, T> | undefined;

  constructor(
    first: IteratorResult<Request, T>,
    private readonly rest: Generator<Request, T, number>,
  ) {
    this.first = first;
  }

  [Symbol.iterator](): this {
    return this;
  }

  next(status: number): IteratorResult<Request, T> {
    if (this.first === undefined) return this.rest.next(status);
    const result = this.first;
    this.first = undefined;
    return result;
  }

  throw(raised: unknown): IteratorResult<Request, T> {
    return this.rest.throw(raised);
  }

  return(value: T): IteratorResult<Request, T> {
    return this.rest.return(value);
  }
}

/** Whether what a guest returned asks for more to be done. */
export function isGenerator<T = unknown>(value: unknown): value is Generator<Request, T, number> {
  return typeof value === 'object' && value !== null && 'next' in value && 'throw' in value;
}

/** Whether it is what an async function returns, or an async generator function. */
export function isPromise(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return Symbol.asyncIterator in value || ('then' in value && typeof value.then === 'function');
}

/** What a promise comes to is nobody's any more: if it is rejected, it does not end the process. */
export function forget(promise: unknown): void {
  Promise.resolve(promise).catch(() => undefined);
}

/** The machine's time does not wait for the host's. @throws MachineError, which names the routine. */
export function refusePromise(routine: string, promise: unknown): never {
  forget(promise);
  throw new MachineError(
    `${routine} returned a Promise: callbacks are generator functions (function*), not async`,
  );
}

/** What a guest returned, once it has run. */
export function* resultOf<T>(
  result: T | Generator<Request, T, number>,
): Generator<Request, T, number> {
  return isGenerator<T>(result) ? yield* result : result;
}

/**
 * Goes on with what something came to: at once, unless it is a generator that has to run first. So
 * what nobody waits in costs no generator.
 */
export function after<T, R>(
  result: T | Generator<Request, T, number>,
  next: (value: T) => R | Generator<Request, R, number>,
): R | Generator<Request, R, number> {
  return isGenerator<T>(result) ? afterRest(result, next) : next(result);
}

function* afterRest<T, R>(
  rest: Generator<Request, T, number>,
  next: (value: T) => R | Generator<Request, R, number>,
): Generator<Request, R, number> {
  const result = next(yield* rest);
  return isGenerator<R>(result) ? yield* result : result;
}
