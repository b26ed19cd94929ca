import { STATUS } from '../../assembly/shared/status';

/** What processes, handles to them and routines that are told of them come to, in the plainest words. */

interface ModelProcess {
  readonly id: number;
  alive: boolean;
  handles: number;
}

/** Routines are 0: of processes, 1: of threads, 2: of images, 3: of handles. */
export class ProcessModel {
  /** Those that are there: alive, or with a handle. */
  private readonly processes = new Map<number, ModelProcess>();
  private readonly opened = new Map<number, ModelProcess>();
  private readonly free: number[] = [];
  private next = 4;
  /** How often each routine is registered. */
  readonly registered = [0, 0, 0, 0];
  /** How often it is called; counted for 0 and 3. */
  readonly calls = [0, 0, 0, 0];

  get living(): number[] {
    return [...this.processes.values()].filter(({ alive }) => alive).map(({ id }) => id);
  }

  get handles(): number[] {
    return [...this.opened.keys()];
  }

  /** The id of one of the processes, or one that is none. */
  id(pick: number): number {
    const ids = [...this.processes.keys()].sort((a, b) => a - b);
    return ids[pick % (ids.length + 1)] ?? 0xfffc;
  }

  /** One of the handles, or one that is none. */
  handle(pick: number): number {
    const handles = this.handles.sort((a, b) => a - b);
    return handles[pick % (handles.length + 1)] ?? 0x10000;
  }

  create(veto: boolean, id: number): unknown {
    this.told(0);
    if (veto && this.registered[0] !== 0) {
      this.told(0);
      return [STATUS.ACCESS_DENIED, 0];
    }
    if (id === 0 || id % 4 !== 0 || this.processes.has(id)) return `id ${id} is another's or none`;
    const process = { id, alive: true, handles: 0 };
    this.processes.set(id, process);
    const handle = this.add(process);
    // The thread's handle: open for a moment.
    this.free.push(this.take());
    return [STATUS.SUCCESS, handle];
  }

  open(id: number): unknown {
    const process = this.processes.get(id);
    return process === undefined ? [STATUS.INVALID_CID, 0] : [STATUS.SUCCESS, this.add(process)];
  }

  duplicate(source: number): unknown {
    const process = this.opened.get(source);
    if (process === undefined) return [STATUS.INVALID_HANDLE, 0];
    return [STATUS.SUCCESS, this.add(process)];
  }

  close(handle: number): number {
    const process = this.opened.get(handle);
    if (process === undefined) return STATUS.INVALID_HANDLE;
    this.opened.delete(handle);
    this.free.push(handle);
    process.handles--;
    this.forget(process);
    return STATUS.SUCCESS;
  }

  terminate(handle: number): number {
    const process = this.opened.get(handle);
    if (process === undefined) return STATUS.INVALID_HANDLE;
    if (!process.alive) return STATUS.PROCESS_IS_TERMINATING;
    process.alive = false;
    this.told(0);
    return STATUS.SUCCESS;
  }

  register(routine: number): number {
    const count = this.registered[routine] as number;
    if (count !== 0 && routine === 0) return STATUS.INVALID_PARAMETER;
    if (count !== 0 && routine === 3) return STATUS.FLT_INSTANCE_ALTITUDE_COLLISION;
    this.registered[routine] = count + 1;
    return STATUS.SUCCESS;
  }

  remove(routine: number): number {
    const count = this.registered[routine] as number;
    if (count === 0) return STATUS.PROCEDURE_NOT_FOUND;
    this.registered[routine] = count - 1;
    return STATUS.SUCCESS;
  }

  private told(routine: number): void {
    this.calls[routine] = (this.calls[routine] as number) + (this.registered[routine] as number);
  }

  private take(): number {
    const freed = this.free.pop();
    if (freed !== undefined) return freed;
    this.next += 4;
    return this.next - 4;
  }

  private add(process: ModelProcess): number {
    const handle = this.take();
    this.opened.set(handle, process);
    process.handles++;
    this.told(3);
    return handle;
  }

  private forget(process: ModelProcess): void {
    if (!process.alive && process.handles === 0) this.processes.delete(process.id);
  }
}
