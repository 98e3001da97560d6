import { createHash } from "node:crypto";
import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { execFileSync } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { isProtected } from "../../src/sandbox/protected.ts";
import { Workspace } from "../../src/sandbox/workspace.ts";
import { WorkspaceError } from "../../src/sandbox/workspace-error.ts";

let root = "";
let home = "";
let inside = "";
let workspace: Workspace;
const MAX = 1_000_000;
const digest = (text: string): string => createHash("sha256").update(text).digest("hex");

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "wirken-workspace-"));
  home = join(root, "home");
  inside = join(home, "workspaces", "default");
  mkdirSync(inside, { recursive: true });
  writeFileSync(join(home, "vault.db"), "secret");
  writeFileSync(join(root, "outside.txt"), "outside");
  writeFileSync(join(root, "wirken"), "executable");
  workspace = new Workspace({ workspace: inside, folders: [] }, { home, executable: join(root, "wirken") });
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const put = (name: string, text: string): void => {
  mkdirSync(join(inside, name, ".."), { recursive: true });
  writeFileSync(join(inside, name), text);
};
const read = (path: string): string => Buffer.from(workspace.read(path, MAX).bytes).toString();
const replace = (path: string, base: string | null, content: string): void =>
  workspace.replace(path, base === null ? null : digest(base), Buffer.from(content), MAX);

describe("a path", () => {
  test.for([
    "../../vault.db",
    "..",
    "a/../../..",
    "/etc/passwd",
    "/workspace/../../vault.db",
    "/workspaces",
    "out",
    "out/passwd",
    "up",
    "up/vault.db",
    "chain",
    "a/deep/vault.db",
  ] as const)("%s does not lead out of the workspace", (path) => {
    put("a/x", "");
    symlinkSync("/etc", join(inside, "out"));
    symlinkSync("../..", join(inside, "up"));
    symlinkSync("out/passwd", join(inside, "chain"));
    symlinkSync("../../../../home", join(inside, "a", "deep"));
    // The detector detects: the system would follow it.
    const followed = existsSync(join(path.startsWith("/") ? "" : inside, path));
    expect(followed || path.startsWith("/workspace")).toBe(true);
    for (const touch of [
      () => workspace.locate(path),
      () => workspace.read(path, MAX),
      () => replace(path, null, "x"),
    ]) {
      expect(touch).toThrow(WorkspaceError);
    }
    expect(() => workspace.locate(path)).toThrow(expect.objectContaining({ code: "PATH_OUTSIDE" }));
  });

  test.for([
    ["a/b.txt", "a/b.txt"],
    ["./a//b.txt", "a/b.txt"],
    ["a/../a/./b.txt", "a/b.txt"],
    ["/workspace/a/b.txt", "a/b.txt"],
    ["link", "a/b.txt"],
    ["absolute", "a/b.txt"],
    ["folder/b.txt", "a/b.txt"],
    ["a/again/link", "a/b.txt"],
    [".", "."],
    ["new/x.txt", "new/x.txt"],
  ] as const)("%s is %s, links that stay inside followed", ([path, resolved]) => {
    put("a/b.txt", "text");
    symlinkSync("a/b.txt", join(inside, "link"));
    symlinkSync(join(inside, "a/b.txt"), join(inside, "absolute"));
    symlinkSync("a", join(inside, "folder"));
    symlinkSync("..", join(inside, "a/again"));
    expect(workspace.locate(path)).toMatchObject({ path: resolved });
  });

  test.for(["a\0b", "x".repeat(5000), "y".repeat(300)])("that is no path is refused: %#", (path) => {
    expect(() => workspace.read(path, MAX)).toThrow(WorkspaceError);
  });

  test("that goes round in links is refused", () => {
    symlinkSync("b", join(inside, "a"));
    symlinkSync("a", join(inside, "b"));
    expect(() => workspace.locate("a")).toThrow("too many links");
  });

  test("beside the workspace whose name begins like its own is outside", () => {
    mkdirSync(`${inside}-other`);
    expect(() => workspace.locate(`${inside}-other`)).toThrow("leads out");
  });
});

describe("a swap while a path is walked", () => {
  /** Swaps a directory and a link to outside as fast as it can. */
  test("never leads out, whichever of the two is found", async () => {
    put("real/vault.db", "inside");
    symlinkSync(home, join(inside, "evil"));
    const script = `
      const { renameSync } = require("node:fs");
      process.chdir(${JSON.stringify(inside)});
      const end = Date.now() + 1500;
      process.stdout.write("go");
      while (Date.now() < end) { renameSync("real", "target"); renameSync("target", "real"); renameSync("evil", "target"); renameSync("target", "evil"); }`;
    const { spawn } = await import("node:child_process");
    const swapper = spawn(process.execPath, ["-e", script], { stdio: ["ignore", "pipe", "inherit"] });
    await new Promise((resolve) => swapper.stdout.once("data", resolve));
    const seen = { inside: 0, refused: 0 };
    while (swapper.exitCode === null) {
      for (let tries = 0; tries < 200; tries += 1) {
        try {
          expect(read("target/vault.db")).toBe("inside");
          seen.inside += 1;
        } catch (error) {
          if (!(error instanceof WorkspaceError)) throw error;
          seen.refused += 1;
        }
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
    // The detector detects: both were found.
    expect(seen.inside).toBeGreaterThan(0);
    expect(seen.refused).toBeGreaterThan(0);
    expect(readFileSync(join(home, "vault.db"), "utf8")).toBe("secret");
  });
});

describe("reading", () => {
  test("gives the bytes and their digest", () => {
    put("a", "text");
    expect(workspace.read("a", MAX)).toEqual({ path: "a", bytes: Buffer.from("text"), digest: digest("text") });
  });

  test.for([
    ["a directory", "dir", "NOT_A_FILE"],
    ["a pipe, without waiting for a writer", "pipe", "NOT_A_FILE"],
    ["what is not there", "missing", "PATH_MISSING"],
    ["what is too large", "large", "FILE_TOO_LARGE"],
    ["a hard link to the vault", "hard", "PATH_FORBIDDEN"],
    ["a hard link to our executable", "self", "PATH_FORBIDDEN"],
  ] as const)("refuses %s", ([, path, code]) => {
    mkdirSync(join(inside, "dir"));
    execFileSync("mkfifo", [join(inside, "pipe")]);
    put("large", "x".repeat(MAX + 1));
    linkSync(join(home, "vault.db"), join(inside, "hard"));
    linkSync(join(root, "wirken"), join(inside, "self"));
    expect(() => workspace.read(path, MAX)).toThrow(expect.objectContaining({ code }));
  });
});

describe("writing", () => {
  test("creates a file and the directories it needs, for others to read and not to write", () => {
    replace("a/b/c.txt", null, "text");
    expect(readFileSync(join(inside, "a/b/c.txt"), "utf8")).toBe("text");
    expect(statSync(join(inside, "a/b/c.txt")).mode & 0o777).toBe(0o644);
    expect(readdirSync(join(inside, "a/b"))).toEqual(["c.txt"]);
  });

  test("keeps the mode of a file that it replaces, and leaves nothing beside it", () => {
    put("run.sh", "old");
    chmodSync(join(inside, "run.sh"), 0o755);
    replace("run.sh", "old", "new");
    expect(readFileSync(join(inside, "run.sh"), "utf8")).toBe("new");
    expect(statSync(join(inside, "run.sh")).mode & 0o777).toBe(0o755);
    expect(readdirSync(inside)).toEqual(["run.sh"]);
  });

  test.for([
    ["a file that changed", "changed", "what was shown", "FILE_CHANGED"],
    ["a file that exists now", "changed", null, "FILE_EXISTS"],
    ["a file that is gone", "gone", "what was shown", "FILE_CHANGED"],
    ["a link", "link", "what was shown", "FILE_CHANGED"],
    ["a directory", "dir", null, "NOT_A_FILE"],
  ] as const)("does not replace %s", ([, path, base, code]) => {
    put("changed", "by somebody");
    symlinkSync("changed", join(inside, "link"));
    mkdirSync(join(inside, "dir"));
    expect(() => replace(path, base, "x")).toThrow(expect.objectContaining({ code }));
    expect(readFileSync(join(inside, "changed"), "utf8")).toBe("by somebody");
    expect(readdirSync(inside).toSorted()).toEqual(["changed", "dir", "link"]);
  });

  test("through a path that became a link in the meantime is refused", () => {
    put("a/x", "old");
    expect(workspace.locate("a/x").path).toBe("a/x");
    renameSync(join(inside, "a"), join(inside, "b"));
    symlinkSync(home, join(inside, "a"));
    expect(() => replace("a/new", null, "x")).toThrow(WorkspaceError);
    expect(existsSync(join(home, "new"))).toBe(false);
  });
});

test("a listing is in order, goes as deep as asked, and says when there is more", () => {
  put("b/c/d.txt", "text");
  put("a.txt", "ab");
  symlinkSync("/etc", join(inside, "out"));
  expect(workspace.list(".", 2, 10)).toEqual({
    path: ".",
    more: false,
    entries: [
      { path: "a.txt", kind: "file", size: 2, target: null },
      { path: "b", kind: "directory", size: 0, target: null },
      { path: "b/c", kind: "directory", size: 0, target: null },
      { path: "out", kind: "link", size: 0, target: "/etc" },
    ],
  });
  expect(workspace.list(".", 3, 2)).toMatchObject({ more: true });
  expect(() => workspace.list("out", 1, 10)).toThrow(WorkspaceError);
});

test.for(["", "workspaces", "workspaces/.."])(
  "a directory that holds the data directory is no workspace: %j",
  (below) => {
    const place = below === "" ? root : join(home, below, "..", "..");
    expect(() => new Workspace({ workspace: place, folders: [] }, { home, executable: join(root, "wirken") })).toThrow(
      "data directory",
    );
  },
);

test.for([
  ["AGENTS.md", true],
  ["sub/agents.MD", true],
  ["SOUL.md", true],
  ["USER.md", true],
  [".envrc", true],
  ["a/.npmrc", true],
  [".git/config", true],
  ["a/.git/hooks/pre-commit", true],
  [".GIT/Hooks/x", true],
  [".git/modules/x/config", true],
  [".git/info/attributes", true],
  [".vscode/tasks.json", true],
  [".idea/x", true],
  [".zed/tasks.json", true],
  [".pre-commit-config.yaml", true],
  ["sub/.git/commondir", true],
  [".hg/hgrc", true],
  ["hgrc", false],
  [".cargo/config.toml", true],
  ["README.md", false],
  [".git/index", false],
  [".gitignore", false],
  ["config", false],
  ["hooks/x", false],
  ["src/agents.ts", false],
] as const)("%s is protected: %s", ([path, answer]) => {
  expect(isProtected(path.split("/"), "file")).toBe(answer);
});

test("a .git that is no directory points elsewhere, so it is protected; a directory is not", () => {
  expect(isProtected([".git"], "file")).toBe(true);
  expect(isProtected([".git"], "other")).toBe(true);
  expect(isProtected([".git"], "missing")).toBe(true);
  expect(isProtected([".git"], "directory")).toBe(false);
});
