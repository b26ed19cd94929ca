import {
  type DriverImageOptions,
  IMAGE_DLLCHARACTERISTICS,
  type KThread,
  Machine,
  NtClose,
  NtCreateUserProcess,
  NtDuplicateObject,
  NtOpenProcess,
  NtOpenThread,
  NtQueryObject,
  OBJECT_INFORMATION_CLASS,
  PsGetCurrentThread,
  PsGetThreadId,
  processManager,
  STATUS,
  ZwOpenProcess,
} from 'ntps';
import { describe, expect, test } from 'vitest';
import { type ProtectOptions, protect } from '../../examples/drivers/protect/protect';

const VAULT = 'C:\\Program Files\\Vault\\vault.exe';
const STEALER = 'C:\\Users\\me\\stealer.exe';
const ALL = 0x1fffff;
const BASIC = OBJECT_INFORMATION_CLASS.ObjectBasicInformation;
const NAMES = { protect: ['vault.exe'], block: ['stealer.exe'] };

type Main = () => Generator<readonly number[], void, number>;

/** A machine with the driver, and a vault that runs. */
async function machineWith(options: Partial<ProtectOptions> = {}, image?: DriverImageOptions) {
  const machine = await Machine.create({ processors: 2 });
  const log: string[] = [];
  const driver = machine.loadDriver({
    ...protect({ ...NAMES, log: (line) => log.push(line), ...options }),
    ...(image === undefined ? {} : { image }),
  });
  machine.run();
  const ps = processManager(machine);
  const vault = ps.createProcess({ image: VAULT });
  machine.run();
  const attacker = (main: Main) => {
    ps.createProcess({ image: 'C:\\attacker.exe', main });
    return machine.run();
  };
  return { machine, log, driver, vault, attacker };
}

const PROCESS = { UniqueProcess: 12, UniqueThread: 0 };

function* accessOf(handle: number) {
  return (yield* NtQueryObject(handle, BASIC, 56)).GrantedAccess;
}

describe('examples/drivers/protect', () => {
  test('takes the access to a protected process that user mode asks for', async () => {
    const { attacker, log, vault } = await machineWith();
    const seen: unknown[] = [vault.status];
    attacker(function* () {
      const { handle } = yield* NtOpenProcess(ALL, {}, PROCESS);
      seen.push(yield* accessOf(handle));
      const UniqueThread = PsGetThreadId(vault.thread as KThread);
      const thread = yield* NtOpenThread(ALL, {}, { UniqueProcess: 0, UniqueThread });
      seen.push(yield* accessOf(thread.handle));
    });
    expect(seen).toEqual([STATUS.SUCCESS, 0x1ff594, 0x1fff4c]);
    expect(log.slice(-2)).toEqual([
      'vault.exe: process 20 does not get access 0xa6b',
      'vault.exe: process 20 does not get access 0xb3',
    ]);
  });

  test('takes it from a duplicate with more rights than its source has', async () => {
    const { attacker } = await machineWith();
    const seen: unknown[] = [];
    attacker(function* () {
      const { handle } = yield* NtOpenProcess(0x1000, {}, PROCESS);
      const again = yield* NtDuplicateObject(-1, handle, -1, ALL, 0, 0);
      seen.push(yield* accessOf(again.handle));
    });
    expect(seen).toEqual([0x1ff594]);
  });

  test('leaves other processes, the process itself and the kernel alone', async () => {
    const { machine, attacker } = await machineWith();
    const seen: unknown[] = [];
    attacker(function* () {
      const own = yield* NtOpenProcess(ALL, {}, { UniqueProcess: 4, UniqueThread: 0 });
      seen.push(yield* accessOf(own.handle));
    });
    machine.systemProcess.createThread(function* () {
      const { handle } = yield* ZwOpenProcess(ALL, {}, PROCESS);
      seen.push(yield* accessOf(handle));
      yield* NtClose(handle);
    });
    machine.run();
    expect(seen).toEqual([ALL, ALL]);
  });

  test('does not let a blocked executable run, and says so to who starts it', async () => {
    const { attacker, log } = await machineWith();
    const seen: unknown[] = [];
    attacker(function* () {
      const attributes = { imageName: STEALER };
      const created = yield* NtCreateUserProcess(
        ...([ALL, ALL, null, null, 0, 0, null, attributes] as const),
      );
      seen.push(created.status);
    });
    expect(seen).toEqual([STATUS.ACCESS_DENIED]);
    expect(log.at(-1)).toBe('stealer.exe was not let run, for process 20');
  });

  test('notes what a protected process loads, in a worker thread', async () => {
    const threads: string[] = [];
    await machineWith({
      log: (line) => {
        threads.push(line, PsGetCurrentThread().name);
      },
    });
    expect(threads).toEqual([
      ...['vault.exe is process 12, and protected', 'worker 1'],
      ...['vault.exe loads vault.exe', 'worker 1'],
      ...['vault.exe loads ntdll.dll', 'worker 1'],
      ...['vault.exe loads kernel32.dll', 'worker 1'],
      ...['vault.exe loads kernelbase.dll', 'worker 1'],
    ]);
  });

  test('forgets a process that has ended: its id may be another’s', async () => {
    const { machine, vault, attacker } = await machineWith();
    vault.thread?.terminate(0);
    machine.run();
    const seen: unknown[] = [];
    const ps = processManager(machine);
    ps.createProcess({ image: 'C:\\other.exe' });
    machine.run();
    attacker(function* () {
      const { status, handle } = yield* NtOpenProcess(ALL, {}, PROCESS);
      seen.push(status, yield* accessOf(handle));
    });
    expect(seen).toEqual([STATUS.SUCCESS, ALL]);
  });

  test('is unloaded while it is busy, with nothing left behind', async () => {
    const { machine, driver, attacker } = await machineWith();
    attacker(function* () {
      for (let count = 0; count < 20; count++) {
        const { handle } = yield* NtOpenProcess(ALL, {}, PROCESS);
        yield* NtClose(handle);
        if (count === 5) driver.unload();
      }
    });
    expect(machine.run().reason).toBe('idle');
    expect(driver.state).toBe('unloaded');
  });

  test('is loaded again after it was unloaded', async () => {
    const { machine, driver } = await machineWith();
    driver.unload();
    machine.run();
    const again = machine.loadDriver(protect(NAMES));
    machine.run();
    expect([driver.state, again.state]).toEqual(['unloaded', 'loaded']);
  });

  test('takes everything back when a registration fails', async () => {
    const { machine, driver } = await machineWith(
      {},
      { dllCharacteristics: IMAGE_DLLCHARACTERISTICS.NX_COMPAT },
    );
    expect([driver.state, driver.status]).toEqual(['failed', STATUS.ACCESS_DENIED]);
    expect(machine.drivers.list).toEqual([]);
  });

  test('is not loaded twice: its device is there', async () => {
    const { machine } = await machineWith();
    const second = machine.loadDriver({ ...protect(NAMES), name: 'second' });
    machine.run();
    expect(second.status).toBe(STATUS.OBJECT_NAME_COLLISION);
  });
});
