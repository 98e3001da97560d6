import { existsSync, readdirSync } from "node:fs";
import { ConfineError } from "./error.ts";
import type { Libc } from "./libc.ts";
import { type Machine, numberIn } from "./syscalls.ts";

/** Landlock restricts the thread that asks for it. Node has some before our first statement, and native code could have one of those do what
 *  its own may not; so each is made to ask, by a signal whose handler does nothing else. */

/** One for each round, in this order: of two that wait the lower comes first, so that whoever has answered the later one owes none of the earlier. */
const SIGNALS = [61, 62, 63];
const SA_RESTART = 0x1000_0000;
const PROT_READ = 1;
const PROT_WRITE = 2;
const PROT_EXEC = 4;
const MAP_PRIVATE = 0x02;
const MAP_ANONYMOUS = 0x20;
const PR_SET_NO_NEW_PRIVS = 38;
/** The handler's page, and behind it one with two counters: threads that are restricted, threads that could not be. */
const PAGE = 4096;
/** Milliseconds until a thread that does not answer is a failure: they answer within some tenths of one, if the machine lets them run at all. */
const PATIENCE_MS = 8_000;

/** Restricts every thread of this process but the one that calls. Nobody may start one meanwhile; one may end.
 *  @param ruleset a Landlock ruleset's descriptor, below 65,536. @throws {ConfineError} if one is left. */
export function restrictOtherThreads(libc: Libc, machine: Machine, ruleset: number): void {
  const rounds: (() => void)[] = [];
  try {
    for (const signal of SIGNALS) {
      const round = new Round(libc, machine, ruleset, signal);
      rounds.push(() => round.end());
      if (round.ask()) return;
    }
    throw failed("an answer of every thread");
  } finally {
    for (const end of rounds) end();
  }
}

/** All threads are asked once, by a signal that no other round uses: what one is late with is not counted as an answer to the next. */
class Round {
  readonly #libc: Libc;
  readonly #signal: number;
  readonly #page: number;
  readonly #memory: bigint;

  constructor(libc: Libc, machine: Machine, ruleset: number, signal: number) {
    this.#libc = libc;
    this.#signal = signal;
    // 65,536 is arm64's largest page: the counters have to lie in one of their own.
    this.#page = Math.max(PAGE, machine === "arm64" ? 65_536 : 0);
    const page = this.#page;
    this.#memory = libc.call("mmap", 0, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (this.#memory < 0n) throw failed("memory");
    libc.write(this.#memory, machine === "x64" ? handlerX64(ruleset, page) : handlerArm64(ruleset, page));
    if (libc.call("mprotect", this.#memory, page, PROT_READ | PROT_EXEC) !== 0n)
      throw failed("memory that can be executed");
    libc.handle(signal, this.#memory, SA_RESTART);
  }

  /** @returns false if one of them ended before all had answered: whether it had is then not known, nor who has not. */
  ask(): boolean {
    const libc = this.#libc;
    const asked = threads().filter((thread) => {
      if (libc.call("tgkill", process.pid, thread, this.#signal) === 0n) return true;
      if (isThere(thread)) throw failed("a signal to a thread");
      return false;
    });
    const until = performance.now() + PATIENCE_MS;
    const counters = this.#memory + BigInt(this.#page);
    while (libc.word(counters) < asked.length) {
      if (libc.word(counters + 4n) > 0) throw failed("Landlock in a thread");
      if (performance.now() > until) throw failed("an answer of a thread");
      libc.call("sched_yield");
      if (!asked.every((thread) => isThere(thread))) return libc.word(counters) === asked.length;
    }
    return true;
  }

  end(): void {
    this.#libc.handle(this.#signal, 0n, 0);
    this.#libc.call("munmap", this.#memory, 2 * this.#page);
  }
}

function threads(): number[] {
  return readdirSync("/proc/self/task")
    .map(Number)
    .filter((thread) => thread !== process.pid);
}

/** One of those that only start the process may end at any time. */
function isThere(thread: number): boolean {
  return existsSync(`/proc/self/task/${thread}`);
}

function failed(what: string): ConfineError {
  return new ConfineError("CONFINE_FAILED", `The system refused ${what}: Landlock does not hold in every thread`);
}

/** Four bytes, little-endian. */
function word(value: number): number[] {
  return [value & 255, (value >> 8) & 255, (value >> 16) & 255, (value >> 24) & 255];
}

function mov(register: number, value: number): number {
  return 0xd280_0000 | (value << 5) | register;
}

/** `prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); landlock_restrict_self(ruleset, 0)`, and one more on a counter: in the machine's own words, because
 *  a handler that were JavaScript could not run in a thread that has none. */
function handlerX64(ruleset: number, page: number): Uint8Array {
  const code: number[] = [];
  const put = (...bytes: number[]): void => void code.push(...bytes);
  put(0xb8, ...word(numberIn("x64", "prctl"))); // mov eax
  put(0xbf, ...word(PR_SET_NO_NEW_PRIVS)); // mov edi
  put(0xbe, ...word(1)); // mov esi
  put(0x31, 0xd2, 0x45, 0x31, 0xd2, 0x45, 0x31, 0xc0); // xor edx, r10d, r8d
  put(0x0f, 0x05); // syscall
  put(0xb8, ...word(numberIn("x64", "landlock_restrict_self")));
  put(0xbf, ...word(ruleset));
  put(0x31, 0xf6); // xor esi
  put(0x0f, 0x05);
  put(0x48, 0x85, 0xc0); // test rax
  put(0x75, 8); // jne: past the next two
  put(0xf0, 0xff, 0x05, ...word(page - (code.length + 7))); // lock inc [counters]
  put(0xc3); // ret
  put(0xf0, 0xff, 0x05, ...word(page + 4 - (code.length + 7))); // lock inc [counters + 4]
  put(0xc3);
  return Uint8Array.from(code);
}

function handlerArm64(ruleset: number, page: number): Uint8Array {
  const SVC = 0xd400_0001;
  const before = [
    mov(8, numberIn("arm64", "prctl")),
    mov(0, PR_SET_NO_NEW_PRIVS),
    mov(1, 1),
    mov(2, 0),
    mov(3, 0),
    mov(4, 0),
    SVC,
    mov(8, numberIn("arm64", "landlock_restrict_self")),
    mov(0, ruleset),
    mov(1, 0),
    SVC,
  ];
  const words = [
    ...before,
    0x1000_0002 | (((page - 4 * before.length) >> 2) << 5), // adr x2, counters
    0xb400_0040, // cbz x0, past the next
    0x9100_1042, // add x2, x2, #4
    0x885f_fc43, // ldaxr w3, [x2]
    0x1100_0463, // add w3, w3, #1
    0x8804_fc43, // stlxr w4, w3, [x2]
    0x35ff_ffa4, // cbnz w4, back to ldaxr
    0xd65f_03c0, // ret
  ];
  const bytes = new Uint8Array(words.length * 4);
  const view = new DataView(bytes.buffer);
  for (const [at, value] of words.entries()) view.setUint32(4 * at, value >>> 0, true);
  return bytes;
}
