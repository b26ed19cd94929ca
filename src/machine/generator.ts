/** An instruction that a host thread asks the core for: words as in a program. */
export type Request = readonly number[];

/** Whether what a guest returned asks for more to be done. */
export function isGenerator<T = unknown>(value: unknown): value is Generator<Request, T, number> {
  return typeof value === 'object' && value !== null && 'next' in value && 'throw' in value;
}
