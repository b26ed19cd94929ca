import { Machine } from '../../src/machine/machine';
import { program } from '../../src/machine/program';
import type { TraceNames } from '../../src/machine/records';
import { recordTo } from '../../src/trace/output';
import type { TraceWriter } from '../../src/trace/roster';

/** Two threads of one processor: a signals b, which takes the processor by its boost. */
export async function playScene(
  writer: (names: TraceNames, write: (bytes: Uint8Array) => void) => TraceWriter,
  process = 'demo',
): Promise<Uint8Array> {
  const machine = await Machine.create({ processors: 1, profile: { starvationNs: 0 } });
  const chunks: Uint8Array[] = [];
  const names = {
    thread: (index: number) => machine.thread(index)?.name,
    process: (index: number) => (index === 1 ? undefined : process),
  };
  const to = writer(names, (bytes) => chunks.push(bytes));
  recordTo(machine, to);
  const event = machine.createEvent('synchronization');
  const demo = machine.createProcess({ name: process });
  const b = machine.loadProgram(program('b', (p) => p.wait(event).compute(1000)));
  const a = machine.loadProgram(
    program('a', (p) => p.compute(5000).setEvent(event, 1).mark(7).compute(5000)),
  );
  demo.createThread(b, { name: 'b', waitsFor: event, uncharged: true });
  demo.createThread(a, { name: 'a', uncharged: true });
  machine.run();
  machine.trace.drain();
  to.end();
  return Buffer.concat(chunks);
}
