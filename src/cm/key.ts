import type { Machine } from '../machine/machine';
import { PerMachine } from '../machine/per-machine';
import { HostObject } from '../ob/object';

/** Keys of the registry and their values, in memory; nothing of a real machine's is in it. */

/** Types of values: REG_SZ is `REG.SZ`. */
export const enum REG {
  NONE = 0,
  SZ = 1,
  EXPAND_SZ = 2,
  BINARY = 3,
  DWORD = 4,
  MULTI_SZ = 7,
  QWORD = 11,
}

export interface KeyValue {
  readonly name: string;
  readonly type: number;
  /** What the type says: a string, a number, bytes; it is not looked at. */
  readonly data: unknown;
}

/** A key, which any number of handles may be to. Names are found without regard to case. */
export class KeyNode {
  readonly subkeys = new Map<string, KeyNode>();
  readonly values = new Map<string, KeyValue>();
  /** Nothing can be done with it any more but close handles. */
  deleted = false;

  constructor(
    readonly name: string,
    readonly parent: KeyNode | undefined,
  ) {}

  subkey(name: string): KeyNode | undefined {
    return this.subkeys.get(name.toLowerCase());
  }

  create(name: string): KeyNode {
    const key = new KeyNode(name, this);
    this.subkeys.set(name.toLowerCase(), key);
    return key;
  }

  delete(): void {
    this.deleted = true;
    this.parent?.subkeys.delete(this.name.toLowerCase());
  }
}

/** What a handle to a key is to: each open has one of its own. */
export class KeyBody extends HostObject {
  constructor(
    machine: Machine,
    readonly key: KeyNode,
  ) {
    super(machine);
  }
}

/** Keys that are there from the start. */
const FIRST_KEYS = [
  'Machine\\Hardware',
  'Machine\\Software\\Microsoft\\Windows NT\\CurrentVersion',
  'Machine\\System\\CurrentControlSet\\Control',
  'Machine\\System\\CurrentControlSet\\Services',
  'User\\.Default',
];

const ROOTS = new PerMachine(() => {
  const root = new KeyNode('Registry', undefined);
  for (const path of FIRST_KEYS) {
    let key = root;
    for (const name of path.split('\\')) key = key.subkey(name) ?? key.create(name);
  }
  return root;
});

/** `\Registry`. */
export function registryRoot(machine: Machine): KeyNode {
  return ROOTS.of(machine);
}
