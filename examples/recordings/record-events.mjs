#!/usr/bin/env node
// Makes workstation.events.jsonl.gz: a minute on a workstation that nobody had, in Sysmon's words.
//   node examples/recordings/record-events.mjs | gzip -9n > examples/recordings/workstation.events.jsonl.gz
import {
  KeDelayExecutionThread,
  LdrLoadDll,
  Machine,
  MODE,
  NtClose,
  NtCreateThreadEx,
  NtCreateUserProcess,
  NtOpenProcess,
  NtTerminateProcess,
  NtWaitForSingleObject,
  PsGetProcessId,
  processManager,
  recordEvents,
  writeEvents,
} from 'ntps';

const SYSTEM32 = 'C:\\Windows\\System32\\';
const USER = 'C:\\Users\\anna\\';
const ALL = 0x1fffff;
const NO_ONE = { UniqueProcess: 0, UniqueThread: 0 };

/** `s` seconds of the machine's time. */
const sleep = (s) => KeDelayExecutionThread(MODE.UserMode, false, Math.round(-s * 1e7));

/** Starts an executable; its handle stays open until it has ended. */
function* start(image, commandLine, wait = true) {
  const parameters = { commandLine };
  const made = yield* NtCreateUserProcess(ALL, ALL, null, null, 0, 0, parameters, {
    imageName: image,
  });
  yield* NtClose(made.threadHandle);
  if (wait) yield* NtWaitForSingleObject(made.processHandle, false, null);
  yield* NtClose(made.processHandle);
  return made.clientId ?? NO_ONE;
}

/** Opens a process as another does that wants something of it. */
function* open({ UniqueProcess }, access, then) {
  const { handle } = yield* NtOpenProcess(access, {}, { UniqueProcess, UniqueThread: 0 });
  if (then !== undefined) yield* then(handle);
  yield* NtClose(handle);
}

/** What a thread does that somebody else has put there. */
function* injected() {
  yield* sleep(2);
}

/** The recorded minute. */
export async function record() {
  const machine = await Machine.create({ processors: 4 });
  const ps = processManager(machine);
  const recorder = recordEvents(machine);
  let lsass = NO_ONE;
  let explorer = NO_ONE;

  /** Says what a process of an executable does. */
  const describe = (image, main) => ps.images.describe(image, { main });

  describe(`${SYSTEM32}lsass.exe`, function* () {
    yield* sleep(60);
  });
  describe(`${SYSTEM32}svchost.exe`, function* () {
    yield* LdrLoadDll('rpcrt4.dll');
    yield* sleep(59);
  });
  describe(`${SYSTEM32}services.exe`, function* () {
    for (const group of ['netsvcs', 'LocalService', 'NetworkService']) {
      yield* start(`${SYSTEM32}svchost.exe`, `svchost.exe -k ${group}`, false);
      yield* sleep(0.2);
    }
    yield* sleep(59);
  });
  describe(`${SYSTEM32}wininit.exe`, function* () {
    yield* start(`${SYSTEM32}services.exe`, 'services.exe', false);
    lsass = yield* start(`${SYSTEM32}lsass.exe`, 'lsass.exe', false);
    yield* sleep(60);
  });
  describe('C:\\Windows\\explorer.exe', function* () {
    yield* LdrLoadDll('shell32.dll');
    yield* sleep(5);
    yield* start(`${USER}Downloads\\invoice.exe`, 'invoice.exe', false);
    for (let count = 0; count < 3; count++) {
      yield* sleep(4);
      yield* start(`${SYSTEM32}notepad.exe`, `notepad.exe notes${count}.txt`);
    }
    yield* sleep(25);
  });
  describe(`${SYSTEM32}notepad.exe`, function* () {
    yield* LdrLoadDll('comdlg32.dll');
    yield* sleep(1.5);
  });
  describe(`${USER}Downloads\\invoice.exe`, function* () {
    yield* sleep(0.5);
    yield* start(`${SYSTEM32}cmd.exe`, 'cmd.exe /c whoami & tasklist');
    yield* open(explorer, 0x43a, function* (handle) {
      yield* NtCreateThreadEx(ALL, null, handle, injected, null, 0, 0, 0, 0, null);
    });
    yield* start(`${USER}AppData\\Local\\Temp\\dump.exe`, 'dump.exe lsass');
    yield* NtTerminateProcess(-1, 0);
  });
  describe(`${SYSTEM32}cmd.exe`, function* () {
    yield* start(`${SYSTEM32}whoami.exe`, 'whoami');
    yield* start(`${SYSTEM32}tasklist.exe`, 'tasklist');
    yield* NtTerminateProcess(-1, 1);
  });
  describe(`${SYSTEM32}whoami.exe`, function* () {
    yield* sleep(0.05);
  });
  describe(`${SYSTEM32}tasklist.exe`, function* () {
    yield* open(lsass, 0x1000);
    yield* open(explorer, 0x1000);
    yield* sleep(0.1);
  });
  describe(`${USER}AppData\\Local\\Temp\\dump.exe`, function* () {
    yield* LdrLoadDll('dbghelp.dll');
    yield* open(lsass, 0x1410, injected);
  });

  machine.run();
  ps.createProcess({ image: `${SYSTEM32}wininit.exe`, commandLine: 'wininit.exe' });
  machine.run({ until: machine.now + 1e9 });
  const shell = ps.createProcess({ image: 'C:\\Windows\\explorer.exe', sessionId: 1 });
  machine.run({ until: machine.now + 1e6 });
  if (shell.process !== undefined)
    explorer = { UniqueProcess: PsGetProcessId(shell.process), UniqueThread: 0 };
  machine.run();
  return recorder.recording('workstation');
}

if (import.meta.url === new URL(process.argv[1] ?? '', 'file:').href)
  process.stdout.write([...writeEvents(await record())].join(''));
