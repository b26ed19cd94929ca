import type { Node } from 'jsonc-parser';
import type { Phase, Place, Task, Workload, WorkloadEvent, WorkloadNote } from '../../index';
import { JsonFile, type Member, membersOf } from './json';
import {
  EVENTS,
  type EventKey,
  eventOfKey,
  GLOBAL,
  GLOBAL_WITHOUT_EFFECT,
  type LinuxPolicy,
  NOT_MODELLED,
  PHASE,
  TASK,
  WITHOUT_VALUE,
} from './schema';
import { checkKeys, validated } from './validate';

interface GlobalSettings {
  readonly duration?: number;
  readonly calibration?: number | string;
  readonly default_policy?: LinuxPolicy;
  readonly pi_enabled?: boolean;
}

interface PhaseSettings {
  readonly loop?: number;
  readonly policy?: LinuxPolicy;
  readonly priority?: number;
  readonly cpus?: readonly number[];
}

interface TaskSettings extends PhaseSettings {
  readonly instance?: number;
  readonly delay?: number;
}

interface Scheduling {
  readonly policy: LinuxPolicy;
  readonly priority: number;
}

interface Block {
  /** The members that are settings, as an object of their own. */
  readonly settings: Node;
  readonly events: readonly (Member & { readonly event: EventKey })[];
}

const US = 1000;
const MAX_LINUX_NICE = 139;

/** Reads an rt-app workload. */
class WorkloadReader {
  readonly #file: JsonFile;
  readonly #notes: WorkloadNote[] = [];
  #calibrationNs = 1;
  #defaultPolicy: LinuxPolicy = 'SCHED_OTHER';

  constructor(text: string, name: string) {
    this.#file = new JsonFile(text, name);
  }

  read(): Workload {
    const file = this.#file;
    const root = this.#object(file.root, 'the workload');
    checkKeys(file, root, 'the workload');
    const members = membersOf(root);
    for (const { key, keyNode } of members) {
      if (!['tasks', 'global', 'resources'].includes(key)) {
        file.fail(
          keyNode.offset,
          `unknown key "${key}"`,
          'possible here are tasks, global and resources',
        );
      }
    }
    const memberOf = (key: string) => members.find((member) => member.key === key);
    const durationNs = this.#global(memberOf('global')?.value);
    const resources = memberOf('resources');
    if (resources !== undefined) {
      this.#note(resources.keyNode, '"resources" is not needed: resources are made by their use');
    }
    const tasks = memberOf('tasks')?.value;
    if (tasks === undefined)
      return file.fail(root.offset, 'there are no "tasks"', 'give at least one');
    const made = this.#tasks(tasks);
    return {
      name: file.name,
      ...(durationNs === undefined ? {} : { durationNs }),
      tasks: made,
      notes: this.#notes,
    };
  }

  #note(node: Node, text: string): void {
    this.#notes.push({ place: this.#placeOf(node), text });
  }

  #placeOf(node: Node): Place {
    return this.#file.placeOf(node.offset);
  }

  #object(node: Node | undefined, what: string): Node {
    if (node?.type === 'object') return node;
    const shown = node === undefined ? 'missing' : this.#file.textOf(node);
    return this.#file.fail(node?.offset ?? 0, `${what} is ${shown}`, 'give an object, { ... }');
  }

  /** Settings for the whole; its duration in ns. */
  #global(node: Node | undefined): number | undefined {
    if (node === undefined) return undefined;
    const settings = validated(this.#file, node, GLOBAL, '"global"') as GlobalSettings;
    const members = membersOf(node);
    if (settings.pi_enabled === true) {
      const member = members.find(({ key }) => key === 'pi_enabled') as Member;
      this.#file.fail(
        member.keyNode.offset,
        '"pi_enabled" is not modelled: what waits for a mutex of NT does not lift its owner',
        'set it to false',
      );
    }
    const ignored = members.filter(({ key }) =>
      (GLOBAL_WITHOUT_EFFECT as readonly string[]).includes(key),
    );
    if (ignored.length > 0) {
      const keys = ignored.map(({ key }) => key).join(', ');
      this.#note(node, `without effect on the schedule: ${keys}`);
    }
    if (typeof settings.calibration === 'number') this.#calibrationNs = settings.calibration;
    this.#defaultPolicy = settings.default_policy ?? 'SCHED_OTHER';
    const { duration } = settings;
    return duration === undefined || duration === -1 ? undefined : duration * 1e9;
  }

  #tasks(node: Node): Task[] {
    this.#object(node, '"tasks"');
    checkKeys(this.#file, node, '"tasks"');
    const tasks = membersOf(node).map((member) => this.#task(member));
    if (tasks.length === 0) this.#file.fail(node.offset, '"tasks" is empty', 'give at least one');
    return tasks;
  }

  #task({ key: name, keyNode, value: node }: Member): Task {
    const file = this.#file;
    const what = `task "${name}"`;
    const value = this.#object(node, what);
    const { settings: settingsNode, events } = this.#block(value, TASK, what);
    const settings = validated(file, settingsNode, TASK, what) as TaskSettings;
    const own = this.#scheduling(settings, settingsNode, {
      policy: this.#defaultPolicy,
      priority: undefined,
    });
    const phasesNode = membersOf(settingsNode).find(({ key }) => key === 'phases');
    const held = new Set<string>();
    let phases: Phase[];
    if (phasesNode === undefined) {
      const made = this.#events(events, name, held);
      phases = [{ place: this.#placeOf(keyNode), name: '', loop: 1, events: made }];
    } else {
      const [event] = events;
      if (event !== undefined) {
        file.fail(
          event.keyNode.offset,
          `${what} has "phases" and the event "${event.key}" beside them`,
          'put the event into a phase',
        );
      }
      phases = membersOf(phasesNode.value as Node).map((phase) =>
        this.#phase(phase, what, name, own, held),
      );
    }
    return {
      place: this.#placeOf(keyNode),
      name,
      instances: settings.instance ?? 1,
      delayNs: (settings.delay ?? 0) * US,
      loop: settings.loop ?? -1,
      linuxPriority: linuxPriority(own),
      ...(settings.cpus === undefined ? {} : { cpus: settings.cpus }),
      phases,
    };
  }

  #phase(
    { key: name, keyNode, value: node }: Member,
    owner: string,
    task: string,
    ofTask: Scheduling,
    held: Set<string>,
  ): Phase {
    const what = `phase "${name}" of ${owner}`;
    const value = this.#object(node, what);
    const { settings: settingsNode, events } = this.#block(value, PHASE, what);
    const settings = validated(this.#file, settingsNode, PHASE, what) as PhaseSettings;
    const sets = settings.policy !== undefined || settings.priority !== undefined;
    const own = this.#scheduling(settings, settingsNode, ofTask);
    return {
      place: this.#placeOf(keyNode),
      name,
      loop: settings.loop ?? 1,
      ...(settings.cpus === undefined ? {} : { cpus: settings.cpus }),
      ...(sets ? { linuxPriority: linuxPriority(own) } : {}),
      events: this.#events(events, task, held),
    };
  }

  /** Tells the events of a task or a phase from its settings. */
  #block(node: Node, schema: typeof TASK, what: string): Block {
    const known = Object.keys(schema.properties as object);
    const settings: Node[] = [];
    const events: (Member & { event: EventKey })[] = [];
    membersOf(node).forEach((member, index) => {
      const { key, keyNode, value } = member;
      if (known.includes(key)) {
        settings.push((node.children as Node[])[index] as Node);
        return;
      }
      const event = eventOfKey(key);
      const reason = NOT_MODELLED.get(event ?? key);
      if (reason !== undefined) {
        this.#file.fail(keyNode.offset, `"${key}" in ${what} is not modelled`, reason);
      }
      if (event === undefined || event === 'mem' || event === 'iorun') {
        const possible = [...Object.keys(EVENTS), ...known].join(', ');
        this.#file.fail(
          keyNode.offset,
          `unknown key "${key}" in ${what}`,
          `possible are, with or without a number behind it, ${possible}`,
        );
      }
      events.push({ key, keyNode, value, event });
    });
    return { settings: { ...node, children: settings }, events };
  }

  #events(members: Block['events'], task: string, held: Set<string>): WorkloadEvent[] {
    return members.flatMap(({ key, keyNode, value, event }) => {
      const valueless = value === undefined;
      const given: unknown = valueless
        ? ''
        : validated(this.#file, value, EVENTS[event], `"${key}"`);
      if (valueless && !WITHOUT_VALUE.includes(event)) {
        this.#file.fail(keyNode.offset, `"${key}" has no value`, 'give it one');
      }
      return this.#event(event, given, this.#placeOf(keyNode), task, held);
    });
  }

  #event(
    event: EventKey,
    value: unknown,
    place: Place,
    task: string,
    held: Set<string>,
  ): WorkloadEvent[] {
    const name = value as string;
    switch (event) {
      case 'run': {
        const loops = Math.floor(((value as number) * US) / this.#calibrationNs);
        return [{ kind: 'run', ns: loops * this.#calibrationNs, place }];
      }
      case 'runtime':
        return [{ kind: 'run', ns: (value as number) * US, place }];
      case 'sleep':
        return [{ kind: 'sleep', ns: (value as number) * US, place }];
      case 'timer':
        return [timerEvent(value as TimerValue, place)];
      case 'lock':
        held.add(name);
        return [{ kind: 'lock', name, place }];
      case 'unlock':
        held.delete(name);
        return [{ kind: 'unlock', name, place }];
      case 'wait':
      case 'sync':
        return conditionEvents(event, value as ConditionValue, place, held);
      case 'suspend':
        return [{ kind: 'suspend', name: name === '' ? task : name, place }];
      case 'yield':
        return [{ kind: 'yield', place }];
      default:
        return [{ kind: event, name, place }];
    }
  }

  /** Linux's scheduling of a task or a phase; what it does not say is the owner's. */
  #scheduling(
    { policy, priority }: PhaseSettings,
    node: Node,
    owner: { readonly policy: LinuxPolicy; readonly priority: number | undefined },
  ): Scheduling {
    const whole: Scheduling = {
      policy: policy ?? owner.policy,
      priority:
        priority ??
        (policy === undefined ? owner.priority : undefined) ??
        defaultPriority(policy ?? owner.policy),
    };
    const member = membersOf(node).find(({ key }) =>
      priority === undefined ? key === 'policy' : key === 'priority',
    );
    const offset = (member?.keyNode ?? node).offset;
    if (whole.policy === 'SCHED_DEADLINE') {
      this.#file.fail(
        offset,
        'the policy SCHED_DEADLINE is not modelled',
        'NT has none like it; give SCHED_FIFO and a priority',
      );
    }
    const [low, high] = isRealTime(whole.policy) ? [1, 99] : [-20, 19];
    if (whole.priority < low || whole.priority > high) {
      this.#file.fail(
        offset,
        `priority ${whole.priority} is none of ${whole.policy}`,
        `it takes ${low} to ${high}`,
      );
    }
    return whole;
  }
}

interface TimerValue {
  readonly ref: string;
  readonly period: number;
  readonly mode?: 'relative' | 'absolute';
}

interface ConditionValue {
  readonly ref: string;
  readonly mutex: string;
}

function timerEvent({ ref, period, mode }: TimerValue, place: Place): WorkloadEvent {
  return {
    kind: 'timer',
    name: ref,
    unique: ref.startsWith('unique'),
    periodNs: period * US,
    missed: mode === 'absolute' ? 'keep' : 'restart',
    place,
  };
}

/** A sync is a signal and a wait, with the mutex around them unless the task holds it already. */
function conditionEvents(
  event: 'wait' | 'sync',
  { ref, mutex }: ConditionValue,
  place: Place,
  held: ReadonlySet<string>,
): WorkloadEvent[] {
  const wait: WorkloadEvent = { kind: 'wait', name: ref, mutex, place };
  if (event === 'wait') return [wait];
  const both: WorkloadEvent[] = [{ kind: 'signal', name: ref, place }, wait];
  if (held.has(mutex)) return both;
  return [{ kind: 'lock', name: mutex, place }, ...both, { kind: 'unlock', name: mutex, place }];
}

function isRealTime(policy: LinuxPolicy): boolean {
  return policy === 'SCHED_FIFO' || policy === 'SCHED_RR';
}

function defaultPriority(policy: LinuxPolicy): number {
  return isRealTime(policy) ? 10 : 0;
}

/** As the kernel numbers it: real-time 99 is 0, nice -20 is 100; SCHED_IDLE is below every nice. */
function linuxPriority({ policy, priority }: Scheduling): number {
  if (policy === 'SCHED_IDLE') return MAX_LINUX_NICE;
  return isRealTime(policy) ? 99 - priority : 120 + priority;
}

/**
 * Reads an rt-app workload: the JSON that rt-app and its front end workgen take.
 *
 * @throws WorkloadError with file, line and column for what is no JSON, no workload, or not modelled.
 */
export function readWorkload(text: string, name: string): Workload {
  return new WorkloadReader(text, name).read();
}
