import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type FrontMatter, readFrontMatter, splitFrontMatter } from "../../skills/front-matter.ts";
import { wrongPermissions } from "../../skills/permissions.ts";
import { SkillError } from "../../skills/skill-error.ts";
import { readYaml } from "../../src/unpack/yaml.ts";

function read(yaml: string): FrontMatter {
  return readFrontMatter(readYaml(yaml));
}

describe("front matter", () => {
  test("has the fields of the published format", () => {
    const found = read(
      [
        "name: pdf-processing",
        "description: |",
        "  Extracts text and tables from PDF files.",
        "  Use it when somebody mentions PDFs.",
        "license: Apache-2.0",
        "compatibility: Requires git, docker, jq, and access to the internet",
        "metadata:",
        "  author: example-org",
        '  version: "1.0"',
        "allowed-tools: Bash(git:*) Bash(jq:*) Read",
      ].join("\n"),
    );
    expect(found).toEqual({
      name: "pdf-processing",
      description: "Extracts text and tables from PDF files.\nUse it when somebody mentions PDFs.",
      license: "Apache-2.0",
      compatibility: "Requires git, docker, jq, and access to the internet",
      version: "1.0.0",
      permissions: {
        commands: ["git", "jq"],
        credentials: [],
        hosts: [],
        read: ["."],
        tools: ["exec", "read_file"],
        write: [],
      },
      requires: { anyBins: [], bins: [], env: [], os: [] },
      notes: [],
    });
    expect(wrongPermissions(found.permissions)).toBeNull();
  });

  test("of OpenClaw says what it needs, and its installers are told and not run", () => {
    const metadata = {
      openclaw: {
        emoji: "🎮",
        os: ["linux", "darwin"],
        requires: { bins: ["uv"], anyBins: ["claude", "codex"], env: ["GEMINI_API_KEY"], config: ["browser.enabled"] },
        install: [{ id: "brew", kind: "brew", formula: "uv" }],
      },
    };
    const found = read(
      `name: image-lab\ndescription: Makes images.\nhomepage: https://example.com\nmetadata: ${JSON.stringify(metadata)}`,
    );
    expect(found.requires).toEqual({
      bins: ["uv"],
      anyBins: ["claude", "codex"],
      env: ["GEMINI_API_KEY"],
      os: ["linux", "darwin"],
    });
    expect(found.notes).toHaveLength(2);
    expect(found.notes[0]).toContain("not done");
    expect(found.notes[1]).toContain("browser.enabled");
  });

  test("with a colon in a description that has no quotes is read as others read it, and nothing else is guessed", () => {
    const odd = "Use when you need this: reading, and `that`";
    expect(read(`name: a\ndescription: ${odd}\nlicense: MIT: see LICENSE`)).toMatchObject({
      description: odd,
      license: "MIT: see LICENSE",
    });
    expect(read("name: a\ndescription: `b` does c").description).toBe("`b` does c");
    for (const wrong of ["name: a: b\ndescription: d", "name: a\ndescription: d: e\nmetadata: x: y"])
      expect(() => read(wrong)).toThrow("its front matter is not used");
  });

  test("whose metadata is JSON in a text, or which says of each variable whether it is needed, is read", () => {
    const metadata = { openclaw: { requires: { env: { A_KEY: "required", B_KEY: "optional" } } } };
    expect(read(`name: a\ndescription: d\nmetadata: '${JSON.stringify(metadata)}'`).requires.env).toEqual(["A_KEY"]);
    expect(() => read("name: a\ndescription: d\nmetadata: '{'")).toThrow("its metadata");
  });

  test("of Wirken says exactly what it wants", () => {
    const found = read(
      "name: weather\ndescription: Weather.\nmetadata:\n  wirken:\n    tools: [http_request]\n    hosts: [api.open-meteo.com]\n",
    );
    expect(found.permissions).toMatchObject({
      tools: ["http_request"],
      hosts: ["api.open-meteo.com"],
      read: [],
      commands: [],
    });
    expect(() => read("name: w\ndescription: W.\nmetadata:\n  wirken:\n    network: yes\n")).toThrow("and not");
  });

  test.for([
    ["an alias", "name: a\ndescription: &x hello\nlicense: *x"],
    ["an anchor", "name: a\ndescription: &x hello"],
    ["a billion laughs", "a: &a [x,x]\nb: &b [*a,*a]\nc: &c [*b,*b]\nname: n\ndescription: d"],
    ["a key twice", "name: a\nname: b\ndescription: d"],
    ["a tag", "name: !!js/function 'x'\ndescription: d"],
    ["a tag of its own", "name: !x a\ndescription: d"],
    ["deep nesting", `name: a\ndescription: d\nmetadata: ${"[".repeat(5000)}`],
    ["deep nesting that ends", `name: a\ndescription: d\nmetadata: ${"[".repeat(12)}x${"]".repeat(12)}`],
    ["deep nesting with blanks", `name: a\ndescription: d\nmetadata: ${"[ ".repeat(5000)}`],
    ["two documents", "name: a\ndescription: d\n---\nname: b"],
    ["no name", "description: d"],
    ["a name that is a number", "name: 12\ndescription: d"],
    ["a name in capitals", "name: PDF\ndescription: d"],
    ["a name that begins with a hyphen", "name: -pdf\ndescription: d"],
    ["a name of 65", `name: ${"a".repeat(65)}\ndescription: d`],
    ["no description", "name: a"],
    ["an empty description", "name: a\ndescription: ''"],
    ["a description of 1025", `name: a\ndescription: ${"d".repeat(1025)}`],
    ["a compatibility of 501", `name: a\ndescription: d\ncompatibility: ${"d".repeat(501)}`],
    ["a list for all", "- name"],
    ["a text for all", "name"],
    ["nothing", ""],
    ["broken quotes", 'name: "a\ndescription: d'],
  ])("with %s is refused", ([, yaml]) => {
    expect(() => read(yaml ?? "")).toThrow(SkillError);
  });

  test("of any text is read or refused, and nothing else", () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 300 }), (any) => {
        try {
          read(any);
        } catch (error) {
          expect(error).toBeInstanceOf(SkillError);
        }
      }),
    );
  });

  test("stands between the first two lines of three hyphens", () => {
    expect(splitFrontMatter("---\nname: a\n---\nbody\n---\n")).toBe("name: a");
    expect(splitFrontMatter("---\r\nname: a\r\n---\r\nbody")).toBe("name: a\r");
    for (const text of ["name: a", "--- \n", "x\n---\nname: a\n---\n", "---\nname: a\n"])
      expect(() => splitFrontMatter(text)).toThrow("front matter");
    expect(() => splitFrontMatter(`---\n${"a".repeat(17_000)}\n---\n`)).toThrow("longer than");
  });
});
