import type { PackageInside } from "../executable/inside.ts";
import { VERSION } from "../ipc/build.ts";

/** What an executable is made of, in the form that scanners read: CycloneDX 1.6 as JSON. The same executable gives the same bytes.
 *  @see https://cyclonedx.org/docs/1.6/json/ */

interface Component {
  readonly type: "application" | "library" | "platform";
  readonly "bom-ref": string;
  readonly group?: string;
  readonly name: string;
  readonly version: string;
  readonly purl?: string;
  readonly licenses?: readonly [{ readonly expression: string }];
  readonly hashes?: readonly [{ readonly alg: "SHA-512"; readonly content: string }];
  readonly components?: readonly Component[];
}

/** @param packages those whose code is inside. @param runtime Node and what Node is made of, by name, as `process.versions` has it. */
export function billOfMaterials(
  packages: readonly PackageInside[],
  runtime: Readonly<Record<string, string | undefined>>,
): object {
  return {
    $schema: "http://cyclonedx.org/schema/bom-1.6.schema.json",
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    version: 1,
    metadata: {
      component: {
        type: "application",
        "bom-ref": "wirken",
        name: "wirken",
        version: VERSION,
        licenses: [{ expression: "MIT" }],
      } satisfies Component,
    },
    components: [...packages.map(libraryOf), platformOf(runtime)],
  };
}

function libraryOf({ name, version, licence, integrity }: PackageInside): Component {
  const [scope, bare] = name.startsWith("@") ? name.split("/") : [undefined, name];
  const purl = `pkg:npm/${name.replace("@", "%40")}@${version}`;
  return {
    type: "library",
    "bom-ref": purl,
    ...(scope === undefined ? {} : { group: scope }),
    name: bare ?? name,
    version,
    purl,
    licenses: [{ expression: licence }],
    ...(integrity === null ? {} : { hashes: [{ alg: "SHA-512", content: hexOf(integrity) }] }),
  };
}

/** What Node brings with it: most holes that become known are in one of these. */
function platformOf({ node = "unknown", ...parts }: Readonly<Record<string, string | undefined>>): Component {
  return {
    type: "platform",
    "bom-ref": `pkg:generic/node@${node}`,
    name: "node",
    version: node,
    purl: `pkg:generic/node@${node}`,
    licenses: [{ expression: "MIT" }],
    components: Object.entries(parts)
      // The number of an interface, not of a part.
      .filter(([name]) => name !== "modules" && name !== "napi")
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .flatMap(([name, version]) =>
        version === undefined
          ? []
          : [
              {
                type: "library",
                "bom-ref": `node:${name}`,
                name,
                version,
                purl: `pkg:generic/${name}@${version}`,
              } as const,
            ],
      ),
  };
}

/** @param integrity `sha512-` and base64, as lock files write it. */
function hexOf(integrity: string): string {
  return Buffer.from(integrity.slice("sha512-".length), "base64").toString("hex");
}
