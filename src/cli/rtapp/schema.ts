/**
 * The grammar of rt-app's workloads as JSON schemas, one for each object or value. A description says
 * what a value may be, and ends up in the message for one that is something else.
 */

export type JsonSchema = Readonly<Record<string, unknown>>;

/** So that every time in ns is exact in a JavaScript number. */
const MAX_SECONDS = Math.floor(Number.MAX_SAFE_INTEGER / 1e9);
const MAX_MICROSECONDS = Math.floor(Number.MAX_SAFE_INTEGER / 1000);

const micros = (description: string): JsonSchema => ({
  type: 'integer',
  minimum: 0,
  maximum: MAX_MICROSECONDS,
  description: `${description}: an integer from 0 to ${MAX_MICROSECONDS}`,
});
const name = (description: string): JsonSchema => ({ type: 'string', minLength: 1, description });

export const POLICIES_OF_LINUX = [
  'SCHED_OTHER',
  'SCHED_IDLE',
  'SCHED_RR',
  'SCHED_FIFO',
  'SCHED_DEADLINE',
] as const;
export type LinuxPolicy = (typeof POLICIES_OF_LINUX)[number];

const policy: JsonSchema = {
  enum: POLICIES_OF_LINUX,
  description: `one of ${POLICIES_OF_LINUX.join(', ')}`,
};
const loop: JsonSchema = {
  type: 'integer',
  minimum: -1,
  maximum: Number.MAX_SAFE_INTEGER,
  not: { const: 0 },
  description: 'how often: an integer from 1, or -1 for ever',
};
const boolean: JsonSchema = { type: 'boolean', description: 'true or false' };
const text: JsonSchema = { type: 'string', description: 'a text in double quotes' };

function object(
  properties: Readonly<Record<string, JsonSchema>>,
  required: readonly string[],
  description: string,
): JsonSchema {
  return { type: 'object', properties, required, additionalProperties: false, description };
}

/** Keys of the global object that have nothing to do with scheduling, or with this machine. */
export const GLOBAL_WITHOUT_EFFECT = [
  'lock_pages',
  'logdir',
  'log_basename',
  'log_size',
  'ftrace',
  'gnuplot',
  'io_device',
  'mem_buffer_size',
  'cumulative_slack',
  'frag',
] as const;

export const GLOBAL = object(
  {
    duration: {
      type: 'integer',
      minimum: -1,
      maximum: MAX_SECONDS,
      not: { const: 0 },
      description: `seconds: an integer from 1 to ${MAX_SECONDS}, or -1 for no end`,
    },
    calibration: {
      type: ['integer', 'string'],
      minimum: 1,
      maximum: 1e9,
      pattern: '^CPU[0-9]+$',
      description: 'ns of a loop of work, an integer from 1, or the name of a CPU such as "CPU0"',
    },
    default_policy: policy,
    pi_enabled: boolean,
    lock_pages: boolean,
    logdir: text,
    log_basename: text,
    log_size: { type: ['integer', 'string'], description: 'MB, or a text such as "file"' },
    ftrace: { type: ['string', 'boolean'], description: 'names of categories, or true or false' },
    gnuplot: boolean,
    io_device: text,
    mem_buffer_size: { type: 'integer', minimum: 1, description: 'bytes: an integer from 1' },
    cumulative_slack: boolean,
    frag: { type: 'integer', description: 'an integer' },
  },
  [],
  'the object of global settings',
);

/** What a task and a phase may both say of themselves. */
const shared: Readonly<Record<string, JsonSchema>> = {
  loop,
  policy,
  priority: {
    type: 'integer',
    minimum: -20,
    maximum: 99,
    description: 'an integer: -20 to 19 for SCHED_OTHER, 1 to 99 for SCHED_FIFO and SCHED_RR',
  },
  cpus: {
    type: 'array',
    items: { type: 'integer', minimum: 0, maximum: 2047 },
    minItems: 1,
    uniqueItems: true,
    description: 'an array of processor numbers, each once, such as [0, 2]',
  },
};

export const PHASE = object(shared, [], 'an object of events and of what holds for them');

export const TASK = object(
  {
    ...shared,
    instance: {
      type: 'integer',
      minimum: 0,
      maximum: 1_000_000,
      description: 'how many threads: an integer from 0 to 1000000',
    },
    delay: micros('microseconds before it begins'),
    phases: { type: 'object', description: 'an object of phases, each an object' },
  },
  [],
  'an object of phases or events and of what holds for them',
);

const condition = object(
  { ref: name('the name of a condition'), mutex: name('the name of a mutex') },
  ['ref', 'mutex'],
  'an object such as { "ref": "condition", "mutex": "mutex" }',
);

export type EventKey = keyof typeof EVENTS;

/** What the value of each event may be. */
export const EVENTS = {
  run: micros('microseconds'),
  runtime: micros('microseconds'),
  sleep: micros('microseconds'),
  timer: object(
    {
      ref: name('the name of a timer; one that begins with "unique" is each thread\'s own'),
      period: micros('microseconds'),
      mode: { enum: ['relative', 'absolute'], description: '"relative" or "absolute"' },
    },
    ['ref', 'period'],
    'an object such as { "ref": "timer", "period": 20000, "mode": "relative" }',
  ),
  lock: name('the name of a mutex'),
  unlock: name('the name of a mutex'),
  wait: condition,
  signal: name('the name of a condition'),
  broad: name('the name of a condition'),
  sync: condition,
  barrier: name('the name of a barrier'),
  suspend: { type: 'string', description: "a name, or nothing for the task's own" },
  resume: name('the name that a suspend gives'),
  yield: { type: 'string', description: 'an empty text' },
  fork: name('the name of a task'),
} satisfies Readonly<Record<string, JsonSchema>>;

/** These two may stand without a value: "suspend", */
export const WITHOUT_VALUE: readonly string[] = ['suspend', 'yield'];

const OLDER = "it is of rt-app's older grammar; write the task as a sequence of events";
const DEADLINE = 'NT has no deadline scheduling; give the task a policy and a priority';

/** Keys of the grammar that ntps has no honest meaning for, and what to do instead. */
export const NOT_MODELLED: ReadonlyMap<string, string> = new Map([
  ['mem', 'how long a write to memory takes is not known here; write a "run" of that time'],
  ['iorun', 'how long a write to a device takes is not known here; write a "run" and a "sleep"'],
  ['util_min', 'NT has no utilization clamping; take it out'],
  ['util_max', 'NT has no utilization clamping; take it out'],
  ['membind_nodes', 'memory has no place in this machine; take it out, or bind with "cpus"'],
  ['taskgroup', 'NT has no task groups; take it out'],
  ['dl-runtime', DEADLINE],
  ['dl-period', DEADLINE],
  ['dl-deadline', DEADLINE],
  ['period', DEADLINE],
  ['deadline', DEADLINE],
  ['exec', OLDER],
  ['lock_order', OLDER],
  ['resources', OLDER],
]);

/** A key with a number or another mark behind it, so that keys differ: run0, sleep_a, lock-2. */
const NUMBERED = /^([a-z]+)(?:[0-9A-Z_.-].*)?$/s;

/** The event, or the event that is not modelled, that a key stands for. */
export function eventOfKey(key: string): EventKey | 'mem' | 'iorun' | undefined {
  const base = NUMBERED.exec(key)?.[1];
  if (base === undefined) return undefined;
  if (Object.hasOwn(EVENTS, base)) return base as EventKey;
  return base === 'mem' || base === 'iorun' ? base : undefined;
}
