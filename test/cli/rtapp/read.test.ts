import { describe, expect, test } from 'vitest';
import { readWorkload } from '../../../src/cli/rtapp/read';
import { WorkloadError } from '../../../src/workload/errors';
import { checkWorkload } from '../../../src/workload/rtapp/check';
import type { WorkloadEvent } from '../../../src/workload/rtapp/model';

/** The events of the first phase of the first task, without their places. */
function eventsOf(text: string): object[] {
  const events = readWorkload(text, 'w.json').tasks[0]?.phases[0]?.events ?? [];
  return events.map(({ place: _, ...event }: WorkloadEvent) => event);
}

/** What reading and checking a text says is wrong. */
function messageOf(text: string): string {
  try {
    checkWorkload(readWorkload(text, 'w.json'));
  } catch (error) {
    if (error instanceof WorkloadError) return error.message;
    throw error;
  }
  return 'nothing';
}

/** The same for the members of a task that is run once. */
const inTask = (members: string) => messageOf(`{ "tasks": { "t": { "loop": 1, ${members} } } }`);

test('comments, commas at the end, keys that stand twice and a byte order mark are read as people write them', () => {
  const text = `\ufeff{
    // one line
    "tasks": { /* and
                  several */
      "t": { "loop": 1, "run": 10, "sleep": 20, "run": 30, },
    },
  }`;
  expect(eventsOf(text)).toEqual([
    { kind: 'run', ns: 10_000 },
    { kind: 'sleep', ns: 20_000 },
    { kind: 'run', ns: 30_000 },
  ]);
});

test('keys with a number, an underscore or a capital behind them are the events they begin with', () => {
  const text = `{ "tasks": { "t": {
    "run0": 1, "runtime1": 2, "sleep_a": 3, "lock2": "m", "unlock-2": "m", "yield.3": "", "resumeB": "r"
  } } }`;
  expect(eventsOf(text).map((event) => (event as WorkloadEvent).kind)).toEqual([
    'run',
    'run',
    'sleep',
    'lock',
    'unlock',
    'yield',
    'resume',
  ]);
});

test('suspend and yield may stand without a value, with a comma or at the end', () => {
  expect(
    eventsOf('{ "tasks": { "t": { "suspend", "run": 1, "yield", "suspend2": "" , "suspend" } } }'),
  ).toEqual([
    { kind: 'suspend', name: 't' },
    { kind: 'run', ns: 1000 },
    { kind: 'yield' },
    { kind: 'suspend', name: 't' },
    { kind: 'suspend', name: 't' },
  ]);
});

test('a timer is relative unless it says absolute, and each thread’s own if its name begins with unique', () => {
  const text = `{ "tasks": { "t": {
    "timer0": { "ref": "uniqueA", "period": 10 },
    "timer1": { "ref": "tick", "period": 20, "mode": "absolute" }
  } } }`;
  expect(eventsOf(text)).toEqual([
    { kind: 'timer', name: 'uniqueA', unique: true, periodNs: 10_000, missed: 'restart' },
    { kind: 'timer', name: 'tick', unique: false, periodNs: 20_000, missed: 'keep' },
  ]);
});

test('a sync is a signal and a wait, and takes the mutex around them if the task does not hold it', () => {
  const sync = '"sync": { "ref": "c", "mutex": "m" }';
  const kinds = (members: string) =>
    eventsOf(`{ "tasks": { "t": { ${members} } } }`).map((event) => (event as WorkloadEvent).kind);
  expect(kinds(sync)).toEqual(['lock', 'signal', 'wait', 'unlock']);
  expect(kinds(`"lock": "m", ${sync}, "unlock": "m"`)).toEqual([
    'lock',
    'signal',
    'wait',
    'unlock',
  ]);
});

test('a task without phases is one phase, run for ever unless it says how often', () => {
  const [task] = readWorkload('{ "tasks": { "t": { "run": 1 } } }', 'w.json').tasks;
  expect(task).toMatchObject({ instances: 1, delayNs: 0, loop: -1, linuxPriority: 120 });
  expect(task?.phases).toMatchObject([{ name: '', loop: 1 }]);
});

test.each([
  ['{ "duration": 2 }', 2e9],
  ['{ "duration": -1 }', undefined],
  ['{}', undefined],
])('the duration of %s is %s ns', (global, durationNs) => {
  const text = `{ "tasks": { "t": { "run": 1 } }, "global": ${global} }`;
  expect(readWorkload(text, 'w.json').durationNs).toBe(durationNs);
});

test('what has no effect on the schedule is read, and said', () => {
  const text = `{ "tasks": { "t": { "loop": 1, "run": 1 } }, "resources": {},
    "global": { "gnuplot": true, "ftrace": "none", "log_size": 2, "pi_enabled": false } }`;
  expect(readWorkload(text, 'w.json').notes).toEqual([
    {
      place: { line: 2, column: 15 },
      text: 'without effect on the schedule: gnuplot, ftrace, log_size',
    },
    {
      place: { line: 1, column: 46 },
      text: '"resources" is not needed: resources are made by their use',
    },
  ]);
});

test('wakes without waits, waits without wakes and tasks without threads are noted', () => {
  const text = `{ "tasks": {
    "a": { "loop": 1, "signal": "c", "suspend": "s" },
    "b": { "loop": 1, "resume": "r", "lock": "m", "wait": { "ref": "d", "mutex": "m" }, "unlock": "m" },
    "n": { "instance": 0, "run": 1 }
  } }`;
  const notes = checkWorkload(readWorkload(text, 'w.json'));
  expect(notes.map(({ place, text: said }) => `${place.line}: ${said}`)).toEqual([
    '3: "wait" on condition "d" that nobody ever wakes',
    '2: "signal" of condition "c" that nobody waits for',
    '2: "suspend" on the name "s" that nobody ever wakes',
    '3: "resume" of the name "r" that nobody waits for',
    '4: task "n" has no thread: its "instance" is 0 and nobody forks it',
  ]);
});

describe('JSON that does not parse', () => {
  test.each([
    ['', /^w\.json:1:1: the file is empty; give an object with "tasks"/],
    ['   \n', /^w\.json:1:1: the file is empty/],
    ['[]', /^w\.json:1:1: the workload is \[\]; give an object/],
    ['7', /^w\.json:1:1: the workload is 7; give an object/],
    [
      '{ "tasks": {\n  "t": { "run": 1 "sleep": 2 } } }',
      /^w\.json:2:19: a comma is missing at "\\"sleep\\""/,
    ],
    ['{ "tasks": { "t": { "run" } } }', /^w\.json:1:27: a colon and a value are missing/],
    ['{ "tasks": { "t": { "run": } } }', /^w\.json:1:28: a value is missing/],
    ['{ "tasks": { "suspend" } }', /^w\.json:1:24: a colon and a value are missing/],
    [
      '{ "tasks": { "t": { "timer": { "yield" } } } }',
      /^w\.json:1:40: a colon and a value are missing/,
    ],
    ['{ "tasks": { "t": { "suspend": } } }', /^w\.json:1:32: a value is missing/],
    ['{ "tasks": { "t": { "run": 1 }', /: the "}" of an object is missing/],
    ['{ "tasks": { "t": { "run": 1 } } } x', /^w\.json:1:36: /],
    ['{ "tasks": /* { }', /: the end "\*\/" of a comment is missing/],
    ['{ "tasks": "abc\n" }', /^w\.json:1:12: the closing quote of a text is missing/],
    ['{ tasks: { } }', /^w\.json:1:3: this is no JSON at "tasks"/],
    ["{ 'tasks': { } }", /^w\.json:1:3: this is no JSON/],
    ['{ "tasks": { "t": { "run": 0x10 } } }', /^w\.json:1:29: this is no JSON at "x10"/],
    ['\u0000\u0001\u0002', /^w\.json:1:1: this is no JSON at /],
    ['/* only words */', /^w\.json:1:1: the file is empty/],
    ['{{{', /^w\.json:1:2: a key in double quotes is missing at "\{"/],
  ])('%j', (text, message) => {
    expect(messageOf(text)).toMatch(message);
  });

  test('objects and arrays deeper than any workload’s are refused, however deep they go', () => {
    expect(messageOf('['.repeat(1_000_000))).toMatch(
      /^w\.json:1:65: more than 64 objects and arrays within each other/,
    );
  });

  test('a text of more than 16 million characters is not read at all', () => {
    expect(messageOf(`{}${' '.repeat(16 * 1024 * 1024)}`)).toMatch(
      /^w\.json:1:1: the file has 16777218 characters; at most 16777216 are read$/,
    );
  });
});

describe('keys', () => {
  test.each([
    [
      '"slep": 1',
      /^w\.json:1:32: unknown key "slep" in task "t"; possible are, .*\bsleep\b.*\binstance\b/,
    ],
    ['"runner": 1', /^w\.json:1:32: unknown key "runner" in task "t"/],
    ['"run one": 1', /^w\.json:1:32: unknown key "run one" in task "t"/],
    ['"__proto__": 1', /^w\.json:1:32: unknown key "__proto__" in task "t"/],
    ['"constructor": 1', /^w\.json:1:32: unknown key "constructor" in task "t"/],
    ['"mem": 1000', /: "mem" in task "t" is not modelled; .* write a "run" of that time$/],
    ['"iorun2": 1000', /: "iorun2" in task "t" is not modelled/],
    ['"util_min": 5', /: "util_min" in task "t" is not modelled; NT has no utilization clamping/],
    ['"taskgroup": "/a"', /: "taskgroup" in task "t" is not modelled/],
    ['"membind_nodes": [0]', /: "membind_nodes" in task "t" is not modelled/],
    [
      '"dl-runtime": 10',
      /: "dl-runtime" in task "t" is not modelled; NT has no deadline scheduling/,
    ],
    ['"exec": 10', /: "exec" in task "t" is not modelled; it is of rt-app's older grammar/],
    ['"instance": 1, "instance": 2', /^w\.json:1:47: "instance" stands twice in task "t"/],
    ['"phases": { "p": { "instance": 2 } }', /unknown key "instance" in phase "p" of task "t"/],
    ['"phases": { "p": { "loop": 1, "loop": 2 } }', /"loop" stands twice in phase "p" of task "t"/],
    [
      '"phases": { "p": { "run": 1 } }, "run": 1',
      /^w\.json:1:65: task "t" has "phases" and the event "run" beside them/,
    ],
    [
      '"timer": { "ref": "u", "period": 1, "mod": 1 }',
      /^w\.json:1:68: unknown key "mod" in "timer"; possible are ref, period, mode$/,
    ],
    [
      '"timer": { "ref": "u" }',
      /^w\.json:1:41: "timer" has no "period"; it takes an object such as/,
    ],
    ['"timer": { "ref": "u", "ref": "v", "period": 1 }', /"ref" stands twice in "timer"/],
    ['"wait": { "ref": "c" }', /: "wait" has no "mutex"; it takes an object such as/],
  ])('%s', (members, message) => {
    expect(inTask(members)).toMatch(message);
  });

  test.each([
    ['{ }', /^w\.json:1:1: there are no "tasks"; give at least one$/],
    ['{ "tasks": { } }', /^w\.json:1:12: "tasks" is empty/],
    ['{ "tasks": 5 }', /^w\.json:1:12: "tasks" is 5; give an object/],
    ['{ "tasks": { "t": 5 } }', /^w\.json:1:19: task "t" is 5; give an object/],
    [
      '{ "tasks": { "t": { "phases": 5 } } }',
      /^w\.json:1:31: "phases" of task "t" is 5; it takes an object of phases/,
    ],
    [
      '{ "tasks": { "t": { "phases": { "p": 5 } } } }',
      /: phase "p" of task "t" is 5; give an object/,
    ],
    ['{ "tasks": { "t": {}, "t": {} } }', /^w\.json:1:23: "t" stands twice in "tasks"/],
    [
      '{ "task": { } }',
      /^w\.json:1:3: unknown key "task"; possible here are tasks, global and resources$/,
    ],
    ['{ "tasks": { "t": {} }, "tasks": {} }', /"tasks" stands twice in the workload/],
    [
      '{ "tasks": { "t": {} }, "global": 1 }',
      /: "global" is 1; it takes the object of global settings/,
    ],
    [
      '{ "tasks": { "t": {} }, "global": { "durations": 1 } }',
      /: unknown key "durations" in "global"; possible are duration, calibration/,
    ],
    [
      '{ "tasks": { "t": {} }, "global": { "__proto__": { "duration": 5 } } }',
      /: unknown key "__proto__" in "global"/,
    ],
    [
      '{ "tasks": { "t": {} }, "global": { "duration": 0 } }',
      /: "duration" of "global" is 0; it takes seconds: an integer from 1/,
    ],
    [
      '{ "tasks": { "t": {} }, "global": { "duration": 1.5 } }',
      /: "duration" of "global" is 1\.5; it takes seconds/,
    ],
    [
      '{ "tasks": { "t": {} }, "global": { "duration": 1e99 } }',
      /: "duration" of "global" is 1e99; it takes seconds/,
    ],
    [
      '{ "tasks": { "t": {} }, "global": { "calibration": "GPU0" } }',
      /: "calibration" of "global" is "GPU0"; it takes ns of a loop/,
    ],
    [
      '{ "tasks": { "t": {} }, "global": { "calibration": 0 } }',
      /: "calibration" of "global" is 0; it takes ns of a loop/,
    ],
    [
      '{ "tasks": { "t": {} }, "global": { "default_policy": "FIFO" } }',
      /: "default_policy" of "global" is "FIFO"; it takes one of SCHED_OTHER, /,
    ],
    [
      '{ "tasks": { "t": {} }, "global": { "pi_enabled": true } }',
      /^w\.json:1:37: "pi_enabled" is not modelled: .*; set it to false$/,
    ],
  ])('%s', (text, message) => {
    expect(messageOf(text)).toMatch(message);
  });
});

describe('values', () => {
  test.each([
    [
      '"run": -5',
      /^w\.json:1:39: "run" is -5; it takes microseconds: an integer from 0 to 9007199254740$/,
    ],
    ['"run": 1.5', /: "run" is 1\.5; it takes microseconds/],
    ['"run": "10"', /: "run" is "10"; it takes microseconds/],
    ['"run": 1e400', /: "run" is 1e400; it takes microseconds/],
    ['"run": 9007199254741', /: "run" is 9007199254741; it takes microseconds/],
    ['"run": null', /: "run" is null; it takes microseconds/],
    ['"run": { "a": 1 }', /: "run" is \{ "a": 1 \}; it takes microseconds/],
    ['"sleep3": -1', /: "sleep3" is -1; it takes microseconds/],
    ['"delay": -1', /: "delay" of task "t" is -1; it takes microseconds before it begins/],
    ['"timer": { "ref": "u", "period": -1 }', /: "period" of "timer" is -1; it takes microseconds/],
    [
      '"timer": { "ref": "u", "period": 1, "mode": "both" }',
      /: "mode" of "timer" is "both"; it takes "relative" or "absolute"$/,
    ],
    ['"timer": 5', /: "timer" is 5; it takes an object such as/],
    ['"lock": ""', /: "lock" is ""; it takes the name of a mutex$/],
    ['"lock": 5', /: "lock" is 5; it takes the name of a mutex$/],
    ['"wait": "c"', /: "wait" is "c"; it takes an object such as/],
    ['"suspend": 5', /: "suspend" is 5; it takes a name, or nothing for the task's own/],
    ['"instance": -1', /: "instance" of task "t" is -1; it takes how many threads/],
    ['"instance": 2000000', /: "instance" of task "t" is 2000000; it takes how many threads/],
    [
      '"phases": { "p": { "loop": 0 } }',
      /: "loop" of phase "p" of task "t" is 0; it takes how often: an integer from 1, or -1/,
    ],
    ['"cpus": []', /: "cpus" of task "t" is \[\]; it takes an array of processor numbers/],
    [
      '"cpus": [0, 0]',
      /: "cpus" of task "t" is \[0, 0\]; it takes an array of processor numbers, each once/,
    ],
    [
      '"cpus": [0, -1]',
      /^w\.json:1:44: "cpus" of task "t" is -1; it takes an array of processor numbers/,
    ],
    ['"cpus": 3', /: "cpus" of task "t" is 3; it takes an array/],
    [
      '"policy": "SCHED_BATCH"',
      /: "policy" of task "t" is "SCHED_BATCH"; it takes one of SCHED_OTHER, /,
    ],
    [
      '"policy": "SCHED_DEADLINE"',
      /^w\.json:1:32: the policy SCHED_DEADLINE is not modelled; NT has none like it/,
    ],
    ['"priority": 20', /^w\.json:1:32: priority 20 is none of SCHED_OTHER; it takes -20 to 19$/],
    [
      '"policy": "SCHED_FIFO", "priority": 0',
      /: priority 0 is none of SCHED_FIFO; it takes 1 to 99$/,
    ],
    ['"priority": 100', /: "priority" of task "t" is 100; it takes an integer: -20 to 19/],
    [
      '"phases": { "p": { "policy": "SCHED_RR", "priority": -1, "run": 1 } }',
      /: priority -1 is none of SCHED_RR/,
    ],
  ])('%s', (members, message) => {
    expect(inTask(members)).toMatch(message);
  });
});

describe('what could never work', () => {
  test.each([
    [
      '"unlock": "m"',
      /^w\.json:1:32: "unlock" of "m", which task "t" does not hold; lock it first/,
    ],
    ['"lock": "m", "unlock": "n"', /^w\.json:1:45: "unlock" of "n", which task "t" does not hold/],
    [
      '"lock": "m", "lock2": "m"',
      /^w\.json:1:45: "lock" of "m", which task "t" holds: it would wait for itself/,
    ],
    [
      '"wait": { "ref": "c", "mutex": "m" }',
      /: "wait" with the mutex "m", which task "t" does not hold/,
    ],
    ['"phases": { "p": { "loop": 2, "lock": "m" } }', /: "lock" of "m", which task "t" holds/],
    [
      '"phases": { "p": { "lock": "m" }, "q": { "loop": 2, "unlock": "m" } }',
      /: "unlock" of "m", which/,
    ],
    ['"phases": { "p": { "lock": "m" }, "q": { "unlock": "m" } }', /^nothing$/],
    [
      '"barrier": "b"',
      /^w\.json:1:32: barrier "b" has one user; a barrier takes two threads or more/,
    ],
    ['"instance": 2, "barrier": "b"', /^nothing$/],
    ['"instance": 2, "barrier": "b", "barrier2": "b"', /barrier "b" stands twice in task "t"/],
    ['"fork": "u"', /: "fork" of "u", which is no task; the tasks are t$/],
    ['"fork": "t"', /: task "t" forks itself, in its own events or through others/],
    [
      '"phases": { "p": { "loop": -1, "run": 1 }, "q": { "run": 1 } }',
      /: phase "q" of task "t" is never reached/,
    ],
    ['"phases": { "p": { "loop": -1, "run": 0 } }', /: task "t" does nothing, for ever/],
  ])('%s', (members, message) => {
    expect(inTask(members)).toMatch(message);
  });

  test.each([
    [
      '{ "tasks": { "t": { "lock": "m", "run": 1 } }, "global": { "duration": 1 } }',
      /: "lock" of "m", which task "t" holds/,
    ],
    [
      '{ "tasks": { "t": { } }, "global": { "duration": 1 } }',
      /^w\.json:1:14: task "t" does nothing, for ever/,
    ],
    [
      '{ "tasks": { "t": { "run": 1 } } }',
      /^w\.json:1:14: task "t" loops for ever, and the workload has no duration; give "duration" in "global"/,
    ],
    ['{ "tasks": { "t": { "instance": 0, "run": 1 } } }', /: no task has a thread to begin with/],
    [
      '{ "tasks": { "a": { "loop": 1, "barrier": "b" }, "c": { "instance": 0, "loop": 1, "barrier": "b" } } }',
      /barrier "b" has one user/,
    ],
    [
      '{ "tasks": { "a": { "loop": 1, "fork": "f", "barrier": "b" }, "f": { "loop": 1, "barrier": "b" } } }',
      /barrier "b" in task "f", which is forked: how many would meet is not known/,
    ],
    [
      '{ "tasks": { "a": { "loop": 1, "fork": "b" }, "b": { "instance": 0, "loop": 1, "fork": "a" } } }',
      /task "a" forks itself/,
    ],
  ])('%s', (text, message) => {
    expect(messageOf(text)).toMatch(message);
  });

  test('a chain of more than a thousand forks is refused, and a shorter one is not', () => {
    const chain = (length: number) => {
      const tasks = Array.from({ length }, (_, i) => `"t${i}": { "loop": 1, "fork": "t${i + 1}" }`);
      return messageOf(`{ "tasks": { ${tasks.join(', ')}, "t${length}": { "loop": 1 } } }`);
    };
    expect(chain(900)).toBe('nothing');
    expect(chain(100_000)).toMatch(/: more than 1000 tasks that fork each other in a row/);
  });
});
