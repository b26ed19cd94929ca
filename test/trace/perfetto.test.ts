import { describe, expect, test } from 'vitest';
import { PerfettoWriter } from '../../src/trace/perfetto';
import { playScene } from './scene';
import { decode, type Message, messagesOf, numberOf, textOf } from './wire';

// Field numbers are literals here: those of the published .proto files.
const scene = async (): Promise<Message[]> =>
  messagesOf(decode(await playScene((names, write) => new PerfettoWriter(names, write))), 1);

const packetsOf = (packets: Message[], field: number) =>
  packets.flatMap((packet) => messagesOf(packet, field));

describe('a Perfetto trace', () => {
  test('begins its sequence with a cleared state', async () => {
    const [first] = await scene();
    expect([first && numberOf(first, 13), first && numberOf(first, 10)]).toEqual([1, 1]);
  });

  test('tells processes and threads, with ids that are multiples of 4', async () => {
    const trees = packetsOf(await scene(), 2);
    const processes = trees.flatMap((tree) => messagesOf(tree, 1));
    const threads = trees.flatMap((tree) => messagesOf(tree, 2));
    expect(processes.map((process) => [numberOf(process, 1), textOf(process, 3)])).toEqual([
      [4, 'process 1'],
      [8, 'demo'],
    ]);
    expect(
      threads.map((thread) => [numberOf(thread, 1), textOf(thread, 2), numberOf(thread, 3)]),
    ).toEqual([
      [12, 'b', 8],
      [16, 'a', 8],
    ]);
  });

  test('tells switches and wake-ups of a processor in order of time', async () => {
    const [bundle] = packetsOf(await scene(), 1);
    const events = bundle === undefined ? [] : messagesOf(bundle, 2);
    const lines = events.map((event) => {
      const [waking] = messagesOf(event, 20);
      const [change] = messagesOf(event, 4);
      const at = numberOf(event, 1);
      if (change === undefined) {
        return `${at} waking ${numberOf(waking as Message, 2)} by ${numberOf(event, 2)}`;
      }
      return `${at} ${numberOf(change, 2)} state ${numberOf(change, 4)} to ${numberOf(change, 6)} at ${numberOf(change, 7)}`;
    });
    expect(bundle && numberOf(bundle, 1)).toBe(0);
    expect(lines).toMatchInlineSnapshot(`
      [
        "0 waking 16 by 0",
        "0 0 state 0 to 16 at 8",
        "6000 waking 12 by 16",
        "6000 16 state 0 to 12 at 9",
        "7200 12 state 1 to 16 at 8",
        "13600 16 state 16 to 0 at 0",
      ]
    `);
  });

  test('shows boosts and marks on the tracks of their threads', async () => {
    const packets = await scene();
    const tracks = packetsOf(packets, 60).flatMap((track) =>
      messagesOf(track, 4).map((thread) => [
        numberOf(track, 1),
        numberOf(thread, 1),
        numberOf(thread, 2),
        textOf(thread, 5),
      ]),
    );
    expect(tracks).toEqual(
      expect.arrayContaining([
        [12, 8, 12, 'b'],
        [16, 8, 16, 'a'],
      ]),
    );
    const instants = packetsOf(packets, 11).filter((event) => numberOf(event, 9) === 3);
    expect(instants.map((event) => `${numberOf(event, 11)} ${textOf(event, 23)}`)).toEqual(
      expect.arrayContaining(['12 Unwait: 8 to 9', '16 mark']),
    );
  });

  test('is refused more once it has ended', () => {
    const writer = new PerfettoWriter(
      { thread: () => undefined, process: () => undefined },
      () => {},
    );
    writer.end();
    expect(() => writer.end()).toThrow('PerfettoWriter: end was called twice');
    expect(() =>
      writer.add({ timeNs: 0, processor: 0, type: 'mark', thread: 1, value: 1, second: 0 }),
    ).toThrow('add after end');
  });

  test('gives an index that is used again an identity of its own', () => {
    const chunks: Uint8Array[] = [];
    const writer = new PerfettoWriter({ thread: () => 't', process: () => 'p' }, (bytes) =>
      chunks.push(bytes),
    );
    const base = { timeNs: 5, processor: 0 };
    const start = { priority: 8, guest: 0, idealProcessor: 0, group: 0, creator: 0 } as const;
    writer.add({ ...base, type: 'threadStart', thread: 3, process: 2, ...start });
    writer.add({ ...base, type: 'threadStart', thread: 3, process: 2, ...start });
    writer.end();
    const trees = packetsOf(messagesOf(decode(Buffer.concat(chunks)), 1), 2);
    expect(
      trees.flatMap((tree) => messagesOf(tree, 2)).map((thread) => numberOf(thread, 1)),
    ).toEqual([8, 12]);
  });

  test('draws interrupts one behind the other', () => {
    const chunks: Uint8Array[] = [];
    const writer = new PerfettoWriter(
      { thread: () => undefined, process: () => undefined },
      (bytes) => chunks.push(bytes),
    );
    writer.add({
      timeNs: 100,
      processor: 2,
      type: 'interrupt',
      vector: 3,
      interrupted: 0,
      irql: 8,
      costNs: 40,
    });
    writer.add({ timeNs: 100, processor: 2, type: 'dpc', kind: 3, items: 1, costNs: 10 });
    writer.end();
    const packets = messagesOf(decode(Buffer.concat(chunks)), 1);
    const events = packets.flatMap((packet) =>
      messagesOf(packet, 11).map((event) => [
        numberOf(packet, 8),
        numberOf(event, 9),
        textOf(event, 23),
      ]),
    );
    expect(events).toEqual([
      [100, 1, 'Device'],
      [140, 2, ''],
      [140, 1, 'DPC: Device'],
      [150, 2, ''],
    ]);
    expect(packetsOf(packets, 60).map((track) => textOf(track, 2))).toEqual(['Interrupts 2']);
  });
});
