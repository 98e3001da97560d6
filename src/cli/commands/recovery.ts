import { Command } from "commander";
import * as z from "zod/mini";
import type { AnswerTo } from "../../ipc/operator.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-status.ts";
import { reachOperator } from "../reach.ts";
import { pairs, table } from "../table.ts";

const Options = z.object({ json: z._default(z.boolean(), false) });

export function recoveryCommand(context: Context): Command {
  return new Command("recovery").summary("what to have at hand when this machine is lost or stolen").addCommand(
    new Command("sheet")
      .summary("a page to print: the log's key, who else holds the log, and where each credential is revoked")
      .option("--json", "print one JSON object")
      .action((options: unknown) =>
        context.run(async () => {
          const { json } = Options.parse(options);
          await using operator = await reachOperator(context);
          const sheet = await operator.call({ call: "recovery.sheet" });
          context.terminal.print(json ? JSON.stringify(sheet) : sheetText(sheet));
          return EXIT.ok;
        }),
      ),
  );
}

/** What `recovery sheet` prints. No secret is on it. */
export function sheetText(sheet: AnswerTo<"recovery.sheet">): string {
  const { origin, vkey, protector, recovery, anchors, credentials } = sheet;
  const parts = [
    pairs([
      ["log", origin],
      ["its key", vkey],
      ["vault", protector === "none" ? "provisional" : `protected by the ${protector}`],
      ["recovery phrase", recovery ? "made: keep it apart from this sheet" : "none: wirken vault recovery create"],
    ]),
    anchors.length === 0
      ? "anchors: none; whoever has this account can cut the log unnoticed (wirken audit anchor add)"
      : table(
          ["anchor", "kind", "place"],
          anchors.map(({ name, type, place }) => [name, type, place ?? "-"]),
        ),
    credentials.length === 0
      ? "credentials: none"
      : table(
          ["credential", "account", "revoke it at"],
          credentials.map(({ scope, account, revoke }) => [
            scope.replace(/^(?:channel|provider)\//, ""),
            account ?? "-",
            revoke ?? "whoever issued it",
          ]),
        ),
    "stolen: revoke each credential first; then, on another machine, wirken vault recovery use or wirken vault restore",
  ];
  return parts.join("\n\n");
}
