import { numberIn, type Machine, type SystemCall } from "./syscalls.ts";

/** Programs of a few system calls, made here as the kernel starts them: for what has to be done in a process that then becomes another program, or
 *  that is to be tried as native code, where a process of our own executable would take longer to start than all the rest. */

/** Bytes in the program's memory, which calls are given the address of. */
export class Piece {
  readonly bytes: Uint8Array;

  /** @param bytes are copied when the program is made. */
  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  /** As the C language has it. @throws {RangeError} for what would end in the middle. */
  static text(words: string): Piece {
    if (words.includes("\0")) throw new RangeError("a path has no NUL");
    return new Piece(new TextEncoder().encode(`${words}\0`));
  }
}

/** One system call. */
export interface Step {
  readonly call: SystemCall;
  /** At most five. */
  readonly words: readonly (number | bigint | Piece)[];
  /** Where its answer goes, eight bytes of it: at a place of a piece, or as a word of another step. */
  readonly answer?: { readonly piece: Piece; readonly at: number } | { readonly step: number; readonly word: number };
  /** The step that comes next, and the one where the kernel refuses this one; the following one if not given. */
  readonly next?: number;
  readonly refused?: number;
}

/** The step that is given what the program was: as its first three words the path that is the program's first argument, the arguments from that one on,
 *  and the environment. With `execve` it becomes that program. */
export const BECOME = 0;

/** A step: the call's number, five words, where the answer goes, and where it goes on, done or refused. */
const WORDS = 9;
const STEP = 8 * WORDS;
const [ANSWER, NEXT, REFUSED] = [6, 7, 8];

const ELF_HEADER = 64;
const PROGRAM_HEADER = 56;
/** Where the file is put: the code, and once more what the code changes. They differ by a multiple of the largest page, as the kernel wants it. */
const CODE_AT = 0x40_0000;
const DATA_AT = 0x80_0000;
const PAGE = 0x1_0000;
// elf.h
const EM = { x64: 62, arm64: 183 } as const;
const PT_LOAD = 1;
const [PF_X, PF_W, PF_R] = [1, 2, 4];

/** @param steps the first is {@link BECOME}. @param begin the step with which it begins; the last has to end it, or to go elsewhere. @returns an executable file. @throws {RangeError} where the machine has not one of the calls. */
export function programOf(machine: Machine, steps: readonly Step[], begin: number): Uint8Array<ArrayBuffer> {
  if (begin === BECOME) throw new RangeError("the first step is given what the program was, and is no beginning");
  const codeAt = ELF_HEADER + 2 * PROGRAM_HEADER;
  const code = machine === "x64" ? codeX64 : codeArm64;
  const table = aligned(codeAt + code(0n, begin).length);
  const pieces = new Map<Piece, number>();
  let end = table + STEP * (steps.length + 1);
  for (const { words, answer } of steps) {
    for (const word of [...words, answer !== undefined && "piece" in answer ? answer.piece : 0]) {
      if (!(word instanceof Piece) || pieces.has(word)) continue;
      pieces.set(word, end);
      end = aligned(end + word.bytes.length);
    }
  }
  const file = new Uint8Array(end);
  const view = new DataView(file.buffer);
  file.set(header(machine, codeAt, end));
  file.set(code(BigInt(DATA_AT + table), begin), codeAt);
  for (const [piece, at] of pieces) file.set(piece.bytes, at);
  const place = (piece: Piece): bigint => BigInt(DATA_AT + (pieces.get(piece) ?? 0));
  const placeOf = (step: number): number => table + STEP * step;
  /** Nobody reads what lies there. */
  const nowhere = BigInt(DATA_AT + placeOf(steps.length));
  for (const [index, { call, words, answer, next = index + 1, refused = index + 1 }] of steps.entries()) {
    const put = (word: number, value: bigint): void => view.setBigInt64(placeOf(index) + 8 * word, value, true);
    put(0, BigInt(numberIn(machine, call)));
    for (const [word, value] of words.entries()) put(1 + word, value instanceof Piece ? place(value) : BigInt(value));
    put(
      ANSWER,
      answer === undefined ? nowhere : "piece" in answer ? place(answer.piece) + BigInt(answer.at) : wordOf(answer),
    );
    put(NEXT, BigInt(DATA_AT + placeOf(next)));
    put(REFUSED, BigInt(DATA_AT + placeOf(refused)));
  }
  return file;

  function wordOf({ step, word }: { readonly step: number; readonly word: number }): bigint {
    return BigInt(DATA_AT + placeOf(step) + 8 * (1 + word));
  }
}

/** To eight bytes. */
function aligned(at: number): number {
  return Math.ceil(at / 8) * 8;
}

function header(machine: Machine, codeAt: number, size: number): Uint8Array {
  const bytes = new Uint8Array(ELF_HEADER + 2 * PROGRAM_HEADER);
  const view = new DataView(bytes.buffer);
  // \x7fELF, 64 bits, little-endian, version 1.
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  const put16 = (at: number, value: number): void => view.setUint16(at, value, true);
  const put64 = (at: number, value: number): void => view.setBigUint64(at, BigInt(value), true);
  put16(16, 2); // ET_EXEC
  put16(18, EM[machine]);
  view.setUint32(20, 1, true);
  put64(24, CODE_AT + codeAt);
  put64(32, ELF_HEADER);
  put16(52, ELF_HEADER);
  put16(54, PROGRAM_HEADER);
  put16(56, 2);
  for (const [index, [flags, address]] of (
    [
      [PF_R | PF_X, CODE_AT],
      [PF_R | PF_W, DATA_AT],
    ] as const
  ).entries()) {
    const at = ELF_HEADER + index * PROGRAM_HEADER;
    view.setUint32(at, PT_LOAD, true);
    view.setUint32(at + 4, flags, true);
    put64(at + 16, address);
    put64(at + 24, address);
    put64(at + 32, size);
    put64(at + 40, size);
    put64(at + 48, PAGE);
  }
  return bytes;
}

/** `mov` between a register and a word of the step that r12 points to. */
function load(register: readonly number[], word: number): number[] {
  return [...register, 0x24, 8 * word];
}

/** A jump back to the beginning of what is so long. */
function backX64(from: number): number[] {
  return [0xeb, 256 - (from + 2)];
}

/** Puts what the program was given into the first step, and then goes from step to step. */
function codeX64(table: bigint, first: number): Uint8Array {
  const address = new Uint8Array(8);
  new DataView(address.buffer).setBigUint64(0, table, true);
  const begin = [
    [0x49, 0xbc, ...address], // mov r12, table
    [0x48, 0x8b, 0x3c, 0x24], // mov rdi, [rsp]: how many arguments
    [0x48, 0x8b, 0x44, 0x24, 0x10], // mov rax, [rsp + 16]: the first
    load([0x49, 0x89, 0x44], 1), // mov [r12 + 8], rax
    [0x48, 0x8d, 0x44, 0x24, 0x10], // lea rax, [rsp + 16]: from the first on
    load([0x49, 0x89, 0x44], 2),
    [0x48, 0x8d, 0x44, 0xfc, 0x10], // lea rax, [rsp + 8 * rdi + 16]: the environment
    load([0x49, 0x89, 0x44], 3),
    [0x49, 0x81, 0xc4, (first * STEP) & 255, (first * STEP) >> 8, 0, 0], // add r12, the steps before the first
  ].flat();
  const loop = [
    [0x49, 0x8b, 0x04, 0x24], // mov rax, [r12]
    load([0x49, 0x8b, 0x7c], 1), // rdi
    load([0x49, 0x8b, 0x74], 2), // rsi
    load([0x49, 0x8b, 0x54], 3), // rdx
    load([0x4d, 0x8b, 0x54], 4), // r10
    load([0x4d, 0x8b, 0x44], 5), // r8
    [0x0f, 0x05], // syscall
    load([0x49, 0x8b, 0x4c], ANSWER), // mov rcx, [r12 + 48]
    [0x48, 0x89, 0x01], // mov [rcx], rax
    [0x48, 0x85, 0xc0], // test rax, rax
    [0x78, 7], // js: past the next two
    load([0x4d, 0x8b, 0x64], NEXT), // mov r12, [r12 + 56]
  ].flat();
  const refused = load([0x4d, 0x8b, 0x64], REFUSED);
  const whole = [...loop, ...backX64(loop.length), ...refused];
  return Uint8Array.from([...begin, ...whole, ...backX64(whole.length)]);
}

/** Registers and words, not bytes. */
function ldr(to: number, from: number, word: number): number {
  return (0xf940_0000 | (word << 10) | (from << 5) | to) >>> 0;
}

function str(what: number, to: number, word: number): number {
  return (0xf900_0000 | (word << 10) | (to << 5) | what) >>> 0;
}

function add(to: number, from: number, value: number): number {
  return (0x9100_0000 | (value << 10) | (from << 5) | to) >>> 0;
}

/** A jump back over so many instructions. */
function backArm64(over: number): number {
  return (0x1400_0000 | (-over & 0x03ff_ffff)) >>> 0;
}

function codeArm64(table: bigint, first: number): Uint8Array {
  const [SP, TABLE] = [31, 19];
  const mov = (shift: number): number =>
    ((shift === 0 ? 0xd280_0000 : 0xf280_0000) |
      (shift << 21) |
      (Number((table >> BigInt(16 * shift)) & 0xffffn) << 5) |
      TABLE) >>>
    0;
  const begin = [
    ...[0, 1, 2, 3].map(mov),
    ldr(0, SP, 0), // how many arguments
    ldr(1, SP, 2), // the first
    str(1, TABLE, 1),
    add(1, SP, 16), // from the first on
    str(1, TABLE, 2),
    0x8b20_6fe1, // add x1, sp, x0, lsl #3
    add(1, 1, 16), // the environment
    str(1, TABLE, 3),
    add(TABLE, TABLE, first * STEP),
  ];
  const loop = [
    ldr(8, TABLE, 0),
    ...[0, 1, 2, 3, 4].map((register) => ldr(register, TABLE, 1 + register)),
    0xd400_0001, // svc
    ldr(9, TABLE, ANSWER),
    str(0, 9, 0),
    0xb7f8_0060, // tbnz x0, #63: past the next two
    ldr(TABLE, TABLE, NEXT),
  ];
  const whole = [...loop, backArm64(loop.length), ldr(TABLE, TABLE, REFUSED)];
  const words = [...begin, ...whole, backArm64(whole.length)];
  const bytes = new Uint8Array(4 * words.length);
  const view = new DataView(bytes.buffer);
  for (const [at, word] of words.entries()) view.setUint32(4 * at, word, true);
  return bytes;
}
