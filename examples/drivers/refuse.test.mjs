// Tests of a driver: node --test refuse.test.mjs
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  analyzeBugCheck,
  checkDriver,
  decodeRecord,
  describeFinding,
  IRQL,
  KeGetCurrentIrql,
  Machine,
  NtCreateUserProcess,
  PsGetCurrentProcessId,
  PsSetCreateProcessNotifyRoutineEx,
  PsSetCreateThreadNotifyRoutine,
  processManager,
  STATUS,
} from 'ntps';
import refuse from './refuse.js';

const ALL = 0x1fffff;
const SYSTEM = 4;
const START = 'C:\\Windows\\explorer.exe';
const ALLOWED = 'C:\\Tools\\notepad.exe';
const REFUSED = 'C:\\Tools\\mimikatz.exe';

/**
 * Lets the machine run until nothing is left to do. An assertion that fails inside of it, in a callback
 * or in a thread, does not leave `run`: it is a bugcheck, as any exception there. So look at the result.
 */
function run(machine) {
  const result = machine.run();
  assert.equal(result.reason, 'idle', result.reason === 'bugcheck' ? analyzeBugCheck(result) : '');
}

/** A machine on which drivers are loaded, in this order. */
async function machineWith(...drivers) {
  const machine = await Machine.create({ processors: 2 });
  const loaded = drivers.map((driver) => machine.loadDriver(driver));
  run(machine);
  for (const { name, status } of loaded) assert.equal(status, STATUS.SUCCESS, name);
  return machine;
}

/** A driver that notes what it is told, in which process, at which level. */
function onlooker(told) {
  const note = (what) => told.push([what, PsGetCurrentProcessId(), KeGetCurrentIrql()]);
  function onProcess(_process, processId, createInfo) {
    note(createInfo === null ? `exit of ${processId}` : `creation of ${createInfo.ImageFileName}`);
  }
  function onThread(processId, _threadId, create) {
    if (processId === SYSTEM) return; // such as the one that has loaded the drivers
    note(`thread of ${processId} ${create ? 'begins' : 'ends'}`);
  }
  return {
    name: 'onlooker',
    *DriverEntry() {
      const status = yield* PsSetCreateProcessNotifyRoutineEx(onProcess, false);
      return status === STATUS.SUCCESS ? yield* PsSetCreateThreadNotifyRoutine(onThread) : status;
    },
  };
}

test('who starts what is refused gets STATUS_ACCESS_DENIED', async () => {
  const machine = await machineWith(refuse);
  const statuses = [];
  // A process of user mode; its main is a thread of it, and calls what ntdll would.
  processManager(machine).createProcess({
    image: START,
    *main() {
      for (const imageName of [ALLOWED, REFUSED]) {
        const attributes = { imageName };
        const { status } = yield* NtCreateUserProcess(ALL, ALL, null, null, 0, 0, null, attributes);
        statuses.push(status);
      }
    },
  });
  run(machine);
  assert.deepEqual(statuses, [STATUS.SUCCESS, STATUS.ACCESS_DENIED]);
});

test('drivers are told in order, at PASSIVE_LEVEL, in the process that creates', async () => {
  const told = [];
  const machine = await machineWith(onlooker(told), refuse);
  // From outside of any guest: the status is there when the machine has run.
  const creation = processManager(machine).createProcess({ image: REFUSED });
  assert.equal(creation.status, STATUS.PENDING);
  run(machine);
  assert.equal(creation.status, STATUS.ACCESS_DENIED);
  assert.deepEqual(told, [
    [`creation of \\??\\${REFUSED}`, SYSTEM, IRQL.PASSIVE_LEVEL],
    ['thread of 12 ends', 12, IRQL.PASSIVE_LEVEL],
    ['exit of 12', 12, IRQL.PASSIVE_LEVEL],
  ]);
});

test('the trace has that the process comes, and goes with the status that the driver gave', async () => {
  const machine = await machineWith(refuse);
  const history = [];
  machine.trace.subscribe((batch) => {
    for (let index = 0; index < batch.count; index++) history.push(decodeRecord(batch, index));
  });
  const creation = processManager(machine).createProcess({ image: REFUSED });
  run(machine);
  // What is in the ring yet goes to subscribers now.
  machine.trace.drain();
  assert.equal(creation.status, STATUS.ACCESS_DENIED);
  const told = history.filter(({ type }) => type === 'processStart' || type === 'processEnd');
  assert.deepEqual(
    told.map(({ type, process, status }) => [type, process, status]),
    [
      // The first record of all: the System process.
      ['processStart', 1, undefined],
      ['processStart', 2, undefined],
      ['processEnd', 2, STATUS.ACCESS_DENIED],
    ],
  );
});

test('the driver follows the rules, beside hostile drivers and processes', async () => {
  const { findings, status } = await checkDriver(refuse, { neighbours: 'all' });
  assert.equal(status, STATUS.SUCCESS);
  assert.deepEqual(findings.map(describeFinding), []);
});

test('the same, twice, is the same to the bit', async () => {
  const digests = [];
  for (let count = 0; count < 2; count++) {
    const machine = await machineWith(refuse);
    processManager(machine).createProcess({ image: REFUSED });
    run(machine);
    digests.push(machine.digest);
  }
  assert.equal(digests[0], digests[1]);
});
