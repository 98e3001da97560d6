import { Piece, programOf, type Step } from "../confine/program.ts";
import type { Machine, SystemCall } from "../confine/syscalls.ts";

/** What native code in a command tries to reach, as a program that does nothing where it is let through, and which layer refused it: told by what the
 *  kernel says, for each says something else. */

/** In which layers a command is held. */
export type CommandLayer = "namespaces" | "landlock" | "seccomp" | "limits" | "account";

export type CommandReach =
  | "read a file"
  | "write a file"
  | "connect outward"
  | "open a local socket"
  | "open other kinds of socket"
  | "make a ring"
  | "signal another process"
  | "read another's memory"
  | "trace another process"
  | "become another user"
  | "exhaust memory";

/** @see attempted: null where nothing refused it. */
export interface CommandTried {
  readonly reach: CommandReach;
  readonly by: CommandLayer | null;
}

// asm-generic/errno-base.h and errno.h
const [EPERM, ENOENT, ESRCH, ENOMEM, EACCES, EROFS, ENOSYS, EAFNOSUPPORT, ENETUNREACH] = [
  1, 2, 3, 12, 13, 30, 38, 97, 101,
];

const AT_FDCWD = -100;
const O_TMPFILE_RDWR = 0o20_200_002;
const SOCK_STREAM_NONBLOCK = 1 | 0o4000;
const SOCK_RAW_NONBLOCK = 3 | 0o4000;
const AF = { unix: 1, inet: 2, packet: 17 } as const;
const PTRACE_SEIZE = 0x4206;
/** More than what is set for a command: twice 512 MB. */
const MUCH = 3 * 1_073_741_824;
/** Port 9 of an address that is set aside for documentation (RFC 5737): nobody is asked anything. */
const NOBODY = [AF.inet, 0, 0, 9, 192, 0, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0];

interface Attempt {
  readonly reach: CommandReach;
  readonly call: SystemCall;
  readonly words: Step["words"];
  /** A step before it, whose answer is its first word; where that is refused, so is this. */
  readonly first?: Pick<Step, "call" | "words">;
  /** Which layer says what. */
  readonly says: Readonly<Partial<Record<number, CommandLayer>>>;
}

/** @param file of this machine, which no command sees. @param other a process that is none of the command's. */
function attempts(file: string, other: number): readonly Attempt[] {
  const files = { [ENOENT]: "namespaces", [EROFS]: "namespaces", [EACCES]: "landlock" } as const;
  const sockets = { [EPERM]: "seccomp", [EAFNOSUPPORT]: "seccomp", [ENETUNREACH]: "namespaces" } as const;
  const stream = [SOCK_STREAM_NONBLOCK, 0] as const;
  return [
    { reach: "read a file", call: "openat", words: [AT_FDCWD, Piece.text(file), 0], says: files },
    {
      reach: "write a file",
      call: "openat",
      words: [AT_FDCWD, Piece.text("/usr"), O_TMPFILE_RDWR, 0o600],
      says: files,
    },
    {
      reach: "connect outward",
      first: { call: "socket", words: [AF.inet, ...stream] },
      call: "connect",
      words: [0, new Piece(Uint8Array.from(NOBODY)), NOBODY.length],
      says: sockets,
    },
    { reach: "open a local socket", call: "socket", words: [AF.unix, ...stream], says: sockets },
    { reach: "open other kinds of socket", call: "socket", words: [AF.packet, SOCK_RAW_NONBLOCK, 0], says: sockets },
    { reach: "make a ring", call: "io_uring_setup", words: [0, 0], says: { [ENOSYS]: "seccomp", [EPERM]: "seccomp" } },
    {
      reach: "signal another process",
      call: "kill",
      words: [other, 0],
      says: { [ESRCH]: "namespaces", [EPERM]: "landlock" },
    },
    {
      reach: "read another's memory",
      call: "openat",
      words: [AT_FDCWD, Piece.text(`/proc/${other}/environ`), 0],
      says: files,
    },
    {
      reach: "trace another process",
      call: "ptrace",
      words: [PTRACE_SEIZE, other, 0, 0],
      says: { [EPERM]: "seccomp", [ESRCH]: "namespaces" },
    },
    // Whoever may be in other groups may be another user.
    { reach: "become another user", call: "setgroups", words: [0, 0], says: { [EPERM]: "account" } },
    { reach: "exhaust memory", call: "mmap", words: [0, MUCH, 3, 0x4022, -1], says: { [ENOMEM]: "limits" } },
  ];
}

const WORD = 8;

/** The program that tries it all and writes what the kernel said, eight bytes for each. */
export function attempting(machine: Machine, file: string, other: number): Uint8Array<ArrayBuffer> {
  const all = attempts(file, other);
  const said = new Piece(new Uint8Array(WORD * all.length));
  const steps: Step[] = [{ call: "exit_group", words: [1] }];
  for (const [index, { first, call, words }] of all.entries()) {
    const answer = { piece: said, at: WORD * index };
    if (first !== undefined) {
      // Where even that is refused, its refusal is the answer.
      const next = steps.length + 3;
      steps.push(
        { ...first, answer: { step: steps.length + 1, word: 0 }, refused: steps.length + 2, next: steps.length + 1 },
        { call, words, answer, next, refused: next },
        { ...first, answer },
      );
    } else steps.push({ call, words, answer });
  }
  steps.push({ call: "write", words: [1, said, said.bytes.length] }, { call: "exit_group", words: [0] });
  return programOf(machine, steps, 1);
}

/** What the program said, by name. @throws {RangeError} if that is not all of it. */
export function attempted(said: Uint8Array): CommandTried[] {
  const all = attempts("/", 1);
  if (said.length !== WORD * all.length) throw new RangeError("the attempts in the sandbox came to no end");
  const view = new DataView(said.buffer, said.byteOffset);
  return all.map(({ reach, says }, index) => {
    const answer = Number(view.getBigInt64(WORD * index, true));
    return { reach, by: answer >= 0 || !refuses(answer) ? null : (says[-answer] ?? "account") };
  });
}

/** Other errors are no refusal: it was let through, and came to nothing. */
function refuses(answer: number): boolean {
  return [EPERM, ENOENT, ESRCH, ENOMEM, EACCES, EROFS, ENOSYS, EAFNOSUPPORT, ENETUNREACH].includes(-answer);
}
