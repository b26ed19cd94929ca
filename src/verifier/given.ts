/** What a callback is given, as far as it is looked at what it does with that. */

export interface GivenWatch {
  /** A field was written that is not the callback's to write. */
  written(field: string): void;
  /** A field was read; `value` is what it holds. */
  read(field: string, value: unknown): void;
  /** Something was read or written after the callback had returned. */
  late(field: string): void;
}

/** The fields that callbacks may write. */
const WRITABLE = ['CreationStatus', 'DesiredAccess', 'CallContext'];

/** A plain structure in front of which a watch stands; others, objects of the kernel among them, are given as they are. */
function isStructure(value: unknown): value is object {
  return (
    typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype
  );
}

/** The same value with a watch in front of it, and of the structures in it, until `close` is called. */
export function watchGiven(
  value: unknown,
  watch: GivenWatch,
): { readonly given: unknown; close(): void } {
  let open = true;
  const wrap = (inner: unknown): unknown => {
    if (!isStructure(inner)) return inner;
    return new Proxy(inner, {
      get(target, field) {
        const held: unknown = Reflect.get(target, field);
        if (typeof field === 'symbol') return held;
        if (open) watch.read(field, held);
        else watch.late(field);
        return wrap(held);
      },
      set(target, field, given) {
        if (!open) watch.late(String(field));
        else if (!WRITABLE.includes(String(field))) watch.written(String(field));
        return Reflect.set(target, field, given);
      },
    });
  };
  return {
    given: wrap(value),
    close() {
      open = false;
    },
  };
}
