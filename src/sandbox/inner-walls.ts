import { statSync } from "node:fs";
import { ASK_DEVICE, BENEATH, fileRights, filesAndScopes, RIGHTS, RULE_PATH_BENEATH } from "../confine/landlock.ts";
import { BECOME, Piece, programOf, type Step } from "../confine/program.ts";
import type { Machine } from "../confine/syscalls.ts";
import { SECRETS, type Shown } from "./command.ts";
import { AUTHORITIES, PROGRAMS, SETTINGS } from "./seen.ts";
import { INSIDE } from "./walk.ts";

/** Landlock around a command inside bubblewrap: a second wall for what the mounts keep from it, and one around what stands between the two. Who is held
 *  by it must ask for it, so a program of ours does, in the sandbox, and then becomes the next. It takes less than a millisecond. */

/** Where that program lies in the sandbox. */
export const HOLDER = "/run/holder";
/** Before this version of Landlock nobody who is held by it moves a file to another directory. */
const LEAST_ABI = 2;

/** The status of a command around which the wall could not be built: nothing of the command ran. */
const NOT_HELD = 126;

// fcntl.h, linux/prctl.h
const AT_FDCWD = -100;
const O_PATH_CLOEXEC = 0o12_000_000;
const O_CLOEXEC = 0o2_000_000;
const PR_SET_NO_NEW_PRIVS = 38;
/** The ruleset's number: no rule is to carry another. */
const RULESET = 100;

const { execute, readFile, readDirectory, writeFile, truncate } = RIGHTS;
const READING = { directory: execute | readFile | readDirectory, file: execute | readFile };
const CHANGING = { directory: Object.values(RIGHTS).reduce((sum, right) => sum | right, 0), file: READING.file };
/** Of devices their questions too: terminals of programs' own making among them. */
const DEVICES = { directory: readDirectory | readFile | writeFile | truncate | ASK_DEVICE, file: 0 };
/** Where a process writes about itself; what is another's is kept from it by the kernel's own rules for tracing. */
const PROCESSES = { directory: READING.directory | writeFile, file: 0 };
/** Names, and nothing of what is in the files: whoever asks for the top folder is to see it. */
const NAMES = { directory: readDirectory, file: 0 };
/** What a command was given open may be opened again, as scripts do by `/dev/stderr`. */
const OPEN = readFile | writeFile | truncate;

export interface HeldView {
  /** May it change the workspace? */
  readonly write: boolean;
  readonly toolchains: readonly string[];
  /** Whether it has a way out. */
  readonly way: boolean;
  /** Of a service: what it sees at paths of its own, and whether it has secrets. */
  readonly shown?: readonly Shown[];
  readonly secrets?: boolean;
}

/** Does Landlock of this version hold a command in bubblewrap? */
export function holdsCommands(abi: number): boolean {
  return abi >= LEAST_ABI;
}

/** The program for a view. @param abi of this kernel's Landlock, {@link holdsCommands}. */
export function holder(machine: Machine, abi: number, view: HeldView): Uint8Array<ArrayBuffer> {
  const known = fileRights(abi);
  const attributes = new Piece(new Uint8Array(filesAndScopes(abi).buffer));
  const failure = Piece.text("the system refused Landlock inside the sandbox\n");
  const [FAILED, BEGIN] = [BECOME + 1, BECOME + 3];
  const steps: Step[] = [
    { call: "execve", words: [], refused: FAILED },
    { call: "write", words: [2, failure, failure.bytes.length - 1] },
    { call: "exit_group", words: [NOT_HELD] },
  ];
  const add = (step: Step): void => void steps.push(step);
  add({ call: "prctl", words: [PR_SET_NO_NEW_PRIVS, 1], refused: FAILED });
  add({
    call: "landlock_create_ruleset",
    words: [attributes, attributes.bytes.length, 0],
    answer: { step: steps.length + 1, word: 0 },
    refused: FAILED,
  });
  add({ call: "dup3", words: [0, RULESET, O_CLOEXEC], refused: FAILED });
  for (const { place, rights } of rulesOf(view)) {
    const rule = new Piece(new Uint8Array(BENEATH.bytes));
    const words = new DataView(rule.bytes.buffer);
    words.setBigUint64(0, BigInt(rights & known), true);
    if (typeof place === "number") {
      words.setInt32(BENEATH.descriptorAt, place, true);
      // A pipe or a socket has no place that Landlock would ask about.
      add({ call: "landlock_add_rule", words: [RULESET, RULE_PATH_BENEATH, rule, 0] });
    } else {
      add({
        call: "openat",
        words: [AT_FDCWD, Piece.text(place), O_PATH_CLOEXEC],
        answer: { piece: rule, at: BENEATH.descriptorAt },
        refused: steps.length + 2,
      });
      add({ call: "landlock_add_rule", words: [RULESET, RULE_PATH_BENEATH, rule, 0], refused: FAILED });
    }
  }
  add({ call: "landlock_restrict_self", words: [RULESET, 0], next: BECOME, refused: FAILED });
  return programOf(machine, steps, BEGIN);
}

interface Rule {
  /** A path in the sandbox, or the number of what is open. */
  readonly place: string | number;
  readonly rights: number;
}

function rulesOf({ write, toolchains, way, shown = [], secrets = false }: HeldView): Rule[] {
  return [
    ...[0, 1, 2].map((place) => ({ place, rights: OPEN })),
    inside("/", NAMES),
    ...[...PROGRAMS, ...SETTINGS, ...toolchains, ...(way ? AUTHORITIES : [])].flatMap(asItIs),
    ...["/etc/passwd", "/etc/group", "/etc/hosts"].map((place) => ({ place, rights: READING.file })),
    inside("/proc", PROCESSES),
    inside("/dev", DEVICES),
    inside("/dev/shm", CHANGING),
    inside(INSIDE, write ? CHANGING : READING),
    inside("/tmp", CHANGING),
    ...shown.flatMap(({ path, at, write: changes }) => placed(path, at, changes ? CHANGING : READING)),
    ...(secrets ? [inside(SECRETS, READING)] : []),
  ];
}

/** A directory of the sandbox's own. */
function inside(place: string, rights: { readonly directory: number }): Rule {
  return { place, rights: rights.directory };
}

function placed(path: string, at: string, rights: { readonly directory: number; readonly file: number }): Rule[] {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) return [];
  const file = rights === CHANGING ? rights.file | writeFile | truncate : rights.file;
  return [{ place: at, rights: found.isDirectory() ? rights.directory : file }];
}

/** What the sandbox shows as it is on this machine. Rights to a directory cannot be given to a file. */
function asItIs(place: string): Rule[] {
  const found = statSync(place, { throwIfNoEntry: false });
  if (found === undefined) return [];
  return [{ place, rights: found.isDirectory() ? READING.directory : READING.file }];
}
