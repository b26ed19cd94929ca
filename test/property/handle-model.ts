import { STATUS } from '../../assembly/shared/status';

/** What handles and names come to, in the plainest words. */

export interface ModelResult {
  readonly status: number;
  readonly handle: number;
}

interface ModelObject {
  name: number;
  permanent: boolean;
  handles: number;
}

interface ModelHandle {
  readonly object: ModelObject;
  /** 1 inherit, 2 protect. */
  flags: number;
}

/** A table: handle 4 is the first; what was freed last is used first. */
class ModelTable {
  readonly open = new Map<number, ModelHandle>();
  private readonly free: number[] = [];
  private next = 4;

  add(object: ModelObject, flags: number): number {
    let handle = this.free.pop();
    if (handle === undefined) {
      handle = this.next;
      this.next += 4;
    }
    this.open.set(handle, { object, flags });
    object.handles++;
    return handle;
  }

  remove(handle: number): void {
    this.open.delete(handle);
    this.free.push(handle);
  }

  /** A handle that is of another sort than those of the model. */
  skip(): void {
    this.next += 4;
  }

  get shown(): unknown[] {
    return [...this.open].sort(([a], [b]) => a - b).map(([handle, { flags }]) => [handle, flags]);
  }
}

interface ModelAct {
  readonly kind: string;
  readonly name?: number;
  readonly openIf?: boolean;
  readonly inherit?: boolean;
  readonly flags?: number;
  readonly options?: number;
  readonly away?: boolean;
  readonly permanent?: boolean;
}

const none = (status: number): ModelResult => ({ status, handle: 0 });

export class HandleModel {
  private readonly here = new ModelTable();
  private readonly there = new ModelTable();
  private readonly names = new Map<number, ModelObject>();

  constructor() {
    this.here.skip();
  }

  /** One of the handles, or one that is none. */
  handle(pick: number): number {
    const handles = [...this.here.open.keys()].sort((a, b) => a - b);
    return handles[pick % (handles.length + 1)] ?? 0x10000;
  }

  get shown(): unknown[] {
    return [this.here.shown, this.there.shown];
  }

  do(act: ModelAct, handle: number): ModelResult {
    const { name = 0 } = act;
    if (act.kind === 'create') return this.create(name, act.openIf === true, act.inherit ? 1 : 0);
    if (act.kind === 'open') return this.open(name);
    if (act.kind === 'dereference') return none(STATUS.SUCCESS);
    const entry = this.here.open.get(handle);
    if (entry === undefined) return none(STATUS.INVALID_HANDLE);
    switch (act.kind) {
      case 'close':
        return none(this.close(handle, entry));
      case 'duplicate':
        return this.duplicate(act, handle, entry);
      case 'flags':
        entry.flags = act.flags ?? 0;
        break;
      case 'permanent':
        entry.object.permanent = act.permanent === true && entry.object.name !== 0;
        break;
    }
    return none(STATUS.SUCCESS);
  }

  private create(name: number, openIf: boolean, flags: number): ModelResult {
    const known = this.names.get(name);
    if (known !== undefined) {
      if (!openIf) return none(STATUS.OBJECT_NAME_COLLISION);
      return { status: STATUS.OBJECT_NAME_EXISTS, handle: this.here.add(known, flags) };
    }
    const object = { name, permanent: false, handles: 0 };
    if (name !== 0) this.names.set(name, object);
    return { status: STATUS.SUCCESS, handle: this.here.add(object, flags) };
  }

  private open(name: number): ModelResult {
    if (name === 0) return none(STATUS.OBJECT_PATH_SYNTAX_BAD);
    const known = this.names.get(name);
    if (known === undefined) return none(STATUS.OBJECT_NAME_NOT_FOUND);
    return { status: STATUS.SUCCESS, handle: this.here.add(known, 0) };
  }

  private close(handle: number, entry: ModelHandle): number {
    if ((entry.flags & 2) !== 0) return STATUS.HANDLE_NOT_CLOSABLE;
    this.here.remove(handle);
    this.drop(entry.object);
    return STATUS.SUCCESS;
  }

  private drop(object: ModelObject): void {
    object.handles--;
    if (object.handles !== 0 || object.permanent) return;
    this.names.delete(object.name);
    object.name = 0;
  }

  private duplicate(act: ModelAct, handle: number, entry: ModelHandle): ModelResult {
    const { options = 0, flags = 0 } = act;
    const given = (options & 4) !== 0 ? entry.flags : flags;
    // A handle that moves is one all the time.
    entry.object.handles++;
    if ((options & 1) !== 0) this.close(handle, entry);
    const table = act.away === true ? this.there : this.here;
    const duplicate = table.add(entry.object, given);
    this.drop(entry.object);
    return { status: STATUS.SUCCESS, handle: duplicate };
  }
}
