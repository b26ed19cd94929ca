import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { EFD, IDTYPE, O, POLL, SIG, SIG_HOW, SYS, WAIT } from '../../src/subsystem/wsl/abi';
import { signalSet } from '../../src/subsystem/wsl/signal-calls';
import type { LinuxUser } from '../../src/subsystem/wsl/user';
import { runLinux } from '../subsystem/linux';
import { check } from './check';
import { LinuxModel } from './linux-model';

/** One system call; `pick` is which of what is open, or of the children, or one that is none. */
type Act =
  | { readonly kind: 'pipe' | 'raise' }
  | { readonly kind: 'counter'; readonly count: number; readonly semaphore: boolean }
  | { readonly kind: 'close' | 'dup' | 'poll'; readonly pick: number }
  | { readonly kind: 'dup2'; readonly pick: number; readonly to: number }
  | { readonly kind: 'read'; readonly pick: number; readonly count: number }
  | { readonly kind: 'write'; readonly pick: number; readonly bytes: readonly number[] }
  | { readonly kind: 'fill'; readonly pick: number; readonly size: number }
  | { readonly kind: 'fork'; readonly code: number }
  | { readonly kind: 'wait'; readonly pick: number }
  | { readonly kind: 'block'; readonly blocked: boolean };

const pick = fc.nat(12);
const kind = <K extends string>(name: K) => fc.constant(name);
const acts: fc.Arbitrary<Act[]> = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constantFrom('pipe' as const, 'raise' as const) }),
    fc.record({ kind: kind('counter'), count: fc.nat(3), semaphore: fc.boolean() }),
    fc.record({ kind: fc.constantFrom('close' as const, 'dup' as const, 'poll' as const), pick }),
    fc.record({ kind: kind('dup2'), pick, to: fc.integer({ min: 3, max: 14 }) }),
    fc.record({ kind: kind('read'), pick, count: fc.nat(20) }),
    fc.record({
      kind: kind('write'),
      pick,
      bytes: fc.array(fc.constantFrom(0, 0, 1, 254, 255), { minLength: 1, maxLength: 12 }),
    }),
    fc.record({ kind: kind('fill'), pick, size: fc.constantFrom(4096, 5000, 8192) }),
    fc.record({ kind: kind('fork'), code: fc.nat(255) }),
    fc.record({ kind: kind('wait'), pick }),
    fc.record({ kind: kind('block'), blocked: fc.boolean() }),
  ),
  { minLength: 1, maxLength: 60, size: 'max' },
);

/** Memory that nothing else uses. */
const BUFFER = 0x1_0000;
const ALL_EVENTS = POLL.IN | POLL.OUT;
const NO_SUCH = 999;

function* writeBytes(linux: LinuxUser, fd: number, bytes: readonly number[]) {
  linux.memory.write(BUFFER, Uint8Array.from(bytes));
  return yield* linux.call(SYS.write, fd, BUFFER, bytes.length);
}

/** Does an act on both sides: what each says. */
function* act(linux: LinuxUser, model: LinuxModel, what: Act) {
  const chosen = (from: readonly number[], at: number) => from[at % (from.length + 1)] ?? NO_SUCH;
  const fd = 'pick' in what ? chosen(model.open, what.pick) : NO_SUCH;
  switch (what.kind) {
    case 'pipe':
      return [[...(yield* linux.pipe(O.NONBLOCK))], model.pipe()];
    case 'counter': {
      const semaphore = what.semaphore ? EFD.SEMAPHORE : 0;
      const made = yield* linux.eventfd(what.count, O.NONBLOCK | semaphore);
      return [made, model.counter(what.count, what.semaphore)];
    }
    case 'close':
      return [yield* linux.close(fd), model.close(fd)];
    case 'dup':
      return [yield* linux.call(SYS.dup, fd), model.dup(fd)];
    case 'dup2':
      return [yield* linux.dup2(fd, what.to), model.dup2(fd, what.to)];
    case 'poll': {
      const { revents } = yield* linux.poll([{ fd, events: ALL_EVENTS }], 0);
      return [revents[0], model.poll(fd)];
    }
    case 'read': {
      const got = yield* linux.read(fd, what.count);
      return [typeof got === 'number' ? got : [...got], model.read(fd, what.count)];
    }
    case 'write':
      return [yield* writeBytes(linux, fd, what.bytes), model.write(fd, what.bytes)];
    case 'fill': {
      const bytes = Array.from({ length: what.size }, () => 0);
      return [yield* writeBytes(linux, fd, bytes), model.write(fd, bytes)];
    }
    case 'fork': {
      const pid = yield* linux.fork(function* (child) {
        yield* child.exitGroup(what.code);
      });
      // Until it has ended it has the descriptors too.
      const left = WAIT.EXITED | WAIT.NOWAIT;
      yield* linux.call(SYS.waitid, IDTYPE.P_PID, pid, 0, left, 0);
      return [pid, model.fork(what.code)];
    }
    case 'wait': {
      const wanted = chosen(model.pids, what.pick);
      const { pid, status } = yield* linux.wait(wanted);
      return [[pid, status], [...model.wait(wanted)]];
    }
    case 'block': {
      const how = what.blocked ? SIG_HOW.BLOCK : SIG_HOW.UNBLOCK;
      const set = yield* linux.sigprocmask(how, signalSet(SIG.USR1));
      return [set, model.block(what.blocked)];
    }
    default:
      return [yield* linux.kill(1, SIG.USR1), model.raise()];
  }
}

test('system calls on descriptors, children and signals do what the model says, and leave nothing', async () => {
  await check('test/property/linux.test.ts', acts, 150, async (plan) => {
    const model = new LinuxModel();
    let handled = 0;
    const said: unknown[] = [];
    const expected: unknown[] = [];
    const { wsl, machine, result } = await runLinux(function* (linux) {
      yield* linux.sigaction(SIG.PIPE, 'ignore');
      yield* linux.sigaction(SIG.USR1, () => {
        handled++;
        return undefined;
      });
      for (const what of plan) {
        const [real, modelled] = yield* act(linux, model, what);
        said.push([what.kind, real, handled]);
        expected.push([what.kind, modelled, model.handled]);
      }
    });
    expect(said).toEqual(expected);
    expect(result).toMatchObject({ reason: 'idle', waiting: [] });
    expect(wsl.counts).toEqual({ threads: 0, processes: 0, futexes: 0 });
    expect([...machine.allProcesses()].length).toBe(1);
  });
});
