// Three computers with an MOS 6502 each, as three threads of one Windows process on one processor. The
// 6502 is an emulator that knows nothing of ntps: the package mos6502 (npm install mos6502).
//
//     npx ntps run examples/embedding/mos6502.mjs
//
// `low` and `high` look for primes and send each to `sum`, which waits for them and adds them up. They
// share the processor by quanta; what they send makes `sum` ready, and its boost lets it run at once.

import mos6502 from 'mos6502';

/** Of a module of CommonJS, Node gives the whole, and others what it calls default. */
const Mos6502 = mos6502.default ?? mos6502;

/** At 1 MHz. */
const CYCLE_NS = 1000;

/** Writing to one of these is a system call with the byte written, when the instruction has ended. */
const PORT = { SEND: 0xf001, RECEIVE: 0xf002, RESULT: 0xf004, HALT: 0xf00f };
/** Reading it gives the byte that was received. */
const INPUT = 0xf003;
const START = 0x0400;
const RESET_VECTOR = 0xfffc;

/** A computer: a 6502, 64 KiB of RAM, and the ports. It is a CpuPort: what a thread of ntps can have as its body. */
export class Computer {
  ram = new Uint8Array(0x10000);
  input = 0;
  /** The port that the instruction in progress has written to. */
  #written = null;
  /** Ns of the last cycle that did not fit into the budget. */
  #owedNs = 0;

  constructor(program, onRun) {
    this.onRun = onRun;
    this.ram.set(program, START);
    this.ram.set([START & 0xff, START >> 8], RESET_VECTOR);
    const read = (address) => (address === INPUT ? this.input : this.ram[address]);
    this.cpu = new Mos6502(read, (address, value) => this.#write(address, value));
  }

  #write(address, value) {
    if (Object.values(PORT).includes(address)) this.#written = { address, value };
    else this.ram[address] = value;
  }

  /** Advances the 6502 by at most `budgetNs` of virtual time, and says why it stopped. */
  run(thread, budgetNs) {
    this.onRun(thread);
    let leftNs = budgetNs;
    for (;;) {
      const paidNs = Math.min(this.#owedNs, leftNs);
      this.#owedNs -= paidNs;
      leftNs -= paidNs;
      const usedNs = budgetNs - leftNs;
      // An instruction has its effect with its first cycle, and ends with its last.
      const { cycle, instruction } = this.cpu.getState();
      const ended = cycle === 0 && this.#owedNs === 0;
      if (ended && this.#written !== null) return { usedNs, ...this.#stop() };
      if (ended && instruction.instruction === '???' && usedNs > 0)
        return { usedNs, reason: 'fault', status: 0xc000001d };
      if (leftNs === 0) return { usedNs, reason: 'budget' };
      this.cpu.emulate();
      this.#owedNs = CYCLE_NS;
    }
  }

  #stop() {
    const { address, value } = this.#written;
    this.#written = null;
    if (address === PORT.HALT) return { reason: 'halt', status: value };
    return { reason: 'syscall', number: address, argument: value };
  }
}

/** Bytes of a program: `name:` is a place, `=name` its address, `>name` how far it is from here. */
function link(...code) {
  const places = new Map();
  let size = 0;
  for (const item of code) {
    if (typeof item === 'number') size++;
    else if (item.endsWith(':')) places.set(item.slice(0, -1), START + size);
    else size += item.startsWith('=') ? 2 : 1;
  }
  const bytes = [];
  for (const item of code) {
    if (typeof item === 'number') bytes.push(item);
    else if (item.startsWith('=')) {
      const address = places.get(item.slice(1));
      bytes.push(address & 0xff, address >> 8);
    } else if (item.startsWith('>'))
      bytes.push((places.get(item.slice(1)) - (START + bytes.length + 1)) & 0xff);
  }
  return bytes;
}

/** Sends the primes from `first` to below `end`, which it finds by subtracting; then 0. */
const primes = (first, end) =>
  link(
    ...[0xa9, first], //           LDA #first
    ...[0x85, 0x10], //            STA candidate
    ...['next:', 0xa9, 2], //      LDA #2
    ...[0x85, 0x11], //            STA divisor
    ...['try:', 0xa5, 0x11], //    LDA divisor
    ...[0xc5, 0x10], //            CMP candidate
    ...[0xf0, '>prime'], //        BEQ prime
    ...[0xa5, 0x10], //            LDA candidate
    ...['subtract:', 0x38], //     SEC
    ...[0xe5, 0x11], //            SBC divisor
    ...[0xf0, '>no'], //           BEQ no
    ...[0xb0, '>subtract'], //     BCS subtract
    ...[0xe6, 0x11], //            INC divisor
    ...[0x4c, '=try'], //          JMP try
    ...['prime:', 0xa5, 0x10], //  LDA candidate
    ...[0x8d, 0x01, 0xf0], //      STA SEND
    ...['no:', 0xe6, 0x10], //     INC candidate
    ...[0xa5, 0x10], //            LDA candidate
    ...[0xc9, end], //             CMP #end
    ...[0xd0, '>next'], //         BNE next
    ...[0xa9, 0], //               LDA #0
    ...[0x8d, 0x01, 0xf0], //      STA SEND
    ...[0x8d, 0x0f, 0xf0], //      STA HALT
  );

/** Adds up what it receives until as many have sent 0 as there are senders. */
const sum = (senders) =>
  link(
    ...[0xa9, senders], //         LDA #senders
    ...[0x85, 0x22], //            STA left
    ...['loop:', 0x8d, 0x02, 0xf0], // STA RECEIVE
    ...[0xad, 0x03, 0xf0], //      LDA INPUT
    ...[0xf0, '>ended'], //        BEQ ended
    ...[0x18], //                  CLC
    ...[0x65, 0x20], //            ADC low
    ...[0x85, 0x20], //            STA low
    ...[0x90, '>loop'], //         BCC loop
    ...[0xe6, 0x21], //            INC high
    ...[0x4c, '=loop'], //         JMP loop
    ...['ended:', 0xc6, 0x22], //  DEC left
    ...[0xd0, '>loop'], //         BNE loop
    ...[0x8d, 0x04, 0xf0], //      STA RESULT
    ...[0xa9, 0], //               LDA #0
    ...[0x8d, 0x0f, 0xf0], //      STA HALT
  );

const ms = (ns) => (ns / 1e6).toFixed(3).padStart(7);

export default (ntps) => {
  const { KeReleaseSemaphore, KeWaitForSingleObject, KWAIT_REASON, MODE, STATUS } = ntps;

  return {
    machine: { processors: 1 },
    start(machine, print) {
      const mailbox = [];
      const sent = machine.createSemaphore(0);
      const computers = new Map();
      const tell = (thread, text) =>
        print(`${ms(machine.now)} ms  ${thread.name.padEnd(4)} ${text}`);

      let last = '';
      const process = machine.createProcess({ name: 'computers' });
      const add = (name, program) => {
        const computer = new Computer(program, (thread) => {
          if (name === last || name === 'sum') return;
          tell(thread, 'has the processor');
          last = name;
        });
        computers.set(name, computer);
        return process.createThread(computer, { name });
      };

      machine.onSystemCall(PORT.SEND, function* (thread, value) {
        mailbox.push(value);
        tell(thread, value === 0 ? 'has no more' : `sends ${value}`);
        yield* KeReleaseSemaphore(sent, 1, 1, false);
        return STATUS.SUCCESS;
      });
      machine.onSystemCall(PORT.RECEIVE, function* (thread) {
        const { UserRequest } = KWAIT_REASON;
        const status = yield* KeWaitForSingleObject(sent, UserRequest, MODE.UserMode, false, null);
        const value = mailbox.shift();
        computers.get(thread.name).input = value;
        if (value !== 0) tell(thread, `adds ${value}`);
        return status;
      });
      machine.onSystemCall(PORT.RESULT, (thread) => {
        const { ram } = computers.get(thread.name);
        tell(thread, `comes to ${ram[0x20] + 256 * ram[0x21]}`);
        for (const { name, runTimeNs, contextSwitches } of threads)
          print(`${name.padEnd(4)} ran for ${ms(runTimeNs)} ms, in ${contextSwitches} turns`);
        return STATUS.SUCCESS;
      });

      const threads = [add('sum', sum(2)), add('low', primes(2, 60)), add('high', primes(60, 100))];
    },
  };
};
