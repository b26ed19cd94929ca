import { expect, test } from 'vitest';
import { resolveOptions } from '../../src/machine/options';
import { compute, quietMachine } from '../records';

/** Groups and nodes by processor: "group.node". */
const places = (processors: number, groupSize: number, nodes: number) =>
  resolveOptions({ processors, groupSize, nodes }).places.map(
    ({ group, node }) => `${group}.${node}`,
  );

test.each([
  [6, 2, 3, '0.0 0.0 1.1 1.1 2.2 2.2'],
  [6, 3, 4, '0.0 0.0 0.1 1.2 1.2 1.3'],
  [5, 2, 5, '0.0 1.1 1.2 2.3 2.4'],
  [8, 8, 3, '0.0 0.0 0.0 0.1 0.1 0.1 0.2 0.2'],
  [13, 3, 12, '0.0 0.0 1.1 1.2 1.3 2.4 2.5 3.6 3.7 3.8 4.9 4.10 4.11'],
])('%i processors in groups of %i with %i nodes are placed %s', (processors, groupSize, nodes, placed) => {
  expect(places(processors, groupSize, nodes).join(' ')).toBe(placed);
});

test('no node is ever without a processor', () => {
  const empty: string[] = [];
  for (let processors = 1; processors <= 64; processors++) {
    for (const groupSize of [2, 3, 5, 7]) {
      const groups = Math.ceil(processors / groupSize);
      for (let nodes = groups; nodes <= processors; nodes++) {
        const used = new Set(
          groups > 32 ? [] : places(processors, groupSize, nodes).map((p) => p.split('.')[1]),
        );
        if (groups <= 32 && used.size !== nodes) empty.push(`${processors} ${groupSize} ${nodes}`);
      }
    }
  }
  expect(empty).toEqual([]);
});

test('processes are at home on every node in turn, however uneven the groups', async () => {
  const machine = await quietMachine({ processors: 13, groupSize: 3, nodes: 12 });
  const body = machine.loadProgram(compute(1));
  const ideals = Array.from({ length: 12 }, () => machine.createProcess().createThread(body)).map(
    (thread) => thread.idealProcessor,
  );
  expect(ideals).toEqual([2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 1]);
});
