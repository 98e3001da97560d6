import { createRequire } from "node:module";
import { readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { compileFunction } from "node:vm";
import { build, type Plugin } from "esbuild";
import { z } from "zod/mini";
import type { Authorities } from "../../../audit/authorities.ts";
import type * as note from "../../../audit/note.ts";
import type { Verifier } from "./examine.ts";

/** The verifier made from its own sources with a switch at each check, so that one at a time can be taken away. */

const AUDIT = join(import.meta.dirname, "../../../audit");

/** A check inside of a condition: `find` stands once in the file, `⟦⟧` about the check itself where more is needed to tell it; `without` in its place
 *  is the same without it. */
export interface Condition {
  readonly file: string;
  readonly find: string;
  readonly without: string;
}

export function conditionsOf(file: string, checks: readonly (readonly [find: string, without: string])[]): Condition[] {
  return checks.map(([find, without]) => ({ file, find, without }));
}

export interface Switches {
  readonly verifier: Verifier;
  readonly notes: typeof note;
  readonly Authorities: typeof Authorities;
  /** Every check that can be taken away, by name. */
  readonly checks: readonly string[];
  /** Runs with one check taken away. */
  without<T>(check: string, run: () => T): T;
  /** @returns what `run` returns, and the checks that it came by. */
  watch<T>(run: () => T): { readonly result: T; readonly met: ReadonlySet<string> };
}

const Loaded = z.object({
  verifySync: z.custom<Verifier["verifySync"]>((value) => typeof value === "function"),
  sentences: z.custom<Verifier["sentences"]>((value) => typeof value === "function"),
  Authorities: z.custom<typeof Authorities>((value) => typeof value === "function"),
  notes: z.custom<typeof note>((value) => typeof value === "object" && value !== null),
});

/** @param files whose findings and refusals get a switch. @param conditions that get one besides. */
export async function verifierWithSwitches(
  files: readonly string[],
  conditions: readonly Condition[],
): Promise<Switches> {
  const checks: string[] = [];
  const bundled = await build({
    stdin: {
      contents:
        'export * from "./verify.ts"; export * as notes from "./note.ts"; export { Authorities } from "./authorities.ts";',
      resolveDir: AUDIT,
      loader: "ts",
    },
    bundle: true,
    write: false,
    format: "cjs",
    platform: "node",
    target: "esnext",
    external: ["better-sqlite3"],
    plugins: [switched(files, conditions, checks)],
  });
  let off: string | null = null;
  let met: Set<string> | null = null;
  const at = (check: string): boolean => {
    met?.add(check);
    return off === check;
  };
  const module = { exports: {} };
  const run: unknown = compileFunction(bundled.outputFiles[0]?.text ?? "", ["module", "exports", "require", "__off"]);
  if (typeof run !== "function") throw new TypeError("the bundle is no function");
  run(module, module.exports, createRequire(import.meta.url), at);
  const { verifySync, sentences, notes, Authorities: authorities } = Loaded.parse({ ...module.exports });
  return {
    verifier: { verifySync, sentences },
    notes,
    Authorities: authorities,
    checks,
    without: (check, work) => {
      off = check;
      try {
        return work();
      } finally {
        off = null;
      }
    },
    watch: (work) => {
      const seen = new Set<string>();
      met = seen;
      try {
        return { result: work(), met: seen };
      } finally {
        met = null;
      }
    },
  };
}

function switched(files: readonly string[], conditions: readonly Condition[], checks: string[]): Plugin {
  return {
    name: "a switch at each check",
    setup: (bundler) => {
      bundler.onLoad({ filter: /\/audit\/[a-z-]+\.ts$/ }, async ({ path }) => {
        const file = basename(path);
        let text = await readFile(path, "utf8");
        const check = (what: string): string => {
          const nth = checks.filter((known) => known.startsWith(`${file}: ${what}`)).length;
          const name = `${file}: ${what}${nth === 0 ? "" : ` (${nth + 1})`}`;
          checks.push(name);
          return `__off(${JSON.stringify(name)})`;
        };
        for (const { find, without } of conditions.filter((one) => one.file === file)) {
          const [before = "", inner, after = ""] = find.split(/[⟦⟧]/);
          const whole = `${before}${inner ?? ""}${after}`;
          if (text.split(whole).length !== 2)
            throw new Error(`${file} does not hold this check once (name it anew in checks.ts): ${whole}`);
          const [condition, left, right] = inner === undefined ? [before, "", ""] : [inner, before, after];
          text = text.replace(whole, () => `${left}(${check(condition)} ? (${without}) : (${condition}))${right}`);
        }
        if (files.includes(file))
          text = text
            .replaceAll(
              /(?<=[^.\w#])((?:this\.#)?findings)\.add\((?=\s*("[a-z-]+")?)/g,
              (_, findings: string, code: string | undefined) =>
                `(${check(`the finding ${code ?? "that is passed on"}`)} ? { add: () => undefined } : ${findings}).add(`,
            )
            .replaceAll(/throw (malformed|new NoteError)\((?=([^\n]*))/g, (whole: string, _: string, why: string) => {
              const name = /["`]([^"`$]{3,60})/.exec(
                why.replace('"NOTE_MALFORMED", ', "").replace('"NOTE_FORGED", ', ""),
              )?.[1];
              return `if (!${check(`refuses what ${name ?? "is malformed"}`)}) ${whole}`;
            });
        return { contents: text, loader: "ts" };
      });
    },
  };
}
