import { PORT_CONTEXT } from '../shared/layout';
import { PORT_NS, PORT_OP, PORT_STATE } from '../shared/port';
import { STATUS } from '../shared/status';
import { PORT_STOP } from '../shared/types';

/**
 * The interpreter of the reference port. All of a guest is in its context and in the guests' memory, so
 * that any instance can go on with it. An instruction has its effect when it begins, and what does not
 * fit into the budget is a debt that the next run pays first: where budgets end does not show.
 */

let GuestBase: usize = 0;
let GuestBytes: u32 = 0;

/** Where the guests' memory is. */
export function attach(base: usize, bytes: u32): void {
  GuestBase = base;
  GuestBytes = bytes;
}

function registerA(context: usize, word: u32): usize {
  return context + ((word >> 6) & 0x3c);
}

function a(context: usize, word: u32): u32 {
  return load<u32>(registerA(context, word), PORT_STATE.Register);
}

function b(context: usize, word: u32): u32 {
  return load<u32>(context + ((word >> 10) & 0x3c), PORT_STATE.Register);
}

function c(context: usize, word: u32): u32 {
  return load<u32>(context + ((word >> 14) & 0x3c), PORT_STATE.Register);
}

function set(context: usize, word: u32, value: u32): void {
  store<u32>(registerA(context, word), value, PORT_STATE.Register);
}

/** b plus the immediate value. */
function sum(context: usize, word: u32): u32 {
  return b(context, word) + (<i32>word >> 16);
}

/** Where a branch or a jump at `at` leads. */
function target(at: u32, word: u32): u32 {
  return at + ((<i32>word >> 16) << 2);
}

function stop(context: usize, pc: u32, reason: u32, number: u32, argument: u32): void {
  store<u32>(context, pc, PORT_STATE.Pc);
  store<u32>(context, 0, PORT_CONTEXT.Debt);
  store<u32>(context, number, PORT_CONTEXT.Number);
  store<u64>(context, argument, PORT_CONTEXT.Argument64);
  store<u32>(context, reason, PORT_CONTEXT.Reason);
}

/** Stops at an instruction that cannot be executed. */
function fault(context: usize, pc: u32, status: u32, address: u32): void {
  store<u32>(context, address, PORT_STATE.FaultAddress);
  stop(context, pc, PORT_STOP.Fault, 0, status);
}

/** Stops because the budget is used up. */
function rest(context: usize, pc: u32, debt: u32): void {
  store<u32>(context, pc, PORT_STATE.Pc);
  store<u32>(context, debt, PORT_CONTEXT.Debt);
  store<u32>(context, PORT_STOP.Budget, PORT_CONTEXT.Reason);
}

/**
 * Advances the guest of a context by at most `budget` ns, and leaves the reason for its stop there.
 * With `ordered` its first instruction may be an atomic one. The ns that it used.
 */
export function run(context: usize, budget: i32, ordered: u32): i32 {
  const debt = load<i32>(context, PORT_CONTEXT.Debt);
  if (debt >= budget) {
    rest(context, load<u32>(context, PORT_STATE.Pc), debt - budget);
    return budget;
  }
  const windowBase = load<u32>(context, PORT_STATE.WindowBase);
  const windowBytes = load<u32>(context, PORT_STATE.WindowBytes);
  const room = windowBase <= GuestBytes ? GuestBytes - windowBase : 0;
  const bytes = windowBytes == 0 ? room : windowBytes;
  if (bytes > room || bytes < 4) {
    fault(context, load<u32>(context, PORT_STATE.Pc), STATUS.ACCESS_VIOLATION, 0);
    return debt;
  }
  return interpret(context, budget, debt, ordered, GuestBase + windowBase, bytes);
}

/** One loop and one switch: state in locals is what makes it fast. */
function interpret(
  context: usize,
  budget: i32,
  debt: i32,
  ordered: u32,
  base: usize,
  bytes: u32,
): i32 {
  const lastWord = bytes - 4;
  let left = budget - debt;
  let pc = load<u32>(context, PORT_STATE.Pc);
  let address: u32 = 0;
  let status: u32 = STATUS.ACCESS_VIOLATION;
  let at: u32 = 0;
  while (true) {
    if (left <= 0) {
      rest(context, pc, -left);
      return budget;
    }
    at = pc;
    if (pc > lastWord) {
      address = pc;
      break;
    }
    const word = load<u32>(base + pc);
    pc += 4;
    switch (word & 0xff) {
      case PORT_OP.Add:
        set(context, word, b(context, word) + c(context, word));
        left -= PORT_NS.Simple;
        continue;
      case PORT_OP.Sub:
        set(context, word, b(context, word) - c(context, word));
        left -= PORT_NS.Simple;
        continue;
      case PORT_OP.Mul:
        set(context, word, b(context, word) * c(context, word));
        left -= PORT_NS.Multiply;
        continue;
      case PORT_OP.Div:
      case PORT_OP.Rem: {
        const divisor = c(context, word);
        if (divisor == 0) {
          status = STATUS.INTEGER_DIVIDE_BY_ZERO;
          address = at;
          break;
        }
        const dividend = b(context, word);
        const quotient = (word & 0xff) == PORT_OP.Div;
        set(context, word, quotient ? dividend / divisor : dividend % divisor);
        left -= PORT_NS.Divide;
        continue;
      }
      case PORT_OP.And:
        set(context, word, b(context, word) & c(context, word));
        left -= PORT_NS.Simple;
        continue;
      case PORT_OP.Or:
        set(context, word, b(context, word) | c(context, word));
        left -= PORT_NS.Simple;
        continue;
      case PORT_OP.Xor:
        set(context, word, b(context, word) ^ c(context, word));
        left -= PORT_NS.Simple;
        continue;
      case PORT_OP.Shl:
        set(context, word, b(context, word) << (c(context, word) & 31));
        left -= PORT_NS.Simple;
        continue;
      case PORT_OP.Shr:
        set(context, word, b(context, word) >> (c(context, word) & 31));
        left -= PORT_NS.Simple;
        continue;
      case PORT_OP.Sar:
        set(context, word, <i32>b(context, word) >> (c(context, word) & 31));
        left -= PORT_NS.Simple;
        continue;
      case PORT_OP.AddI:
        set(context, word, sum(context, word));
        left -= PORT_NS.Simple;
        continue;
      case PORT_OP.AndI:
        set(context, word, b(context, word) & (word >> 16));
        left -= PORT_NS.Simple;
        continue;
      case PORT_OP.OrI:
        set(context, word, b(context, word) | (word >> 16));
        left -= PORT_NS.Simple;
        continue;
      case PORT_OP.ShlI:
        set(context, word, b(context, word) << ((word >> 16) & 31));
        left -= PORT_NS.Simple;
        continue;
      case PORT_OP.ShrI:
        set(context, word, b(context, word) >> ((word >> 16) & 31));
        left -= PORT_NS.Simple;
        continue;
      case PORT_OP.LuI:
        set(context, word, word & 0xffff0000);
        left -= PORT_NS.Simple;
        continue;
      case PORT_OP.Lw:
        address = sum(context, word);
        if (address > lastWord) break;
        set(context, word, load<u32>(base + address));
        left -= PORT_NS.Load;
        continue;
      case PORT_OP.Lb:
        address = sum(context, word);
        if (address >= bytes) break;
        set(context, word, load<u8>(base + address));
        left -= PORT_NS.Load;
        continue;
      case PORT_OP.Sw:
        address = sum(context, word);
        if (address > lastWord) break;
        store<u32>(base + address, a(context, word));
        left -= PORT_NS.Store;
        continue;
      case PORT_OP.Sb:
        address = sum(context, word);
        if (address >= bytes) break;
        store<u8>(base + address, a(context, word));
        left -= PORT_NS.Store;
        continue;
      case PORT_OP.Beq:
        if (a(context, word) == b(context, word)) pc = target(at, word);
        left -= PORT_NS.Branch;
        continue;
      case PORT_OP.Bne:
        if (a(context, word) != b(context, word)) pc = target(at, word);
        left -= PORT_NS.Branch;
        continue;
      case PORT_OP.Blt:
        if (<i32>a(context, word) < <i32>b(context, word)) pc = target(at, word);
        left -= PORT_NS.Branch;
        continue;
      case PORT_OP.Bge:
        if (<i32>a(context, word) >= <i32>b(context, word)) pc = target(at, word);
        left -= PORT_NS.Branch;
        continue;
      case PORT_OP.BltU:
        if (a(context, word) < b(context, word)) pc = target(at, word);
        left -= PORT_NS.Branch;
        continue;
      case PORT_OP.BgeU:
        if (a(context, word) >= b(context, word)) pc = target(at, word);
        left -= PORT_NS.Branch;
        continue;
      case PORT_OP.Jal:
        set(context, word, pc);
        pc = target(at, word);
        left -= PORT_NS.Jump;
        continue;
      case PORT_OP.JalR:
        address = sum(context, word);
        if ((address & 3) != 0) {
          status = STATUS.DATATYPE_MISALIGNMENT;
          break;
        }
        set(context, word, pc);
        pc = address;
        left -= PORT_NS.Jump;
        continue;
      case PORT_OP.ALoad:
      case PORT_OP.AStore:
      case PORT_OP.ASwap:
      case PORT_OP.AAdd:
      case PORT_OP.ACas:
        // Each instruction takes time: a full budget says that this is the first.
        if (ordered == 0 || left != budget) {
          stop(context, at, PORT_STOP.Order, 0, 0);
          return budget - left;
        }
        address = b(context, word);
        if ((address & 3) != 0) {
          status = STATUS.DATATYPE_MISALIGNMENT;
          break;
        }
        if (address > lastWord) break;
        atomic(context, word, base + address);
        left -= PORT_NS.Atomic;
        continue;
      case PORT_OP.SysCall:
        stop(context, pc, PORT_STOP.SystemCall, word >> 16, a(context, word));
        return budget - left;
      case PORT_OP.Status:
        set(context, word, load<u32>(context, PORT_CONTEXT.Status));
        left -= PORT_NS.Simple;
        continue;
      case PORT_OP.Halt:
        stop(context, at, PORT_STOP.Halt, 0, a(context, word));
        return budget - left;
      default:
        status = STATUS.ILLEGAL_INSTRUCTION;
        address = at;
    }
    break;
  }
  fault(context, at, status, address);
  return budget - left;
}

/** Whoever runs an ordered instruction is alone with it, so that plain accesses do. */
function atomic(context: usize, word: u32, place: usize): void {
  const operand = c(context, word);
  const own = a(context, word);
  const old = load<u32>(place);
  const op = word & 0xff;
  if (op == PORT_OP.AStore) {
    store<u32>(place, own);
    return;
  }
  if (op == PORT_OP.ASwap) store<u32>(place, operand);
  else if (op == PORT_OP.AAdd) store<u32>(place, old + operand);
  else if (op == PORT_OP.ACas && old == own) store<u32>(place, operand);
  set(context, word, old);
}
