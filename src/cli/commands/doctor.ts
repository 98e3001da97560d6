import { Command } from "commander";
import * as z from "zod/mini";
import type { AnswerTo } from "../../ipc/operator.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-status.ts";
import { printable } from "../printable.ts";
import { reachOperator } from "../reach.ts";
import { doctorConfinementCommand } from "./doctor-confinement.ts";

const Options = z.object({ json: z._default(z.boolean(), false) });

/** One thing that was looked at. `weak`: it works, and less is protected than could be. */
export interface Diagnosis {
  readonly what: string;
  readonly state: "good" | "weak" | "bad";
  readonly sentence: string;
  /** What to do about it; null when there is nothing. */
  readonly hint: string | null;
}

export function doctorCommand(context: Context): Command {
  return new Command("doctor")
    .summary("look at everything once, and say what to do about what is not as it should be")
    .option("--json", "print one JSON object")
    .addHelpText("after", `\nExit status is ${EXIT.bad} if anything is bad.`)
    .action((options: unknown) =>
      context.run(async () => {
        const { json } = Options.parse(options);
        await using operator = await reachOperator(context);
        const found = diagnoses({
          running: operator.daemon !== null,
          status: await operator.call({ call: "status" }),
          anchors: (await operator.call({ call: "audit.anchor.list" })).anchors,
          record: await operator.call({ call: "audit.verify" }),
        });
        context.terminal.print(json ? JSON.stringify({ diagnoses: found }) : found.map(lineOf).join("\n"));
        return found.some(({ state }) => state === "bad") ? EXIT.bad : EXIT.ok;
      }),
    )
    .addCommand(doctorConfinementCommand(context));
}

/** What a look at all of it says, in the order in which it is to be mended. */
export function diagnoses(seen: {
  readonly running: boolean;
  readonly status: AnswerTo<"status">;
  readonly anchors: AnswerTo<"audit.anchor.list">["anchors"];
  readonly record: AnswerTo<"audit.verify">;
}): Diagnosis[] {
  const { status } = seen;
  return [
    seen.running
      ? good("daemon", `runs as process ${status.pid}`)
      : weak("daemon", "does not run: nobody is answered", "wirken start"),
    recordOf(seen.record, status.log.stopped),
    status.storage.state === "good"
      ? good("disk", "there is room for the record")
      : { what: "disk", state: "bad", sentence: status.storage.sentence ?? status.storage.state, hint: "free some" },
    vaultOf(status.vault),
    status.sandbox.works
      ? status.sandbox.note === null
        ? good("sandbox", "works")
        : weak("sandbox", "weaker", status.sandbox.note)
      : { what: "sandbox", state: "bad", sentence: "no command can run", hint: status.sandbox.note },
    status.model.note === null
      ? good("model", status.model.ref)
      : weak("model", `${status.model.ref}: ${status.model.note}`, null),
    ...status.channels.filter(({ enabled }) => enabled).map((channel) => channelOf(channel, seen.running)),
    ...anchorsOf(seen.anchors),
  ];
}

function recordOf({ state, sentences }: AnswerTo<"audit.verify">, stopped: string | null): Diagnosis {
  if (stopped !== null) return { what: "record", state: "bad", sentence: stopped, hint: "wirken audit verify" };
  const [headline = ""] = sentences;
  return state === "broken"
    ? { what: "record", state: "bad", sentence: headline, hint: "wirken audit verify" }
    : good("record", headline);
}

function vaultOf({ state, protector, sentence }: AnswerTo<"vault.status">): Diagnosis {
  if (state !== "open") return { what: "vault", state: "bad", sentence, hint: "wirken vault unlock" };
  return protector === "none" ? weak("vault", sentence, "wirken vault protect keychain") : good("vault", sentence);
}

function channelOf(
  { channel, state, note }: AnswerTo<"channel.list">["channels"][number],
  running: boolean,
): Diagnosis {
  // Without the daemon no channel is up, and that was said.
  if (state === "connected" || !running) return good(channel, state);
  const passing = state === "connecting" || state === "reconnecting";
  return { what: channel, state: passing ? "weak" : "bad", sentence: state, hint: note };
}

function anchorsOf(anchors: AnswerTo<"audit.anchor.list">["anchors"]): Diagnosis[] {
  if (anchors.length === 0)
    return [
      weak(
        "anchors",
        "none: nothing out of this user's reach says how long the log was",
        "wirken audit anchor add (on another machine: wirken witness serve)",
      ),
    ];
  return anchors.map(({ name, state, size, note }) =>
    state === "good"
      ? good(`anchor ${name}`, `holds ${size} rows`)
      : { what: `anchor ${name}`, state: "bad", sentence: note ?? state, hint: "wirken audit anchor list" },
  );
}

function good(what: string, sentence: string): Diagnosis {
  return { what, state: "good", sentence, hint: null };
}

function weak(what: string, sentence: string, hint: string | null): Diagnosis {
  return { what, state: "weak", sentence, hint };
}

function lineOf({ what, state, sentence, hint }: Diagnosis): string {
  const line = `${state.padEnd(4)}  ${printable(what)}: ${printable(sentence)}`;
  return hint === null ? line : `${line}\n      hint: ${printable(hint)}`;
}
