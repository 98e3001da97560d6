import { Command } from "commander";
import * as z from "zod/mini";
import { usage } from "../command-error.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-status.ts";
import { inside } from "../inside.ts";
import { printableLines } from "../printable.ts";
import { table } from "../table.ts";

const Package = z.optional(z.string());
const Options = z.object({ json: z._default(z.boolean(), false) });

export function licencesCommand(context: Context): Command {
  return new Command("licences")
    .summary("whose work is in this executable, and under which licences")
    .argument("[package]", "one package, or node: print its licence to the letter; all: every one of them")
    .option("--json", "print one JSON object")
    .action((given: unknown, options: unknown) =>
      context.run(async () => {
        const { json } = Options.parse(options);
        const asked = Package.parse(given);
        const { packages, runtime } = await inside();
        const texts = [...packages, { name: "node", version: process.versions.node, licence: "MIT", text: runtime }];
        if (json) context.terminal.print(JSON.stringify({ packages: texts }));
        else if (asked === undefined)
          context.terminal.print(
            table(
              ["package", "version", "licence"],
              texts.map(({ name, version, licence }) => [name, version, licence]),
            ),
          );
        else {
          const found = texts.filter((one) => asked === "all" || one.name === asked);
          if (found.length === 0)
            throw usage(`no code of ${asked} is in this executable`, "wirken licences lists what is");
          context.terminal.print(printableLines(found.map(textOf).join("\n\n")));
        }
        return EXIT.ok;
      }),
    );
}

function textOf({
  name,
  version,
  licence,
  text,
}: {
  name: string;
  version: string;
  licence: string;
  text: string;
}): string {
  return `${name} ${version}, ${licence}\n\n${text === "" ? "(the package brings no text of its licence)" : text}`;
}
