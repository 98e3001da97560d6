import { Command } from "commander";
import { billOfMaterials } from "../bill-of-materials.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-status.ts";
import { inside } from "../inside.ts";

export function sbomCommand(context: Context): Command {
  return new Command("sbom")
    .summary("what this executable is made of, for a scanner: CycloneDX as JSON")
    .description(
      "Every package whose code is inside, with its version, licence and the SHA-512 of its archive, and Node with what Node is made of. It is written down by the build, from what went in.",
    )
    .action(() =>
      context.run(async () => {
        const { packages } = await inside();
        context.terminal.print(JSON.stringify(billOfMaterials(packages, process.versions), null, 2));
        return EXIT.ok;
      }),
    );
}
