import type { Machine } from "./syscalls.ts";

/** One instruction of classic BPF: `u16 code, u8 if true, u8 if false, u32 operand`; jumps count instructions to skip. */
export interface Instruction {
  readonly code: number;
  readonly jt: number;
  readonly jf: number;
  readonly k: number;
}

const LOAD = 0x20;
const AND = 0x54;
const IF_EQUAL = 0x15;
const IF_AT_LEAST = 0x35;
const IF_ANY_BIT = 0x45;
const RETURN = 0x06;

// linux/seccomp.h; these error numbers are the same on both machines.
export const ALLOW = 0x7fff_0000;
export const KILL = 0x8000_0000;
const ERRNO = 0x0005_0000;
export const EPERM = ERRNO | 1;
export const ENOSYS = ERRNO | 38;
export const EAFNOSUPPORT = ERRNO | 97;

// struct seccomp_data: `u32 number, u32 architecture, u64 instruction pointer, u64 arguments[6]`, little-endian on both.
const NUMBER = 0;
const ARCHITECTURE = 4;
export const low = (argument: number): number => 16 + 8 * argument;
export const high = (argument: number): number => low(argument) + 4;

const AUDIT_ARCH: Readonly<Record<Machine, number>> = { x64: 0xc000_003e, arm64: 0xc000_00b7 };
/** Numbers from here on are the x32 ABI: a second set of names for the same calls. */
const X32 = 0x4000_0000;

export function ret(k: number): Instruction {
  return { code: RETURN, jt: 0, jf: 0, k };
}

export function load(offset: number): Instruction {
  return { code: LOAD, jt: 0, jf: 0, k: offset };
}

/** Another machine's system calls have other numbers: they get `other`. The call's number stays loaded.
 *  @param x32 what the calls of that ABI get. */
export function onlyNative(machine: Machine, other: number, x32: number): Instruction[] {
  return [
    load(ARCHITECTURE),
    { code: IF_EQUAL, jt: 1, jf: 0, k: AUDIT_ARCH[machine] },
    ret(other),
    load(NUMBER),
    ...(machine === "x64" ? fromNumber(X32, x32) : []),
  ];
}

/** Every call whose number is `number` or more. */
export function fromNumber(number: number, answer: number): Instruction[] {
  return [{ code: IF_AT_LEAST, jt: 0, jf: 1, k: number }, ret(answer)];
}

/** `body`, which returns on every path, for one system call; the call's number stays loaded for the next. None where the machine has no such call. */
export function on(number: number | null, body: readonly Instruction[]): Instruction[] {
  return number === null ? [] : [{ code: IF_EQUAL, jt: 0, jf: body.length, k: number }, ...body];
}

/** Goes on if the word at `offset` is one of `values`, else answers `otherwise`. The kernel reads `int` arguments from the lower word alone. */
export function only(
  offset: number,
  values: readonly number[],
  { mask, otherwise = EPERM }: { mask?: number; otherwise?: number } = {},
): Instruction[] {
  return [
    load(offset),
    ...(mask === undefined ? [] : [{ code: AND, jt: 0, jf: 0, k: mask }]),
    ...values.map((k, index) => ({ code: IF_EQUAL, jt: values.length - index, jf: 0, k })),
    ret(otherwise),
  ];
}

/** `body`, which returns on every path, if the word at `offset` is `value`. */
export function ifEqual(offset: number, value: number, body: readonly Instruction[]): Instruction[] {
  return [load(offset), { code: IF_EQUAL, jt: 0, jf: body.length, k: value }, ...body];
}

/** Refuses if the word at `offset` is one of `values`. */
export function never(offset: number, values: readonly number[]): Instruction[] {
  return [load(offset), ...values.flatMap((k) => [{ code: IF_EQUAL, jt: 0, jf: 1, k }, ret(EPERM)])];
}

/** Refuses if one of the bits is set. */
export function noBit(offset: number, bits: number): Instruction[] {
  return [load(offset), { code: IF_ANY_BIT, jt: 0, jf: 1, k: bits }, ret(EPERM)];
}

/** Refuses if none of the bits is set. */
export function anyBit(offset: number, bits: number): Instruction[] {
  return [load(offset), { code: IF_ANY_BIT, jt: 1, jf: 0, k: bits }, ret(EPERM)];
}

/** @returns the program as the kernel takes it. */
export function assemble(program: readonly Instruction[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(new ArrayBuffer(program.length * 8));
  const view = new DataView(bytes.buffer);
  for (const [index, { code, jt, jf, k }] of program.entries()) {
    view.setUint16(index * 8, code, true);
    view.setUint8(index * 8 + 2, jt);
    view.setUint8(index * 8 + 3, jf);
    view.setUint32(index * 8 + 4, k, true);
  }
  return bytes;
}
