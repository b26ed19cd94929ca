import { describe, expect, test } from 'vitest';
import { currentGuest } from '../../src/machine/guest';
import { CLOCK, EFD, O, POLL, SCHED, SIG, SYS } from '../../src/subsystem/wsl/abi';
import { ERRNO } from '../../src/subsystem/wsl/errno';
import { writeLong } from '../../src/subsystem/wsl/memory';
import { runLinux } from './linux';

const eight = (low: number) => new Uint8Array([low, 0, 0, 0, 0, 0, 0, 0]);

describe('pipes', () => {
  test('block their reader until there is something, and end when nobody can write', async () => {
    const seen: unknown[] = [];
    await runLinux(function* (linux) {
      const [read, write] = yield* linux.pipe();
      yield* linux.fork(function* (own) {
        yield* own.close(read);
        yield* own.nanosleep(20e6);
        seen.push('writes');
        yield* own.write(write, 'abc');
      });
      yield* linux.close(write);
      seen.push(yield* linux.readText(read, 2), yield* linux.readText(read));
      seen.push(yield* linux.readText(read));
    });
    expect(seen).toEqual(['writes', 'ab', 'c', '']);
  });

  test('block their writer when they are full, and lose nothing', async () => {
    const seen: unknown[] = [];
    await runLinux(function* (linux) {
      const [read, write] = yield* linux.pipe();
      const data = Uint8Array.from({ length: 200_000 }, (_, index) => index * 7);
      yield* linux.fork(function* (own) {
        yield* own.close(read);
        seen.push(yield* own.write(write, data));
      });
      yield* linux.close(write);
      const got: number[] = [];
      for (;;) {
        const part = yield* linux.read(read, 8192);
        if (typeof part === 'number' || part.length === 0) break;
        got.push(...part);
      }
      seen.push(
        got.length,
        got.every((byte, index) => byte === data[index]),
      );
    });
    expect([...seen].sort()).toEqual([200_000, 200_000, true]);
  });

  test('without blocking are EAGAIN; what is no descriptor is EBADF', async () => {
    const seen: unknown[] = [];
    await runLinux(function* (linux) {
      const [read, write] = yield* linux.pipe(O.NONBLOCK);
      seen.push(yield* linux.read(read, 1));
      seen.push(yield* linux.read(write, 1), yield* linux.write(read, 'x'));
      seen.push(yield* linux.close(99), yield* linux.dup2(99, 1), yield* linux.dup2(read, 4096));
      seen.push(yield* linux.call(SYS.pipe2, 0x1_0000, 1));
    });
    expect(seen).toEqual([
      -ERRNO.EAGAIN,
      -ERRNO.EBADF,
      -ERRNO.EBADF,
      -ERRNO.EBADF,
      -ERRNO.EBADF,
      -ERRNO.EBADF,
      -ERRNO.EINVAL,
    ]);
  });

  test('with O_CLOEXEC are closed by execve', async () => {
    const seen: unknown[] = [];
    await runLinux(
      function* (linux) {
        const pair = yield* linux.pipe();
        const closed = yield* linux.pipe(O.CLOEXEC);
        seen.push(pair, closed);
        yield* linux.execve('/bin/check', []);
      },
      (wsl) =>
        wsl.install('/bin/check', function* (linux) {
          for (let fd = 3; fd < 7; fd++) seen.push(yield* linux.call(SYS.fcntl, fd, 1));
        }),
    );
    expect(seen).toEqual([[3, 4], [5, 6], 0, 0, -ERRNO.EBADF, -ERRNO.EBADF]);
  });
});

describe('eventfd2', () => {
  test('counts up by writes and to 0 by a read; with EFD_SEMAPHORE down by one', async () => {
    const seen: unknown[] = [];
    await runLinux(function* (linux) {
      const counter = yield* linux.eventfd(3, O.NONBLOCK);
      yield* linux.write(counter, eight(4));
      seen.push(yield* linux.read(counter, 8), yield* linux.read(counter, 8));
      seen.push(yield* linux.read(counter, 4), yield* linux.write(counter, 'short'));
      const semaphore = yield* linux.eventfd(2, O.NONBLOCK | EFD.SEMAPHORE);
      for (let turn = 0; turn < 3; turn++) seen.push(yield* linux.read(semaphore, 8));
    });
    expect(seen).toEqual([
      eight(7),
      -ERRNO.EAGAIN,
      -ERRNO.EINVAL,
      -ERRNO.EINVAL,
      eight(1),
      eight(1),
      -ERRNO.EAGAIN,
    ]);
  });

  test('blocks until somebody writes', async () => {
    const seen: unknown[] = [];
    await runLinux(function* (linux) {
      const counter = yield* linux.eventfd();
      yield* linux.fork(function* (own) {
        yield* own.nanosleep(20e6);
        yield* own.write(counter, eight(1));
      });
      seen.push(yield* linux.read(counter, 8));
    });
    expect(seen).toEqual([eight(1)]);
  });
});

describe('poll', () => {
  test('tells what is ready, waits until something is, and gives up with its timeout', async () => {
    const seen: unknown[] = [];
    await runLinux(function* (linux) {
      const [read, write] = yield* linux.pipe();
      const requests = [
        { fd: read, events: POLL.IN },
        { fd: write, events: POLL.OUT },
        { fd: 77, events: POLL.IN },
        { fd: -1, events: POLL.IN },
      ];
      seen.push(yield* linux.poll(requests, -1));
      seen.push(yield* linux.poll(requests.slice(0, 1), 50));
      yield* linux.fork(function* (own) {
        yield* own.nanosleep(20e6);
        yield* own.write(write, 'x');
      });
      seen.push(yield* linux.poll(requests.slice(0, 1), -1));
      yield* linux.wait();
      yield* linux.close(write);
      yield* linux.readText(read);
      seen.push(yield* linux.poll(requests.slice(0, 1), 0));
    });
    expect(seen).toEqual([
      { result: 2, revents: [0, POLL.OUT, POLL.NVAL, 0] },
      { result: 0, revents: [0] },
      { result: 1, revents: [POLL.IN] },
      { result: 1, revents: [POLL.HUP] },
    ]);
  });

  test('is EINTR after a handler', async () => {
    const seen: unknown[] = [];
    await runLinux(function* (linux) {
      const [read] = yield* linux.pipe();
      yield* linux.sigaction(SIG.CHLD, () => undefined);
      yield* linux.fork(function* (own) {
        yield* own.nanosleep(20e6);
      });
      seen.push((yield* linux.poll([{ fd: read, events: POLL.IN }], -1)).result);
    });
    expect(seen).toEqual([-ERRNO.EINTR]);
  });
});

describe('clocks and sleeps', () => {
  test('nanosleep ends at the tick at or after its time, and clocks show it', async () => {
    const seen: unknown[] = [];
    await runLinux(function* (linux) {
      const start = yield* linux.clock(CLOCK.MONOTONIC);
      seen.push(yield* linux.nanosleep(30e6));
      const slept = (yield* linux.clock(CLOCK.MONOTONIC)) - start;
      seen.push(slept >= 30e6 && slept < 47e6);
      const cpu = yield* linux.clock(CLOCK.THREAD_CPUTIME_ID);
      seen.push(cpu > 0 && cpu < 1e6);
      seen.push(yield* linux.clock(9), yield* linux.clock(-1));
      writeLong(linux.memory, 0x1_0000, -1);
      writeLong(linux.memory, 0x1_0008, 0);
      seen.push(yield* linux.call(SYS.nanosleep, 0x1_0000, 0));
    });
    expect(seen).toEqual([0, true, true, -ERRNO.EINVAL, -ERRNO.EINVAL, -ERRNO.EINVAL]);
  });

  test('an interrupted nanosleep leaves what is left of its time', async () => {
    const seen: unknown[] = [];
    await runLinux(function* (linux) {
      yield* linux.sigaction(SIG.CHLD, () => undefined);
      yield* linux.fork(function* (own) {
        yield* own.nanosleep(100e6);
      });
      writeLong(linux.memory, 0x1_0000, 1);
      writeLong(linux.memory, 0x1_0008, 0);
      seen.push(yield* linux.call(SYS.nanosleep, 0x1_0000, 0x1_0010));
      const left = linux.load(0x1_0018);
      seen.push(linux.load(0x1_0010), left > 850e6 && left < 900e6);
    });
    expect(seen).toEqual([-ERRNO.EINTR, 0, true]);
  });
});

describe('priorities', () => {
  test('niceness is a base priority, real-time ones are 16 to 31', async () => {
    const seen: unknown[] = [];
    await runLinux(function* (linux) {
      const { thread } = currentGuest('test');
      for (const nice of [0, -20, -1, 19, 1]) {
        yield* linux.setNice(nice);
        seen.push([nice, thread.basePriority]);
      }
      yield* linux.setScheduler(SCHED.FIFO, 1);
      seen.push(thread.priority);
      yield* linux.setScheduler(SCHED.RR, 99);
      seen.push(thread.priority, yield* linux.call(SYS.sched_getscheduler, 0));
      seen.push(yield* linux.setScheduler(SCHED.RR, 100));
      yield* linux.setScheduler(SCHED.OTHER, 0);
      seen.push(thread.priority, yield* linux.call(SYS.getpriority, 0, 0));
    });
    expect(seen).toEqual([
      [0, 8],
      [-20, 15],
      [-1, 9],
      [19, 1],
      [1, 7],
      16,
      31,
      SCHED.RR,
      -ERRNO.EINVAL,
      7,
      19,
    ]);
  });

  test('are inherited by children', async () => {
    const seen: unknown[] = [];
    await runLinux(function* (linux) {
      yield* linux.setNice(10);
      yield* linux.fork(function* (own) {
        seen.push(yield* own.call(SYS.getpriority, 0, 0));
      });
      yield* linux.wait();
    });
    expect(seen).toEqual([10]);
  });
});
