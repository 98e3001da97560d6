import type { McpServer } from "../config/schema.ts";
import type { AnswerTo } from "../ipc/operator.ts";
import { checkedEntry, type McpEntries, plainEntry } from "./mcp-entries.ts";
import { type McpReady, startOf } from "./mcp-ready.ts";
import type { McpServersControl, McpToolState, McpTrial } from "./mcp-servers.ts";
import { differenceOf, shownWords, trialView } from "./mcp-words.ts";
import { OperatorError } from "./operator-error.ts";
import type { By } from "./people.ts";

type Changes = Extract<AnswerTo<"mcp.update">, { state: "newer" }>["changes"];

/** Behind a server's name, while its newer version is looked at. */
const TRIAL = "-update";
const MAX_NAME = 32;

export interface McpUpdatingParts {
  readonly servers: McpServersControl;
  readonly ready: McpReady;
  readonly entries: McpEntries;
  /** Removes what a server kept in its own folder. */
  readonly dropFolder: (server: string) => Promise<void>;
}

/** Newer versions of what was installed: each is looked at under another name, and taken into use when its owner says so. */
export class McpUpdating {
  readonly #parts: McpUpdatingParts;
  readonly #looked = new Map<string, { readonly digest: string; readonly trial: McpTrial }>();

  constructor(parts: McpUpdatingParts) {
    this.#parts = parts;
  }

  /** @throws {OperatorError}. */
  async look(name: string, who: By, signal: AbortSignal): Promise<AnswerTo<"mcp.update">> {
    const { servers, entries, ready, dropFolder } = this.#parts;
    const entry = entries.get(name);
    const { installed } = entry;
    if (installed === undefined)
      throw new OperatorError(
        "usage",
        `${name} was not installed by Wirken`,
        "only what was added with npx or uvx has versions; replace its program, or what is at its address",
      );
    const { command, installed: found } = await ready.install(installed.from, who, signal);
    if (found === null) throw new OperatorError("usage", `${name}: ${shownWords(installed.from)} names no package`);
    if (found.digest === installed.digest) {
      await this.leave(name);
      const { altered } = ready.found(found.digest);
      await ready.settle(found.digest);
      if (altered && entry.enabled) await servers.restart(name);
      return { state: "newest", version: found.version, mended: altered };
    }
    // Under another name, and no agent has it: nothing of it is in use while somebody looks at it.
    const other = `${name.slice(0, MAX_NAME - TRIAL.length)}${TRIAL}`;
    const tried = checkedEntry(other, {
      ...plainEntry(entry),
      enabled: true,
      command: [...command, ...argumentsOf(entry)],
      installed: ready.entryOf(found.digest),
      agents: [],
    });
    await entries.lend(other, tried);
    try {
      const trial = await servers.test(other, signal);
      this.#looked.set(name, { digest: found.digest, trial });
      return {
        state: "newer",
        from: installed.version,
        to: found.version,
        digest: found.digest,
        trial: trialView(trial),
        changes: trial.state === "works" ? changesBetween(servers.tools(name), trial.tools) : [],
      };
    } finally {
      await entries.lend(other, null);
      await dropFolder(other);
    }
  }

  /** @throws {OperatorError} unless it is what was just looked at. */
  async take(name: string, digest: string, who: By, signal: AbortSignal): Promise<void> {
    const { servers, entries, ready } = this.#parts;
    const entry = entries.get(name);
    const looked = this.#looked.get(name);
    if (looked?.digest !== digest)
      throw new OperatorError(
        "not-found",
        "this is not the version that was just looked at",
        `run wirken mcp update ${name} again`,
      );
    const before = servers.tools(name);
    const command = [...startOf(ready.found(digest)), ...argumentsOf(entry)];
    await entries.write(name, { ...entry, command, installed: ready.entryOf(digest) }, "updated", who);
    this.#looked.delete(name);
    if (looked.trial.state === "works" && entry.enabled) {
      await servers.test(name, signal);
      const shown = looked.trial.tools.flatMap(({ now, digest: is }) =>
        now === null || is === null || isLeftOut(before, now.name) ? [] : [{ name: now.name, digest: is }],
      );
      await servers.accept(name, shown, who);
    }
    await ready.settle(digest);
  }

  /** The version in use stays. */
  async leave(name: string): Promise<void> {
    const looked = this.#looked.get(name);
    this.#looked.delete(name);
    await this.#parts.ready.settle(looked?.digest ?? null);
  }
}

/** What stands behind the program in an installed server's command. */
function argumentsOf({ command }: McpServer): string[] {
  return (command ?? []).slice(2);
}

/** Was it offered before, and not accepted? */
function isLeftOut(before: readonly McpToolState[], name: string): boolean {
  return before.some(({ standing, now }) => standing === "new" && now?.name === name);
}

/** What agents would have otherwise than it was accepted. */
function changesBetween(before: readonly McpToolState[], after: readonly McpToolState[]): Changes {
  const old = new Map(before.flatMap((one) => (one.accepted === null ? [] : [[one.accepted.name, one] as const])));
  const offered = new Set(after.flatMap(({ now }) => now?.name ?? []));
  const changed = after.flatMap(({ now, digest }): Changes => {
    if (now === null) return [];
    const was = old.get(now.name);
    if (was === undefined) return [{ tool: now.name, how: "new", difference: differenceOf(null, now) }];
    if (was.acceptedDigest === digest) return [];
    return [{ tool: now.name, how: "changed", difference: differenceOf(was.accepted, now) }];
  });
  const gone = [...old.keys()].filter((name) => !offered.has(name));
  return [...changed, ...gone.map((tool) => ({ tool, how: "gone" as const, difference: "" }))];
}
