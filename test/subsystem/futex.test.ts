import { describe, expect, test } from 'vitest';
import { CLOCK, FUTEX, SIG, SYS } from '../../src/subsystem/wsl/abi';
import { ERRNO } from '../../src/subsystem/wsl/errno';
import { writeLong } from '../../src/subsystem/wsl/memory';
import type { LinuxUser } from '../../src/subsystem/wsl/user';
import { runLinux } from './linux';

const WORD = 0x1_0000;
const OTHER = 0x1_0100;
const SHARED = 0x6000_0000;

/** Threads of the process that wait at WORD, each for a bit; they note what the wait returned. */
function* waiters(linux: LinuxUser, count: number, seen: unknown[]) {
  for (let index = 0; index < count; index++) {
    yield* linux.spawnThread(function* (own) {
      const bit = 1 << index;
      const operation = FUTEX.WAIT_BITSET | FUTEX.PRIVATE_FLAG;
      seen.push([index, yield* own.call(SYS.futex, WORD, operation, 0, 0, 0, bit)]);
    });
  }
  yield* linux.nanosleep(1e6);
}

describe('FUTEX_WAIT', () => {
  test('of a word that has another value is EAGAIN, of a misaligned one EINVAL', async () => {
    const seen: number[] = [];
    await runLinux(function* (linux) {
      linux.store(WORD, 5);
      seen.push(yield* linux.futexWait(WORD, 4));
      seen.push(yield* linux.futexWait(WORD + 1, 5));
      seen.push(yield* linux.call(SYS.futex, WORD, FUTEX.WAIT_BITSET, 5, 0, 0, 0));
      seen.push(yield* linux.call(SYS.futex, WORD, 6, 5));
    });
    expect(seen).toEqual([-ERRNO.EAGAIN, -ERRNO.EINVAL, -ERRNO.EINVAL, -ERRNO.ENOSYS]);
  });

  test('ends with its timeout, relative or of a clock, never early', async () => {
    const seen: unknown[] = [];
    await runLinux(function* (linux) {
      const start = yield* linux.clock(CLOCK.MONOTONIC);
      seen.push(yield* linux.futexWait(WORD, 0, 100e6));
      const first = (yield* linux.clock(CLOCK.MONOTONIC)) - start;
      seen.push(first >= 100e6 && first < 120e6);
      const due = start + 300e6;
      writeLong(linux.memory, OTHER, 0);
      writeLong(linux.memory, OTHER + 8, due);
      seen.push(yield* linux.call(SYS.futex, WORD, FUTEX.WAIT_BITSET, 0, OTHER, 0, 1));
      const second = (yield* linux.clock(CLOCK.MONOTONIC)) - due;
      seen.push(second >= 0 && second < 20e6);
      writeLong(linux.memory, OTHER + 8, 1e9);
      seen.push(yield* linux.call(SYS.futex, WORD, FUTEX.WAIT, 0, OTHER));
    });
    expect(seen).toEqual([-ERRNO.ETIMEDOUT, true, -ERRNO.ETIMEDOUT, true, -ERRNO.EINVAL]);
  });

  test('ends with EINTR when a handler has run', async () => {
    const seen: unknown[] = [];
    const { wsl } = await runLinux(function* (linux) {
      yield* linux.sigaction(SIG.USR1, () => undefined);
      yield* linux.fork(function* (own) {
        yield* own.nanosleep(20e6);
        yield* own.kill(1, SIG.USR1);
      });
      seen.push(yield* linux.futexWait(WORD, 0));
      seen.push(yield* linux.futexWake(WORD));
    });
    expect(seen).toEqual([-ERRNO.EINTR, 0]);
    expect(wsl.counts.futexes).toBe(0);
  });
});

describe('FUTEX_WAKE', () => {
  test('wakes those that came first, whose boost lets them go on first, and says how many', async () => {
    const seen: unknown[] = [];
    await runLinux(
      function* (linux) {
        yield* waiters(linux, 3, seen);
        seen.push(yield* linux.futexWake(WORD, 2));
        yield* linux.nanosleep(1e6);
        seen.push(yield* linux.futexWake(WORD, 2));
        yield* linux.nanosleep(1e6);
      },
      undefined,
      { processors: 1 },
    );
    expect(seen).toEqual([[0, 0], [1, 0], 2, [2, 0], 1]);
  });

  test('with a bitset wakes those that wait for one of its bits', async () => {
    const seen: unknown[] = [];
    await runLinux(function* (linux) {
      yield* waiters(linux, 3, seen);
      seen.push(yield* linux.call(SYS.futex, WORD, FUTEX.WAKE_BITSET, 9, 0, 0, 0b110));
      yield* linux.nanosleep(1e6);
      seen.push(yield* linux.futexWake(WORD, 9));
      yield* linux.nanosleep(1e6);
    });
    expect(seen).toEqual([[1, 0], [2, 0], 2, [0, 0], 1]);
  });

  test('of memory that a fork has copied is not that of the parent; of shared memory it is', async () => {
    const seen: unknown[] = [];
    await runLinux(function* (linux) {
      yield* linux.fork(function* (own) {
        seen.push(yield* own.futexWait(SHARED, 0));
      });
      yield* linux.fork(function* (own) {
        seen.push(yield* own.futexWait(WORD, 0, 60e6));
      });
      yield* linux.nanosleep(20e6);
      seen.push(yield* linux.futexWake(WORD), yield* linux.futexWake(SHARED));
      yield* linux.wait();
      yield* linux.wait();
    });
    expect(seen).toEqual([0, 0, 1, -ERRNO.ETIMEDOUT]);
  });
});

describe('FUTEX_CMP_REQUEUE', () => {
  test('wakes some and moves the others, unless the word has changed', async () => {
    const seen: unknown[] = [];
    await runLinux(function* (linux) {
      yield* waiters(linux, 3, seen);
      const requeue = (expected: number) =>
        linux.call(SYS.futex, WORD, FUTEX.CMP_REQUEUE, 1, 9, OTHER, expected);
      seen.push(yield* requeue(1));
      seen.push(yield* requeue(0));
      yield* linux.nanosleep(1e6);
      seen.push(yield* linux.futexWake(WORD, 9), yield* linux.futexWake(OTHER, 9));
      yield* linux.nanosleep(1e6);
    });
    expect(seen).toEqual([-ERRNO.EAGAIN, [0, 0], 3, [1, 0], [2, 0], 0, 2]);
  });
});

describe('FUTEX_WAKE_OP', () => {
  const encoded = (operation: number, operand: number, comparison: number, against: number) =>
    ((operation << 28) | (comparison << 24) | ((operand & 0xfff) << 12) | (against & 0xfff)) >>> 0;

  test.each([
    ['sets', 0, 7, 7],
    ['adds a signed number', 1, -3, 2],
    ['ors', 2, 8, 13],
    ['clears bits', 3, 4, 1],
    ['exclusively ors', 4, 1, 4],
    ['ors a bit by its number', 2 | 8, 3, 13],
  ])('%s the second word', async (_name, operation, operand, after) => {
    const seen: unknown[] = [];
    await runLinux(function* (linux) {
      linux.store(OTHER, 5);
      const op = encoded(operation, operand, 0, 99);
      seen.push(yield* linux.call(SYS.futex, WORD, FUTEX.WAKE_OP, 1, 1, OTHER, op));
      seen.push(linux.load(OTHER));
    });
    expect(seen).toEqual([0, after]);
  });

  test.each([
    ['equal', 0, 5, 2],
    ['not equal', 1, 5, 1],
    ['less', 2, 5, 1],
    ['less or equal', 3, 5, 2],
    ['greater', 4, -1, 2],
    ['greater or equal', 5, 6, 1],
  ])('wakes there too if the old value is %s', async (_name, comparison, against, woken) => {
    const seen: unknown[] = [];
    await runLinux(function* (linux) {
      for (const word of [WORD, OTHER])
        yield* linux.spawnThread(function* (own) {
          yield* own.futexWait(word, 0);
        });
      yield* linux.nanosleep(1e6);
      linux.store(OTHER, 5);
      const op = encoded(0, 1, comparison, against);
      seen.push(yield* linux.call(SYS.futex, WORD, FUTEX.WAKE_OP, 1, 1, OTHER, op));
      yield* linux.exitGroup(0);
    });
    expect(seen).toEqual([woken]);
  });

  test('of an operation that is none is ENOSYS and a mark in the trace, of bad memory EFAULT', async () => {
    const seen: unknown[] = [];
    const { wsl } = await runLinux(function* (linux) {
      const wakeOp = (second: number, op: number) =>
        linux.call(SYS.futex, WORD, FUTEX.WAKE_OP, 1, 1, second, op);
      seen.push(yield* wakeOp(OTHER, encoded(5, 0, 0, 0)));
      seen.push(yield* wakeOp(OTHER, encoded(0, 0, 6, 0)));
      seen.push(yield* wakeOp(0x5000_0000, 0), yield* wakeOp(OTHER + 1, 0));
      // FUTEX_LOCK_PI.
      seen.push(yield* linux.call(SYS.futex, WORD, 6, 0, 0));
    });
    expect(seen.slice(0, 2)).toEqual([-ERRNO.ENOSYS, -ERRNO.ENOSYS]);
    expect(seen.slice(2)).toEqual([-ERRNO.EFAULT, -ERRNO.EINVAL, -ERRNO.ENOSYS]);
    expect(wsl.unknownCalls).toEqual(new Map([[SYS.futex, 3]]));
  });
});

describe('threads', () => {
  test('share memory and an id of their group, and clear a word at their end', async () => {
    const seen: unknown[] = [];
    await runLinux(function* (linux) {
      linux.store(OTHER, 1);
      const tid = yield* linux.spawnThread(function* (own) {
        seen.push([yield* own.getpid(), yield* own.gettid()]);
        own.store(WORD, 42);
      }, OTHER);
      seen.push(tid, yield* linux.futexWait(OTHER, 1));
      seen.push(linux.load(WORD), linux.load(OTHER));
    });
    expect(seen).toEqual([[1, 2], 2, 0, 42, 0]);
  });

  test('all end with exit_group, and the process with the last of them', async () => {
    const { spawn, wsl, result } = await runLinux(function* (linux) {
      for (let index = 0; index < 3; index++)
        yield* linux.spawnThread(function* (own) {
          yield* own.futexWait(WORD, 0);
        });
      yield* linux.nanosleep(1e6);
      return 6;
    });
    expect(spawn.waitStatus).toBe(6 << 8);
    expect(result).toMatchObject({ waiting: [] });
    expect(wsl.counts).toEqual({ threads: 0, processes: 0, futexes: 0 });
  });

  test('other than the one that does execve end with it', async () => {
    const { output, wsl } = await runLinux(
      function* (linux) {
        yield* linux.spawnThread(function* (own) {
          yield* own.futexWait(WORD, 0);
        });
        yield* linux.spawnThread(function* (own) {
          yield* own.nanosleep(1e6);
          yield* own.execve('/bin/id', []);
        });
        yield* linux.pause();
      },
      (wsl) =>
        wsl.install('/bin/id', function* (linux) {
          yield* linux.write(1, `${yield* linux.getpid()} ${yield* linux.gettid()}`);
        }),
    );
    expect(output).toBe('1 1');
    expect(wsl.counts.threads).toBe(0);
  });
});
