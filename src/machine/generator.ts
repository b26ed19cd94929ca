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

interface Called {
  readonly routine: string;
  readonly owner: { readonly name: string } | undefined;
}

/** Gives back what a routine returned; an error if that comes later, when the machine is elsewhere. */
export function requireNow<T>({ routine, owner }: Called, result: T): T {
  if (typeof result !== 'object' || result === null) return result;
  if (!('then' in result) && !(Symbol.asyncIterator in result)) return result;
  // What it threw comes after this error, and would end the process.
  if (result instanceof Promise) result.catch(() => undefined);
  const whose = owner === undefined ? '' : ` of driver '${owner.name}'`;
  throw new MachineError(
    `${routine}${whose} is async; give a function, or a generator function (function*) that calls what blocks with yield*`,
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
