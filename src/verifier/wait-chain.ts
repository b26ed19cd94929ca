import { awaitedObjects, ownersOf } from '../machine/deadlock';
import type { Request } from '../machine/generator';
import type { Machine } from '../machine/machine';
import { nameOf } from '../machine/result';
import type { KThread } from '../machine/views';
import { awaitedBy } from './awaited';

/** Who waits for what, and who has that, as far as anybody knows. */

/** Links of a chain at most. */
const LONGEST = 8;

/** A line for each object, and those of who has the first that somebody has. */
function linesOf(machine: Machine, thread: KThread, objects: readonly number[]): string[] {
  const lines: string[] = [];
  const seen = new Set<KThread>();
  let waiter: KThread | undefined = thread;
  let awaited = objects;
  while (waiter !== undefined && !seen.has(waiter) && seen.size < LONGEST) {
    seen.add(waiter);
    const { name }: KThread = waiter;
    let next: KThread | undefined;
    for (const object of awaited) {
      const owners = ownersOf(machine, object);
      const has = owners.map((owner) => `'${owner.name}'`).join(', ');
      const whose = has === '' ? '' : `, which is for ${has} to give`;
      lines.push(`thread '${name}' waits for ${nameOf(machine, object)}${whose}`);
      next ??= owners[0];
    }
    waiter = next;
    awaited = waiter === undefined ? [] : awaitedObjects(machine, waiter);
  }
  return lines;
}

/** The chain of waits that an instruction of a thread begins. */
export function chainOfWait(machine: Machine, thread: KThread, request: Request): string[] {
  const objects = awaitedBy(request)
    .handles.map((handle) => machine.core.hostAddress(handle) >>> 0)
    .filter((address) => address !== 0);
  return linesOf(machine, thread, objects);
}
