/** What is loaded of the library more than once: an object of one copy is a stranger to the others. */
interface Copy {
  readonly url: string;
  readonly isInGuest: () => boolean;
}

const COPIES: unique symbol = Symbol.for('ntps.copies');

const shared = globalThis as typeof globalThis & { [COPIES]?: Copy[] };

/** Makes this copy known to the others; what comes back is another one that runs a guest now. */
export function addCopy(
  isInGuest: () => boolean,
): () => { own: string; running: string } | undefined {
  const own: Copy = { url: import.meta.url, isInGuest };
  shared[COPIES] ??= [];
  const copies = shared[COPIES];
  copies.push(own);
  return () => {
    const running = copies.find((copy) => copy !== own && copy.isInGuest());
    return running === undefined ? undefined : { own: own.url, running: running.url };
  };
}
