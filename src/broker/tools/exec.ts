import * as z from "zod/mini";
import {
  MAX_HOSTS,
  MAX_SCRIPT,
  MAX_UNKEPT,
  MOST_SECONDS,
  MOST_SECONDS_IN_BACKGROUND,
  placed,
  USUAL_SECONDS,
} from "../../effect/action.ts";
import { type Folder, MAX_FOLDERS, type Place, wrongWith } from "../../effect/effects.ts";
import { skillFolder } from "../../effect/skills.ts";
import { HostName } from "../../ipc/egress-frames.ts";
import { ArgumentsError, type CallTurn, defineTool, type Look } from "./tool.ts";

/** Bytes of all arguments together: the kernel takes little more. Longer input goes through stdin. */
const MAX_ARGV = 512 * 1024;
/** What stands between the words of a script, as far as it bears on which files it names. */
const BETWEEN = /[\s;|&<>(){}'"`$=]+/;

export const exec = defineTool({
  name: "exec",
  description:
    "Runs a command in a sandbox, in the workspace: as `argv`, which no shell reads, or as `script`, for pipes and wildcards. Say what it needs, and no more. With nothing said it " +
    "reads the workspace, reaches no network and is asked of nobody; `write` (to change files of the workspace) and `hosts` (to reach each of these over https or http, through the " +
    `proxy that HTTPS_PROXY names) may be asked of somebody first. It has ${USUAL_SECONDS} s, 512 MB of memory and 256 processes. HOME and TMPDIR lie in .home of the workspace. Its output is kept up to 1 MiB, and 64 KiB ` +
    "are shown. With `background` the call returns at once with a name for the tool `process`.",
  schema: z.strictObject({
    argv: z
      .optional(
        z.array(z.string().check(z.minLength(1), z.maxLength(131_072))).check(z.minLength(1), z.maxLength(1024)),
      )
      .check(z.describe('Program and arguments, such as ["ls", "-l"].')),
    script: z
      .optional(z.string().check(z.minLength(1), z.maxLength(MAX_SCRIPT)))
      .check(z.describe("A shell's script, in place of argv.")),
    shell: z._default(z.enum(["sh", "bash"]), "sh").check(z.describe("Which shell runs the script.")),
    write: z._default(z.boolean(), false).check(z.describe("Does it change files of the workspace?")),
    write_to: z
      ._default(z.array(z.string().check(z.maxLength(64))).check(z.maxLength(MAX_FOLDERS)), [])
      .check(z.describe('With write: names of folders of the workspace that it changes too, such as ["shared"].')),
    hosts: z
      ._default(z.array(z.string()).check(z.maxLength(MAX_HOSTS)), [])
      .check(z.describe('Names of the hosts that it reaches, on ports 443 and 80, such as ["api.github.com"].')),
    stdin: z
      .optional(z.string().check(z.maxLength(1_048_576)))
      .check(z.describe("What the command reads from standard input.")),
    skill: z
      .optional(z.string().check(z.maxLength(64)))
      .check(
        z.describe(
          "A skill that you have read: the command then sees its folder beside the workspace, and no other folder.",
        ),
      ),
    background: z
      ._default(z.boolean(), false)
      .check(z.describe("Does it go on while you do something else? Then it only reads the workspace.")),
    timeout_seconds: z
      ._default(z.int().check(z.gte(1), z.lte(MOST_SECONDS_IN_BACKGROUND)), USUAL_SECONDS)
      .check(
        z.describe(
          `It is killed after this long: at most ${MOST_SECONDS}, or ${MOST_SECONDS_IN_BACKGROUND} in the background.`,
        ),
      ),
  }),
  prepare: (given, turn, look) => {
    const { argv, script, shell, write } = given;
    if ((argv === undefined) === (script === undefined)) throw new ArgumentsError("give either argv or a script");
    if (given.background && write)
      throw new ArgumentsError(
        "a command in the background only reads the workspace, for others change it meanwhile: it may write to TMPDIR, or run it without background",
      );
    if (!given.background && given.timeout_seconds > MOST_SECONDS)
      throw new ArgumentsError(`timeout_seconds is at most ${MOST_SECONDS}: for longer set background to true`);
    const words = argv ?? [script ?? ""];
    const bytes = words.reduce((sum, word) => sum + Buffer.byteLength(word) + 1, 0);
    if (bytes > MAX_ARGV)
      throw new ArgumentsError(`argv has ${bytes} bytes, and at most ${MAX_ARGV} are taken: use stdin`);
    if (![...words, given.stdin ?? ""].every((word) => word.isWellFormed()))
      throw new ArgumentsError("the command or stdin holds half a character (a lone surrogate)");
    if (words.some((word) => word.includes("\0"))) throw new ArgumentsError("a command cannot hold a NUL");
    if (given.write_to.length > 0 && !write) throw new ArgumentsError("write_to goes with write: true");
    const skill = given.skill === undefined ? null : skillFor(given.skill, turn, look);
    if (skill !== null && given.background)
      throw new ArgumentsError("a command with a skill ends with its call: leave out background");
    if (skill !== null && given.write_to.length > 0)
      throw new ArgumentsError("a command with a skill sees its folder and the workspace alone: leave out write_to");
    const place = {
      workspace: turn.workspace,
      folders: skill === null ? foldersFor(turn.folders, given.write_to) : [skill.folder],
    };
    const hosts = [...new Set(given.hosts.map(hostOf))].toSorted();
    if (hosts.length > 0 && look.sandboxState.state === "weaker")
      throw new ArgumentsError(
        `here a command reaches no host: that takes bubblewrap (${look.sandboxState.hint || look.sandboxState.sentence})`,
      );
    return {
      type: "exec",
      ...placed(place),
      ...(script === undefined ? { argv: words } : { script: { shell, text: script } }),
      write,
      ...(hosts.length === 0 ? {} : { hosts }),
      ...(skill === null ? {} : { skill: { name: skill.name, digest: skill.digest, folder: skill.folder.name } }),
      ...(given.background ? { background: true } : {}),
      stdin: given.stdin ?? null,
      timeoutSeconds: given.timeout_seconds,
      // Who may only read, and reaches nobody, does no harm by reading another file than was meant.
      files:
        write || hosts.length > 0
          ? look.named(place, argv ?? words.flatMap((text) => text.split(BETWEEN)).filter((word) => word !== ""))
          : [],
      ...(write ? unkeptIn(look, place) : {}),
      ...(look.sandboxState.state === "weaker" ? { sandbox: "weaker" } : {}),
    };
  },
});

/** The folder of a skill that is in the context, with its files as they were checked just now. @throws {ArgumentsError}. */
function skillFor(name: string, turn: CallTurn, look: Look): { name: string; digest: string; folder: Folder } {
  const digest = turn.skills.digestOf(name);
  if (digest === null)
    throw new ArgumentsError(`skill: read ${JSON.stringify(name)} with the tool skill before you run something of it`);
  const folder = look.skills.folder(name, digest);
  if (typeof folder === "string") throw new ArgumentsError(`skill: ${folder}`);
  turn.skills.placed(folder.path, folder.name);
  return { name, digest, folder: { ...folder, name: skillFolder({ name, digest }) } };
}

/** All folders that are there, of which only those that were named may be changed. @throws {ArgumentsError} for one that cannot be. */
function foldersFor(all: readonly Folder[], named: readonly string[]): Folder[] {
  for (const name of named) {
    const folder = all.find((one) => one.name === name);
    if (folder === undefined) {
      const names = all.map((one) => one.name).join(", ");
      throw new ArgumentsError(`write_to: there is no folder ${JSON.stringify(name)}; there are: ${names || "none"}`);
    }
    if (!folder.write) throw new ArgumentsError(`write_to: the folder ${name} was added to be read only`);
    const wrong = wrongWith(folder);
    if (wrong !== null) throw new ArgumentsError(`write_to: ${wrong}`);
  }
  return all
    .filter((folder) => wrongWith(folder) === null)
    .map((folder) => ({ ...folder, write: named.includes(folder.name) }));
}

/** @throws {ArgumentsError} for what is no host's name. */
function hostOf(text: string): string {
  const host = text.toLowerCase().replace(/\.$/, "");
  if (HostName.safeParse(host).success) return host;
  throw new ArgumentsError(
    `${JSON.stringify(text.slice(0, 100))} is no host's name: write it without https://, a port or a path, and no address`,
  );
}

/** Files of which no copy is kept, so that whoever is asked knows before. */
function unkeptIn(look: Look, place: Place): { unkept?: { named: string[]; more: number } } {
  const unkept = look.unkept(place).filter((path) => path.isWellFormed());
  if (unkept.length === 0) return {};
  return { unkept: { named: unkept.slice(0, MAX_UNKEPT), more: Math.max(0, unkept.length - MAX_UNKEPT) } };
}
