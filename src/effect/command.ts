import type { Command, CommandEnd, Output } from "../sandbox/command.ts";
import { LIMITS } from "../sandbox/limits.ts";
import type { SetAside } from "../sandbox/survey.ts";
import { type ActionOfType, commandOf, placeOf } from "./action.ts";
import { boundText, MAX_RESULT } from "./bound.ts";
import { checkNamed } from "./files.ts";
import { plain } from "./plain-name.ts";
import type { ToolResult, World } from "./tool.ts";
import { shownCommand, type Under, underOf } from "./running-commands.ts";
import type { OpenWay } from "./way-port.ts";

/** What a command wrote so far. */
export type LiveOutput = () => { readonly stdout: Output; readonly stderr: Output };

/** Runs a decided command until it and everything it started are gone.
 *  @param more what is told of it while it runs.
 *  @throws {SandboxError}, {WorkspaceError} if nothing of it ran. */
export async function runCommand(
  action: ActionOfType<"exec">,
  under: Under,
  { sandbox, ours, ways, running }: World,
  signal: AbortSignal,
  more: Pick<Command, "live" | "keeping"> = {},
): Promise<ToolResult> {
  const limits = { ...LIMITS, seconds: action.timeoutSeconds };
  const place = placeOf(action);
  const entry = running.begin({
    ...underOf(under),
    words: shownCommand(wordsOf(action)),
    background: action.background === true,
    write: action.write,
    folders: place.folders.map(({ name, write }) => ({ name, write: action.write && write })),
    hosts: action.hosts ?? [],
  });
  let open: OpenWay | null = null;
  try {
    if (action.hosts !== undefined) open = await ways.open(action.hosts, under);
    const end = await sandbox.run(
      {
        ...place,
        argv: commandOf(action),
        write: action.write,
        stdin: action.stdin === null ? null : new TextEncoder().encode(action.stdin),
        limits,
        sandbox: action.sandbox ?? "works",
        before: () => checkNamed(ours, action),
        began: entry.began,
        ...(open === null ? {} : { way: open.way }),
        ...more,
      },
      signal,
    );
    return { outcome: outcomeOf(end), status: end.status, text: textOf(end, action), limits: sandbox.limitedBy };
  } finally {
    open?.end();
    entry.end();
  }
}

/** A command as it was asked for. */
export function wordsOf(action: ActionOfType<"exec">): string {
  return action.script?.text ?? commandOf(action).join(" ");
}

function outcomeOf(end: CommandEnd): ToolResult["outcome"] {
  if (end.reason === "stopped") return "stopped";
  if (end.reason !== "exited") return "limit";
  return end.status === 0 ? "done" : "failed";
}

/** As text, whatever it is. */
export function decode(bytes: Uint8Array): string {
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
}

function textOf(end: CommandEnd, action: ActionOfType<"exec">): string {
  const { stdout, stderr, left } = end;
  const said = textOfOutput({
    stdout: { bytes: stdout, left: left.stdout },
    stderr: { bytes: stderr, left: left.stderr },
  });
  return boundText(
    [
      sentence(end, action.timeoutSeconds, action.background),
      said === "" ? "(no output)" : said,
      ...end.setAside.map(asideSentence),
    ].join("\n"),
    MAX_RESULT,
  );
}

/** Settings of a new repository that are shown when they were left out. */
const MAX_LEFT = 8;

function asideSentence({ path, now, left }: SetAside): string {
  if (left === undefined)
    return `${path} is protected: what the command put there was moved to ${now} (ask with write_file instead)`;
  const shown = left.slice(0, MAX_LEFT).map((one) => plain(one.slice(0, 80).toWellFormed()));
  const more = left.length > MAX_LEFT ? ` and ${left.length - MAX_LEFT} more` : "";
  return `${path} is protected: of a new repository's settings its remotes and branches were kept, and these left out: ${shown.join(", ")}${more}; all of them are in ${now} (ask with write_file instead)`;
}

/** Both outputs under their names, in less than what a result may have; empty where there is none. */
export function textOfOutput(given: { readonly stdout: Output; readonly stderr: Output }): string {
  const half = (MAX_RESULT - 4096) / 2;
  const stdout = decode(given.stdout.bytes);
  // The program that sets the limits is the one that finds nothing to run.
  const stderr = decode(given.stderr.bytes).replace(/^(?:prlimit|setpriv): failed to execute /, "cannot run ");
  // Short error output leaves its room to standard output.
  const room = Math.min(Buffer.byteLength(stderr), half);
  return [
    ...(stdout === "" ? [] : ["standard output:", boundText(stdout, 2 * half - room, given.stdout.left)]),
    ...(stderr === "" ? [] : ["standard error:", boundText(stderr, half, given.stderr.left)]),
  ].join("\n");
}

const MB = 1 << 20;

/** How a command ended, in words. */
export function sentence(end: CommandEnd, seconds: number, background = false): string {
  switch (end.reason) {
    case "exited":
      if (end.status !== null && end.status > 128) return `exit status ${end.status} (signal ${end.status - 128})`;
      return `exit status ${end.status ?? "unknown"}`;
    case "stopped":
      return background ? "stopped" : "stopped: the turn was ended";
    case "time":
      return `killed: it ran longer than ${seconds} s`;
    case "memory":
      return `killed: it used more than ${LIMITS.memory / MB} MB of memory`;
    case "processes":
      return `killed: it had more than ${LIMITS.processes} processes`;
    case "output":
      return `killed: it wrote more than ${LIMITS.output / MB} MB of output; here is the first of it`;
    case "disk":
      return `killed: it left less than ${LIMITS.diskReserve / MB} MB free on the disk`;
  }
}
