import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { LIMITS } from "../../src/sandbox/limits.ts";
import { Sandbox } from "../../src/sandbox/sandbox.ts";
import { Workspace } from "../../src/sandbox/workspace.ts";

/** What a command leaves that git takes for a repository, as somebody meets it who then uses git there, outside of the sandbox. */

const root = mkdtempSync(join(tmpdir(), "wirken-repositories-"));
const ours = { home: join(root, "home"), executable: process.execPath };
mkdirSync(ours.home);
const sandbox = new Sandbox(ours);
afterAll(() => rmSync(root, { recursive: true, force: true }));
let workspace = "";
let count = 0;
beforeEach(() => {
  workspace = join(root, `workspace-${(count += 1)}`);
  mkdirSync(workspace);
});

async function run(script: string) {
  const command = { workspace, argv: ["bash", "-ec", script], write: true, stdin: null, limits: LIMITS };
  const end = await sandbox.run(command, new AbortController().signal);
  expect([Buffer.from(end.stderr).toString(), end.status]).toEqual([expect.any(String), 0]);
  return end.setAside;
}

/** As the person who looks at what was made, whoever it belongs to. */
function git(folder: string, ...words: readonly string[]): string {
  const { stdout, stderr } = spawnSync("git", ["-c", "safe.directory=*", "-C", join(workspace, folder), ...words], {
    encoding: "utf8",
    env: {
      PATH: process.env["PATH"] ?? "",
      HOME: root,
      GIT_CONFIG_NOSYSTEM: "1",
      WIRKEN_MARK: join(root, `mark-${count}`),
      GIT_CONFIG_COUNT: "1",
      GIT_CONFIG_KEY_0: "safe.directory",
      GIT_CONFIG_VALUE_0: "*",
    },
  });
  return `${stdout}${stderr}`.trim();
}
const marked = (): boolean => existsSync(join(root, `mark-${count}`));
const MARK = 'touch "$WIRKEN_MARK"; false';
const IDENTITY = "-c user.name=somebody -c user.email=somebody@example.org";
const MADE = `git init -q -b main from && cd from && git ${IDENTITY} commit -q --allow-empty -m first && cd ..`;

describe("a repository that a command clones", () => {
  test("has its remote and its branch, and is used outside as one would expect", async () => {
    expect(
      await run(`${MADE}; git clone -q from there && cd there && git checkout -q -b "work/#1" --track origin/main`),
    ).toEqual([]);
    expect(git("there", "remote", "get-url", "origin")).toBe("/workspace/from");
    expect(git("there", "rev-parse", "--abbrev-ref", "work/#1@{upstream}")).toBe("origin/main");
    expect(git("there", "status", "--short", "--branch")).toBe("## work/#1...origin/main");
    expect(readdirSync(join(workspace, "there/.git")).filter((name) => name.includes("set-aside"))).toEqual([]);
  });

  test("is gone on with by the next command, which may change its remotes and nothing that runs, and removes it", async () => {
    await run(`${MADE}; git clone -q from there`);
    await run(
      `cd there && git ${IDENTITY} commit -q --allow-empty -m second && git push -q origin HEAD:refs/heads/other && git remote rename origin upstream`,
    );
    expect(git("from", "log", "--format=%s", "other")).toBe("second\nfirst");
    expect(git("there", "remote")).toBe("upstream");
    const [moved] = await run(`cd there && git config core.fsmonitor '${MARK}'`);
    expect(moved).toMatchObject({ path: "there/.git/config", left: ["core.fsmonitor"] });
    git("there", "status");
    expect(marked()).toBe(false);
    await run("rm -rf there from");
    expect(readdirSync(workspace).filter((name) => name !== ".home")).toEqual([]);
  });

  test("has no settings that a second name could change", async () => {
    await run(`${MADE}; git clone -q from there; ln there/.git/config other`);
    await run(`printf '[core]\\n\\tfsmonitor = "touch x"\\n' >>other`);
    expect(git("there", "config", "--local", "core.fsmonitor")).toBe("");
  });

  test("is a person's own once they have added something to its settings, and then read-only like any of theirs", async () => {
    await run(`${MADE}; git clone -q from there`);
    git("there", "config", "core.sshCommand", "ssh -v");
    expect(await run("! git -C there remote rename origin upstream 2>/dev/null")).toEqual([]);
    expect(git("there", "config", "--local", "core.sshCommand")).toBe("ssh -v");
    expect(git("there", "remote")).toBe("origin");
  });

  test("is bare if it is to be, and keeps its remote", async () => {
    expect(await run(`${MADE}; git clone -q --bare from there.git`)).toEqual([]);
    expect(git("there.git", "config", "--local", "remote.origin.url")).toBe("/workspace/from");
    expect(git("there.git", "log", "--format=%s")).toBe("first");
  });

  test("is left without what could run something, and it is said what that was", async () => {
    const [moved, ...others] = await run(
      `${MADE}; git clone -q from there && cd there && git config core.fsmonitor '${MARK}' && git config alias.st '!${MARK}'`,
    );
    expect(others).toEqual([]);
    expect(moved).toMatchObject({
      path: "there/.git/config",
      left: ["core.fsmonitor", "[alias]"],
    });
    expect(readFileSync(join(workspace, moved?.now ?? ""), "utf8")).toContain("fsmonitor");
    expect(git("there", "status", "--short", "--branch")).toBe("## main...origin/main");
    expect(git("there", "remote")).toBe("origin");
    expect(marked()).toBe(false);
  });
});

const GIT_FOLDER = (name: string): string =>
  `mkdir -p ${name}/objects ${name}/refs && echo ref: refs/heads/main >${name}/HEAD`;

describe("a folder that git would take for a repository runs nothing outside:", () => {
  const EVIL = `printf '[core]\\n\\trepositoryformatversion = 0\\n\\tbare = false\\n\\tworktree = /\\n\\tfsmonitor = "%s"\\n' 'touch \\"$WIRKEN_MARK\\"; false'`;
  const TRICKS: readonly (readonly [what: string, script: string, folder: string, before?: string])[] = [
    ["settings of its own", `git init -q x && ${EVIL} >x/.git/config`, "x"],
    [
      "settings that lie in another folder",
      `${GIT_FOLDER("x/.git")} && mkdir -p evil/objects evil/refs && ${EVIL} >evil/config && echo ../../evil >x/.git/commondir`,
      "x",
    ],
    [
      "the same, for a repository that was there",
      `mkdir -p evil/objects evil/refs && ${EVIL} >evil/config && cp .git/HEAD evil/ && echo ../evil >.git/commondir`,
      ".",
      "git init -q",
    ],
    ["a bare one by any name", `${GIT_FOLDER("x")} && ${EVIL} | sed 's/bare = false/bare = false/' >x/config`, "x"],
    [
      "a bare one that is complete elsewhere",
      `mkdir -p x evil/objects evil/refs && echo ref: refs/heads/main >x/HEAD && ${EVIL} >evil/config && echo ../evil >x/commondir`,
      "x",
    ],
    [
      "a hook beside what git puts there itself",
      `git init -q x && printf '#!/bin/sh\\n%s\\n' '${MARK}' >x/.git/hooks/post-index-change && chmod +x x/.git/hooks/post-index-change`,
      "x",
    ],
  ];
  test.for(TRICKS)("%s", async ([, script, folder, before = ""]) => {
    const person = { cwd: workspace, env: { PATH: process.env["PATH"] ?? "", HOME: root } };
    // What somebody meets who uses git where nobody looked after what a command left.
    if (before !== "") execFileSync("sh", ["-c", before], person);
    execFileSync("bash", ["-ec", script], { ...person, env: { ...person.env, WIRKEN_MARK: "" } });
    const use = (): void => {
      git(folder, "status");
      writeFileSync(join(workspace, folder, "file"), "1");
      git(folder, "add", "file");
      git(folder, "--work-tree=.", "status");
    };
    use();
    expect(marked()).toBe(true);
    rmSync(join(root, `mark-${count}`));
    rmSync(workspace, { recursive: true });
    mkdirSync(workspace);
    if (before !== "") execFileSync("sh", ["-c", before], person);
    expect((await run(script)).length).toBeGreaterThan(0);
    use();
    expect(marked()).toBe(false);
  });

  test("nor is one made in two steps", async () => {
    await run(`mkdir -p x/objects x/refs && ${EVIL} >x/config`);
    await run("echo ref: refs/heads/main >x/HEAD");
    git("x", "status");
    expect(marked()).toBe(false);
  });

  test("and a file tool that would make one, or write its settings, asks every time", () => {
    const place = new Workspace({ workspace, folders: [] }, ours);
    for (const path of ["x/HEAD", "y/.git/commondir"])
      expect([path, place.locate(path).protected]).toEqual([path, true]);
    expect(place.locate("x/config").protected).toBe(false);
    mkdirSync(join(workspace, "x"));
    writeFileSync(join(workspace, "x/HEAD"), "ref: refs/heads/main\n");
    for (const path of ["x/config", "x/commondir", "x/hooks/pre-commit"])
      expect([path, place.locate(path).protected]).toEqual([path, true]);
    for (const path of ["x/src/config", "x/notes"]) expect([path, place.locate(path).protected]).toEqual([path, false]);
  });
});
