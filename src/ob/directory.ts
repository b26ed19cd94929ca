import type { Machine } from '../machine/machine';
import { HostObject, type ObjectBody, type ObjectHeader } from './object';

/** Directories of the namespace, and symbolic links. */

/**
 * OBJECT_DIRECTORY. Names that differ in nothing but case may stand side by side: they share a bucket,
 * in which a lookup that does not care takes the first.
 */
export class ObjectDirectory extends HostObject {
  private readonly buckets = new Map<string, ObjectHeader[]>();
  private populate: (() => void) | undefined;

  constructor(machine: Machine, populate?: () => void) {
    super(machine);
    this.populate = populate;
  }

  lookup(name: string, caseInsensitive: boolean): ObjectHeader | undefined {
    this.fill();
    const bucket = this.buckets.get(name.toUpperCase());
    if (bucket === undefined || caseInsensitive) return bucket?.[0];
    return bucket.find((header) => header.name === name);
  }

  insert(name: string, header: ObjectHeader): void {
    header.name = name;
    header.directory = this;
    const key = name.toUpperCase();
    const bucket = this.buckets.get(key);
    if (bucket === undefined) this.buckets.set(key, [header]);
    else bucket.push(header);
  }

  /** Takes a name out. The object forgets where it was. */
  remove(header: ObjectHeader): void {
    const key = header.name.toUpperCase();
    const bucket = this.buckets.get(key) as ObjectHeader[];
    if (bucket.length === 1) this.buckets.delete(key);
    else bucket.splice(bucket.indexOf(header), 1);
    header.name = '';
    header.directory = undefined;
  }

  /** What is in it, by name. */
  get entries(): readonly ObjectHeader[] {
    this.fill();
    return [...this.buckets.values()].flat().sort(byName);
  }

  /** What stands in it by default is made with its first use. */
  private fill(): void {
    const make = this.populate;
    this.populate = undefined;
    make?.();
  }
}

function byName(left: ObjectHeader, right: ObjectHeader): number {
  return left.name < right.name ? -1 : 1;
}

/** OBJECT_SYMBOLIC_LINK. */
export class SymbolicLink extends HostObject {
  constructor(
    machine: Machine,
    readonly target: string,
    /** Bytes that the target's buffer had: at least its length. */
    readonly maximumLength: number,
  ) {
    super(machine);
  }
}

/** The path of an object from the root; '' if it has no name. */
export function pathOf(header: ObjectHeader, root: ObjectBody): string {
  if (header.body === root) return '\\';
  let path = '';
  let at: ObjectHeader | undefined = header;
  while (at !== undefined && at.body !== root) {
    const { name, directory }: ObjectHeader = at;
    if (directory === undefined) return path === '' ? '' : `...${path}`;
    path = `\\${name}${path}`;
    at = directory.objectHeader as ObjectHeader | undefined;
  }
  return path;
}
