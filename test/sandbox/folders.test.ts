import { execFileSync } from "node:child_process";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Folder, identityOf } from "../../src/sandbox/folder.ts";
import { LIMITS } from "../../src/sandbox/limits.ts";
import { Sandbox } from "../../src/sandbox/sandbox.ts";
import { Workspace } from "../../src/sandbox/workspace.ts";
import { LAUNCHER } from "../support/launcher.ts";

let root = "";
let home = "";
let inside = "";
let photos = "";
let notes = "";
const MAX = 1_000_000;
const never = new AbortController().signal;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "wirken-folders-"));
  // Commands run as whoever owns the workspace, and pass through here.
  chmodSync(root, 0o755);
  home = join(root, "home");
  inside = join(home, "workspaces", "p_1", "default");
  photos = join(root, "Photos 2025");
  notes = join(root, "notes");
  for (const path of [inside, photos, notes]) mkdirSync(path, { recursive: true });
  writeFileSync(join(photos, "a.jpg"), "picture");
  writeFileSync(join(notes, "a.txt"), "words");
  writeFileSync(join(root, "secret.txt"), "secret");
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const folder = (name: string, path: string, write: boolean): Folder => ({
  name,
  path,
  write,
  identity: identityOf(path) ?? "",
});
const folders = (): Folder[] => [folder("photos", photos, false), folder("notes", notes, true)];
const ours = (): { home: string; executable: string } => ({ home, executable: process.execPath });
const workspace = (): Workspace => new Workspace({ workspace: inside, folders: folders() }, ours());
const text = (path: string): string => Buffer.from(workspace().read(path, MAX).bytes).toString();

describe("a folder", () => {
  test.for(["photos/a.jpg", "./photos//a.jpg", "/workspace/photos/a.jpg", "notes/../photos/a.jpg", "link"])(
    "is reached as %s",
    (path) => {
      symlinkSync("/workspace/photos/a.jpg", join(inside, "link"));
      expect(text(path)).toBe("picture");
      expect(workspace().locate(path)).toMatchObject({ path: "photos/a.jpg", folder: { name: "photos" } });
    },
  );

  test("is reached by its own path too, as people name it", () => {
    expect(text(join(photos, "a.jpg"))).toBe("picture");
  });

  test.for(["photos/../../secret.txt", "photos/out/secret.txt", "notes/../../x"])(
    "%s does not lead out of it",
    (path) => {
      symlinkSync(root, join(photos, "out"));
      expect(() => workspace().locate(path)).toThrow("leads out of the workspace");
    },
  );

  test("is listed with the workspace, and stands before what has its name there", () => {
    mkdirSync(join(inside, "photos"));
    writeFileSync(join(inside, "photos", "hidden"), "");
    const { entries } = workspace().list(".", 2, 100);
    expect(entries.map(({ path }) => path)).toEqual(["notes", "notes/a.txt", "photos", "photos/a.jpg"]);
  });

  test("is written if it may be, and not if it may not", () => {
    workspace().replace("notes/new/b.txt", null, Buffer.from("b"), MAX);
    expect(readFileSync(join(notes, "new/b.txt"), "utf8")).toBe("b");
    expect(() => workspace().replace("photos/b.txt", null, Buffer.from("b"), MAX)).toThrow("read only");
  });

  test("that vanished or was replaced is not entered, and says so", () => {
    const before = folders();
    const later = (): Workspace => new Workspace({ workspace: inside, folders: before }, ours());
    renameSync(photos, join(root, "elsewhere"));
    expect(() => later().read("photos/a.jpg", MAX)).toThrow("is not there any more");
    mkdirSync(photos);
    writeFileSync(join(photos, "a.jpg"), "another");
    expect(() => later().read("photos/a.jpg", MAX)).toThrow("was replaced");
    rmSync(photos, { recursive: true });
    symlinkSync(join(root, "elsewhere"), photos);
    expect(() => later().read("photos/a.jpg", MAX)).toThrow("is not there any more");
    expect(later().list(".", 1, 100).entries).toContainEqual(expect.objectContaining({ path: "photos", kind: "gone" }));
    expect(text("notes/a.txt")).toBe("words");
  });
});

/** The two that hold commands: one mounts folders, the other lets them be reached. */
const SANDBOXES: readonly (readonly [string, () => Sandbox])[] = [
  ["bubblewrap", () => new Sandbox(ours())],
  ["a launcher", () => new Sandbox({ ...ours(), bubblewrap: null, launcher: LAUNCHER })],
];

describe.for(SANDBOXES)("below %s", ([kind, make]) => {
  const run = async (script: string, write: boolean, given = folders()) => {
    if (process.getuid?.() === 0) execFileSync("chown", ["-R", "65534", inside, notes, photos]);
    const sandbox = make();
    expect((await sandbox.probe()).state).toBe(kind === "bubblewrap" ? "works" : "weaker");
    const end = await sandbox.run(
      { workspace: inside, folders: given, argv: ["sh", "-c", script], write, stdin: null, limits: LIMITS },
      never,
    );
    return { status: end.status, out: Buffer.from(end.stdout).toString() + Buffer.from(end.stderr).toString() };
  };

  test("a command sees what all people share, as the daemon made it, whoever runs that", async () => {
    const shared = join(home, "workspaces", "default");
    mkdirSync(shared, { mode: 0o700 });
    writeFileSync(join(shared, "a.txt"), "for all", { mode: 0o600 });
    expect((await run("cat shared/a.txt", false, [folder("shared", shared, true)])).out).toBe("for all");
    const change = await run("echo x >shared/b.txt", true, [folder("shared", shared, true)]);
    expect(change).toEqual({ status: 0, out: "" });
  });

  test("a command sees folders under their names, and changes those alone that it may", async () => {
    expect((await run("cat photos/a.jpg notes/a.txt", false)).out).toBe("picturewords");
    expect((await run("echo x >notes/b.txt", false)).status).not.toBe(0);
    expect(await run("echo x >notes/b.txt; echo y >own", true)).toMatchObject({ status: 0 });
    expect(readFileSync(join(notes, "b.txt"), "utf8")).toBe("x\n");
    expect((await run("echo x >photos/b.jpg", true)).status).not.toBe(0);
    const unasked = folders().map((one) => ({ ...one, write: false }));
    expect((await run("echo x >notes/c.txt", true, unasked)).status).not.toBe(0);
    expect((await run(`cat ${join(root, "secret.txt")}`, true)).out).not.toContain("secret\n");
  });

  test("a command whose folder was replaced is not run", async () => {
    const before = folders();
    renameSync(photos, join(root, "other"));
    mkdirSync(photos);
    await expect(run("true", false, before)).rejects.toThrow("was replaced");
  });

  test("something in the workspace that has a folder's name keeps commands from running, and is not lost", async () => {
    writeFileSync(join(inside, "photos"), "mine");
    await expect(run("true", false)).rejects.toThrow("something else has its name");
    expect(readFileSync(join(inside, "photos"), "utf8")).toBe("mine");
  });
});

test("what a command puts under a protected name in a folder is set aside", async () => {
  if (process.getuid?.() === 0) execFileSync("chown", ["-R", "65534", inside, notes]);
  const sandbox = new Sandbox(ours());
  writeFileSync(join(notes, "AGENTS.md"), "as it was");
  const command = { workspace: inside, folders: folders(), write: true, stdin: null, limits: LIMITS };
  const end = await sandbox.run(
    { ...command, argv: ["sh", "-c", "echo evil >notes/AGENTS.md; mkdir notes/d; echo evil >notes/d/.envrc"] },
    never,
  );
  expect(readFileSync(join(notes, "AGENTS.md"), "utf8")).toBe("as it was");
  expect(end.setAside).toEqual([{ path: "notes/d/.envrc", now: expect.stringContaining("notes/d/.envrc.set-aside-") }]);
});
