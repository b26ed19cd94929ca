/**
 * The register machine of the reference port: what its interpreter, its assembler and its reference share.
 *
 * An instruction is one 32-bit word: opcode | a << 8 | b << 12 | c << 16, where a, b and c are numbers of
 * registers, or opcode | a << 8 | b << 12 | i << 16 with 16 bits of immediate value. Registers are 16
 * of 32 bits. Addresses are bytes from the beginning of the thread's window on the guests' memory.
 */
export const enum PORT_OP {
  Add = 0x01,
  Sub = 0x02,
  Mul = 0x03,
  Div = 0x04,
  Rem = 0x05,
  And = 0x06,
  Or = 0x07,
  Xor = 0x08,
  Shl = 0x09,
  Shr = 0x0a,
  Sar = 0x0b,
  AddI = 0x0c,
  AndI = 0x0d,
  OrI = 0x0e,
  ShlI = 0x0f,
  ShrI = 0x10,
  LuI = 0x11,
  Lw = 0x12,
  Lb = 0x13,
  Sw = 0x14,
  Sb = 0x15,
  Beq = 0x16,
  Bne = 0x17,
  Blt = 0x18,
  Bge = 0x19,
  BltU = 0x1a,
  BgeU = 0x1b,
  Jal = 0x1c,
  JalR = 0x1d,
  ALoad = 0x1e,
  AStore = 0x1f,
  ASwap = 0x20,
  AAdd = 0x21,
  ACas = 0x22,
  SysCall = 0x23,
  Status = 0x24,
  Halt = 0x25,
}

/** What instructions take, in ns. Those that leave the guest take nothing: the kernel charges for them. */
export const enum PORT_NS {
  Simple = 1,
  Multiply = 3,
  Divide = 20,
  Load = 2,
  Store = 1,
  Branch = 1,
  Jump = 2,
  Atomic = 20,
  Leave = 0,
}

/** The machine's own part of a thread's context. */
export const enum PORT_STATE {
  /** Address of the next instruction. */
  Pc = 32,
  /** Where the thread's window on the guests' memory begins, and its bytes; 0: all from there. */
  WindowBase = 36,
  WindowBytes = 40,
  /** What a fault was about: the address that was wrong. */
  FaultAddress = 44,
  /** Those that no instruction names are 0. */
  Register = 48,
  RegisterCount = 16,
}
