import { appendFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, afterEach, beforeEach, describe, expect, test } from "vitest";
import { FOREIGN_SIGNATURE } from "../../skills/foreign.ts";
import { type Manifest, SIGNATURE_FILE } from "../../skills/manifest.ts";
import type { SkillProblem } from "../../skills/skill-error.ts";
import { NO_PERMISSIONS } from "../../skills/permissions.ts";
import { readFrontMatter, splitFrontMatter } from "../../skills/front-matter.ts";
import { type SkillFile, type SkillFiles, textOf, verifySkill } from "../../skills/verify.ts";
import type { AnswerTo, OperatorCall } from "../../src/ipc/operator.ts";
import { signIndex } from "../../skills/skill-index.ts";
import { Config } from "../../src/config/schema.ts";
import { SkillDesk } from "../../src/supervisor/skill-desk.ts";
import { SkillIndexes } from "../../src/supervisor/skill-indexes.ts";
import { SkillKeys } from "../../src/supervisor/skill-keys.ts";
import { SkillRoots } from "../../src/supervisor/skill-roots.ts";
import { SkillStore } from "../../src/supervisor/skill-store.ts";
import { Skills } from "../../src/supervisor/skills.ts";
import type { Unpacks } from "../../src/supervisor/unpacks.ts";
import { identitiesOf, readCertificate, readRoot } from "../../src/unpack/certificates.ts";
import { readModelSignature } from "../../src/unpack/model-signing.ts";
import { unpackTarGz } from "../../src/unpack/tar.ts";
import { Unpacked } from "../../src/unpack/unpacked.ts";
import { readYaml } from "../../src/unpack/yaml.ts";
import { unpackZip } from "../../src/unpack/zip.ts";
import { World } from "../broker/world.ts";
import { aKey, greetFiles, signed } from "../skills/world.ts";
import { zipOf } from "../support/archives.ts";
import { signedModel } from "../support/model-signer.ts";
import { EXTENSIONS, TestCertificates } from "../support/test-certificates.ts";

let world: World;
let skills: Skills;
let desk: SkillDesk;
let changes = 0;
/** What config.json says of a list. */
let index: { url: string; key: string } | null = null;
const key = aKey("acme");
const shippedKey = aKey("shipped", { own: true });
const bundled = new Map<string, SkillFiles>();
const webFiles = new Map<string, Uint8Array>();

beforeEach(async () => {
  world = await World.make();
  bundled.clear();
  webFiles.clear();
  index = null;
  begin();
});
afterEach(() => world[Symbol.asyncDispose]());

/** As a start does. */
function begin(): void {
  const now = (): number => world.clock.now();
  const placed = (what: Parameters<typeof world.state.placed>[0]): number[] => world.state.placed(what);
  const keys = new SkillKeys({ log: world.log, placed, shipped: [shippedKey.trust], now });
  // As an unpack process does it, without the process: that is tried in test/unpack.
  const foreign: Pick<Unpacks, "root" | "modelSignature"> = {
    root: async (pem) => {
      const root = readRoot(textOf(pem, "certificate"));
      const { x509, from, until } = root;
      return await Promise.resolve({ certificate: x509.raw, identities: identitiesOf(root), from, until });
    },
    modelSignature: async (bytes, roots) =>
      await Promise.resolve(
        readModelSignature(
          bytes,
          roots.map((root) => readCertificate(root)),
        ),
      ),
  };
  const roots = new SkillRoots({ log: world.log, placed, unpacks: foreign, now });
  changes = 0;
  const changed = async (): Promise<void> => {
    changes += 1;
    await Promise.resolve();
  };
  skills = new Skills({
    log: world.log,
    placed,
    keys,
    roots,
    store: new SkillStore(join(world.home, "skills")),
    shipped: { trust: [shippedKey.trust], note: null },
    bundled: { names: [...bundled.keys()], files: (name) => bundled.get(name) ?? null },
    now,
    changed,
  });
  desk = new SkillDesk({
    skills,
    keys,
    roots,
    unpacks: {
      ...foreign,
      archive: async (kind, bytes) => {
        const files = new Unpacked();
        if (kind === "zip") await unpackZip(bytes, files);
        else unpackTarGz(bytes, files);
        return files.finish();
      },
      frontMatter: async (text) => await Promise.resolve(readFrontMatter(readYaml(splitFrontMatter(text)))),
    },
    bundled: (name) => bundled.get(name) ?? null,
    indexes: new SkillIndexes({
      log: world.log,
      placed,
      config: () => Config.parse(index === null ? {} : { skills: { index } }),
      download: async (url) => await Promise.resolve(webFiles.get(url) ?? new Uint8Array()),
      now,
    }),
    download: async (url) => await Promise.resolve(webFiles.get(url) ?? new Uint8Array()),
    toolchains: () => [],
    changed,
  });
}

const who = () => ({ by: world.principal, via: "terminal" });
async function ask<C extends Extract<OperatorCall, { call: `skill.${string}` }>>(
  call: C,
  payload: Uint8Array = new Uint8Array(),
): Promise<AnswerTo<C["call"]>> {
  // Each call's answer has its own type, which the union loses.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return (await desk.answer(call, payload, who())) as AnswerTo<C["call"]>;
}

function written(files: SkillFiles, name = "source"): string {
  const folder = join(world.home, name);
  for (const [path, { bytes, executable }] of files) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), bytes, { mode: executable ? 0o755 : 0o644 });
  }
  return folder;
}

async function trust(names = "*", until: string | null = null) {
  return await ask({ call: "skill.trust", vkey: key.trust.vkey, names, until, own: false });
}
async function look(path: string) {
  return await ask({ call: "skill.look", source: { from: "folder", path } });
}
async function install(files: SkillFiles = signed(greetFiles(), key), name = "source") {
  const { digest } = await look(written(files, name));
  return await ask({ call: "skill.install", digest });
}
const refusals = (): string[] =>
  world.rows("skill.refused").map(({ action }) => (action.kind === "skill.refused" ? action.reason : ""));

const wants = (more: Partial<Manifest["permissions"]>) => ({ permissions: { ...NO_PERMISSIONS, ...more } });

describe("a skill", () => {
  test("is in use when its key is trusted, its signature is good and its wants were accepted; and after a restart", async () => {
    await trust();
    const files = signed(greetFiles(), key, {
      permissions: { ...NO_PERMISSIONS, hosts: ["api.example.com"], tools: ["http_request"] },
    });
    const looked = await look(written(files));
    expect(looked).toMatchObject({ name: "greet", version: "1.0.0", signer: "acme", installed: null, more: [] });
    expect(looked.wants).toEqual(["use the tools http_request", "reach api.example.com over the network"]);
    // Nothing of it is in use before it is accepted.
    expect(await ask({ call: "skill.list" })).toMatchObject({ skills: [] });
    expect(await ask({ call: "skill.install", digest: looked.digest })).toMatchObject({
      state: "active",
      from: "installed",
    });
    expect(changes).toBe(2);
    expect(world.rows("skill.installed")).toHaveLength(1);
    rmSync(join(world.home, "source"), { recursive: true });
    await world.restart();
    begin();
    const [found] = await skills.active(undefined);
    expect(found?.manifest.name).toBe("greet");
    expect(found?.digest).toBe(looked.digest);
    expect(await skills.active(["other"])).toEqual([]);
  });

  test("whose key nobody trusts is refused, which is recorded once", async () => {
    const folder = written(signed(greetFiles(), key));
    for (let times = 0; times < 3; times++) await expect(look(folder)).rejects.toThrow("whom nobody here trusts");
    expect(refusals()).toEqual(["untrusted"]);
    await expect(ask({ call: "skill.install", digest: "0".repeat(64) })).rejects.toThrow("just looked at");
  });

  test("comes out of an archive, and from an address, with what it is in a folder of its own", async () => {
    await trust();
    const files = signed(greetFiles(), key);
    const zip = zipOf(
      [...files].map(([path, { bytes, executable }]) => ({
        name: `greet-1.0.0/${path}`,
        bytes,
        mode: executable ? 0o100755 : 0o100644,
      })),
    );
    const path = join(world.home, "greet.zip");
    writeFileSync(path, zip);
    const looked = await ask({ call: "skill.look", source: { from: "archive", path, kind: "zip" } });
    webFiles.set("https://skills.example/greet.zip", zip);
    const url = "https://skills.example/greet.zip";
    expect(await ask({ call: "skill.look", source: { from: "url", url } })).toEqual(looked);
    await ask({ call: "skill.install", digest: looked.digest });
    expect(await ask({ call: "skill.show", name: "greet" })).toMatchObject({ source: url, state: "active" });
    await expect(
      ask({ call: "skill.look", source: { from: "url", url: "https://skills.example/greet" } }),
    ).rejects.toThrow(".zip");
    webFiles.set("https://skills.example/cut.zip", zip.subarray(0, 100));
    await expect(
      ask({ call: "skill.look", source: { from: "url", url: "https://skills.example/cut.zip" } }),
    ).rejects.toThrow("archive is refused");
  });

  test.for<[string, string, (folder: string) => void]>([
    ["a byte more", "altered", (folder) => appendFileSync(join(folder, "SKILL.md"), "x")],
    ["another script", "altered", (folder) => writeFileSync(join(folder, "scripts/greet.sh"), "#!/bin/sh\nrm -rf /\n")],
    ["a file more", "extra", (folder) => writeFileSync(join(folder, "scripts/more.sh"), "")],
    ["a file less", "missing", (folder) => rmSync(join(folder, "references/words.md"))],
    ["no signature", "unsigned", (folder) => rmSync(join(folder, "skill.sig"))],
    ["nothing at all", "unreadable", (folder) => rmSync(folder, { recursive: true })],
  ])("that has %s after it was installed is used no more", async ([, problem, change]) => {
    await trust();
    await install();
    const [folder = ""] = readdirSync(join(world.home, "skills"));
    expect(await skills.active(undefined)).toHaveLength(1);
    change(join(world.home, "skills", folder));
    expect(await skills.active(undefined)).toEqual([]);
    expect(refusals()).toEqual([problem]);
    const { skills: found } = await ask({ call: "skill.verify", name: null });
    expect(found[0]).toMatchObject({ name: "greet", state: "refused" });
  });

  test("that was put in the place of the accepted one, with a signature as good, is not used", async () => {
    await trust();
    await install();
    const [folder = ""] = readdirSync(join(world.home, "skills"));
    const other = signed(greetFiles(), key, {
      version: "2.0.0",
      permissions: { ...NO_PERMISSIONS, hosts: ["evil.example.com"] },
    });
    writeFileSync(join(world.home, "skills", folder, "skill.sig"), other.get("skill.sig")?.bytes ?? "");
    expect(await skills.active(undefined)).toEqual([]);
    expect(refusals()).toEqual(["not-accepted"]);
  });

  test("of a key that is trusted no more is used no more, at once and after a restart; trusted again, it is", async () => {
    await trust();
    await install();
    await ask({ call: "skill.untrust", key: "acme" });
    expect(await skills.active(undefined)).toEqual([]);
    expect(refusals()).toEqual(["revoked"]);
    await world.restart();
    begin();
    expect(await skills.active(undefined)).toEqual([]);
    await trust();
    expect(await skills.active(undefined)).toHaveLength(1);
    await world.restart();
    begin();
    expect(await skills.active(undefined)).toHaveLength(1);
  });

  test("of a key whose time is over, or that is trusted for other names, is refused", async () => {
    await trust("other-*");
    await expect(install()).rejects.toThrow("not trusted for a skill of the name greet");
    await trust("greet", new Date(world.clock.now() + 60_000).toISOString());
    await install();
    world.clock.advance(120_000);
    expect(await skills.active(undefined)).toEqual([]);
    expect(refusals()).toEqual(["wrong-name", "expired"]);
    await expect(trust("greet", new Date(world.clock.now()).toISOString())).rejects.toThrow("no time at all");
  });

  test("says with an update what it wants more, and the one of before is gone with it", async () => {
    await trust();
    await install(signed(greetFiles(), key, wants({ read: ["notes"], tools: ["read_file"] })));
    const next = signed(greetFiles(), key, {
      version: "1.1.0",
      ...wants({ read: ["."], tools: ["read_file"], hosts: ["api.example.com"] }),
    });
    const looked = await look(written(next, "next"));
    expect(looked.installed).toBe("1.0.0");
    expect(looked.more).toEqual(["reach api.example.com over the network", "read the whole workspace"]);
    expect((await skills.active(undefined))[0]?.manifest.version).toBe("1.0.0");
    await ask({ call: "skill.install", digest: looked.digest });
    expect((await skills.active(undefined))[0]?.manifest.version).toBe("1.1.0");
    expect(readdirSync(join(world.home, "skills"))).toHaveLength(1);
    const same = await look(
      written(signed(greetFiles(), key, { version: "1.2.0", ...wants({ read: ["notes"] }) }), "less"),
    );
    expect(same.more).toEqual([]);
  });

  test("is removed with its files, and is then no more", async () => {
    await trust();
    await install();
    expect(await ask({ call: "skill.remove", name: "greet" })).toEqual({ name: "greet" });
    expect(await skills.list()).toEqual([]);
    expect(readdirSync(join(world.home, "skills"))).toEqual([]);
    await expect(ask({ call: "skill.remove", name: "greet" })).rejects.toThrow("no skill greet");
    await world.restart();
    begin();
    expect(await skills.list()).toEqual([]);
  });

  test("that was half written by a crash is not seen, and goes with the next installation", async () => {
    await trust();
    const stray = join(world.home, "skills", "greet@0123456789abcdef");
    mkdirSync(stray, { recursive: true });
    writeFileSync(join(stray, "SKILL.md"), "half");
    expect(await skills.list()).toEqual([]);
    await install();
    expect(readdirSync(join(world.home, "skills"))).toHaveLength(1);
  });
});

describe("a skill with a signature of a certificate", () => {
  const folder = mkdtempSync(join(tmpdir(), "wirken-roots-"));
  const certificates = new TestCertificates(folder);
  const root = certificates.issue("root", { extensions: EXTENSIONS.root, subject: "Acme Root" });
  const leaf = certificates.issue("leaf", {
    extensions: ["keyUsage = critical,digitalSignature", "subjectAltName = email:signer@acme.example"],
    under: root,
    subject: "Acme Skills",
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const text =
    "---\nname: greet\ndescription: Greets somebody.\nmetadata:\n  version: 1.2\n  wirken:\n    tools: [read_file]\n    read: [notes]\n---\nSay hello.\n";
  const files = (): Map<string, SkillFile> =>
    signedModel(
      new Map([...greetFiles(), ["SKILL.md", { bytes: Buffer.from(text), executable: false }]]),
      certificates,
      [leaf],
    );
  const trustRoot = async (more: Partial<Extract<OperatorCall, { call: "skill.trust-root" }>> = {}) =>
    await ask(
      { call: "skill.trust-root", names: "*", identity: null, until: null, own: false, ...more },
      Buffer.from(root.pem),
    );

  test("is used under a root that was trusted, by whoever that names, and after a restart; in the record its name is content", async () => {
    const path = written(files());
    await expect(look(path)).rejects.toThrow("signed by Acme Skills, under a root that nobody here trusts");
    expect(await trustRoot({ identity: "*@acme.example" })).toMatchObject({ of: "root", name: "Acme Root" });
    const looked = await look(path);
    expect(looked).toMatchObject({ name: "greet", version: "1.2.0", signer: "Acme Skills", own: false, files: 3 });
    expect(looked.wants).toEqual(["use the tools read_file", "read of the workspace notes"]);
    await ask({ call: "skill.install", digest: looked.digest });
    await world.restart();
    begin();
    expect(await skills.active(undefined)).toHaveLength(1);
    expect(await ask({ call: "skill.list" })).toMatchObject({
      skills: [{ state: "active", signer: "Acme Skills" }],
      keys: [{ state: "shipped" }, { of: "root", name: "Acme Root", identity: "*@acme.example", state: "trusted" }],
    });
    expect(await ask({ call: "skill.verify", name: null })).toMatchObject({ skills: [{ state: "active" }] });
    expect(JSON.stringify(world.rows("skill.trusted").map(({ action }) => action))).not.toMatch(/acme/i);
    expect(await ask({ call: "skill.untrust", key: "Acme Root" })).toMatchObject({ of: "root", state: "revoked" });
    expect(await skills.active(undefined)).toEqual([]);
    await world.restart();
    begin();
    expect(await skills.active(undefined)).toEqual([]);
    expect(refusals()).toEqual(["untrusted", "revoked", "revoked"]);
    await trustRoot();
    expect(await skills.active(undefined)).toHaveLength(1);
  });

  test.for<[SkillProblem, (files: Map<string, SkillFile>) => void]>([
    ["extra", (all) => void all.set("more.md", { bytes: Buffer.from("x"), executable: false })],
    ["missing", (all) => void all.delete("references/words.md")],
    ["altered", (all) => void all.set("references/words.md", { bytes: Buffer.from("x"), executable: false })],
    ["altered", (all) => void all.set("SKILL.md", { bytes: Buffer.from(`${text}x`), executable: false })],
    ["malformed", (all) => void all.set(FOREIGN_SIGNATURE, { bytes: Buffer.from("{}"), executable: false })],
    ["unsigned", (all) => void all.delete(FOREIGN_SIGNATURE)],
    ["malformed", (all) => void all.set(SIGNATURE_FILE, { bytes: Buffer.from("{}"), executable: false })],
  ])("is refused as %s, before it is accepted and at each use", async ([problem, change]) => {
    await trustRoot();
    const changed = files();
    change(changed);
    await expect(look(written(changed))).rejects.toThrow("the skill is refused");
    expect(refusals()).toEqual([problem]);
    await install(files(), "good");
    const place = join(world.home, "skills", readdirSync(join(world.home, "skills"))[0] ?? "");
    rmSync(place, { recursive: true });
    written(changed, place.slice(world.home.length));
    expect(await skills.active(undefined)).toEqual([]);
  });

  test("is installed without what a repository has besides, which the format never lists", async () => {
    await trustRoot();
    const more = new Map([...files(), [".gitignore", { bytes: Buffer.from("x"), executable: false }]]);
    await install(more);
    const [found] = await skills.active(undefined);
    expect([...(found?.files.keys() ?? [])].toSorted()).toEqual([
      "SKILL.md",
      "references/words.md",
      "scripts/greet.sh",
    ]);
    const place = join(world.home, "skills", readdirSync(join(world.home, "skills"))[0] ?? "");
    writeFileSync(join(place, ".gitignore"), "x");
    expect(await skills.active(undefined)).toEqual([]);
    expect(refusals()).toEqual(["extra"]);
  });

  test("is refused under a root that is trusted for others, until another day, or whose certificates are over", async () => {
    const path = written(files());
    await trustRoot({ names: "other" });
    await expect(look(path)).rejects.toThrow("not trusted for a skill of the name greet");
    await trustRoot({ names: "greet", identity: "*@other.example" });
    await expect(look(path)).rejects.toThrow("not trusted for a skill of the name greet");
    await trustRoot({ identity: "Acme Sk*", until: new Date(world.clock.now() + 86_400_000).toISOString() });
    await ask({ call: "skill.install", digest: (await look(path)).digest });
    world.clock.advance(2 * 86_400_000);
    expect(await skills.active(undefined)).toEqual([]);
    await trustRoot();
    expect(await skills.active(undefined)).toHaveLength(1);
    world.clock.advance(60 * 86_400_000);
    expect(await skills.active(undefined)).toEqual([]);
    await expect(trustRoot()).rejects.toThrow("was good until");
    // The same is recorded once a minute.
    expect(refusals()).toEqual(["wrong-name", "expired", "expired"]);
  });
});

const shipped = (more: Partial<Manifest> = {}): Map<string, SkillFile> => signed(greetFiles(), shippedKey, more);

describe("a skill that is shipped", () => {
  test("is in use, unless it reaches somebody: then it is accepted first", async () => {
    bundled.set("greet", shipped());
    begin();
    expect(await skills.active(undefined)).toHaveLength(1);
    bundled.set("greet", shipped({ permissions: { ...NO_PERMISSIONS, hosts: ["api.example.com"] } }));
    begin();
    expect(await skills.active(undefined)).toEqual([]);
    expect(await ask({ call: "skill.list" })).toMatchObject({
      skills: [{ state: "off" }],
      keys: [{ state: "shipped" }],
    });
    const { digest } = await ask({ call: "skill.look", source: { from: "name", name: "greet" } });
    expect(await ask({ call: "skill.install", digest })).toMatchObject({ state: "active", from: "bundled" });
    // Another version of it wants to be accepted again.
    bundled.set(
      "greet",
      shipped({ version: "2.0.0", permissions: { ...NO_PERMISSIONS, hosts: ["api.example.com", "b.example.com"] } }),
    );
    begin();
    expect(await skills.active(undefined)).toEqual([]);
    await expect(ask({ call: "skill.remove", name: "greet" })).resolves.toEqual({ name: "greet" });
    await expect(ask({ call: "skill.remove", name: "greet" })).rejects.toThrow("came with this build");
  });

  test("counts by the shipped key alone: one that somebody else is trusted for does not stand in its place", async () => {
    await trust();
    bundled.set("greet", signed(greetFiles(), key));
    begin();
    expect(await skills.active(undefined)).toEqual([]);
    expect(refusals()).toEqual(["untrusted"]);
  });
});

const named = async () => await ask({ call: "skill.look", source: { from: "name", name: "greet" } });

describe("a list of skills", () => {
  const keeper = aKey("keeper");
  const url = "https://skills.example/index";
  const archive = "https://skills.example/greet.zip";
  const DAY = 86_400_000;

  /** Puts an archive and a list at their addresses. @returns the digest that the list names. */
  async function listed(given: {
    number: number;
    until?: number;
    version?: string;
    wrong?: Partial<{ digest: string; version: string; key: string }>;
    by?: typeof key;
  }) {
    const { number, until = world.clock.now() + DAY, version = "1.0.0", wrong = {}, by = keeper } = given;
    const files = signed(greetFiles(), key, { version });
    webFiles.set(
      archive,
      zipOf(
        [...files].map(([path, { bytes, executable }]) => ({
          name: path,
          bytes,
          mode: executable ? 0o100755 : 0o100644,
        })),
      ),
    );
    const { digest } = verifySkill(files, [key.trust], 0);
    const entry = {
      name: "greet",
      version,
      description: "Greets.",
      digest,
      key: key.trust.vkey,
      url: archive,
      ...wrong,
    };
    webFiles.set(url, Buffer.from(signIndex({ number, until, skills: [entry] }, by.name, by.secret)));
    return digest;
  }

  beforeEach(async () => {
    index = { url, key: keeper.trust.vkey };
    begin();
    await trust();
  });

  test("fixes name, version, files and key of what is installed by its name", async () => {
    const digest = await listed({ number: 1 });
    expect(await ask({ call: "skill.index" })).toEqual({
      skills: [{ name: "greet", version: "1.0.0", description: "Greets." }],
    });
    expect(await named()).toMatchObject({ name: "greet", digest });
    await ask({ call: "skill.install", digest });
    expect(await ask({ call: "skill.show", name: "greet" })).toMatchObject({ source: "index:greet" });
    for (const wrong of [{ digest: "0".repeat(64) }, { version: "1.0.1" }, { key: aKey("acme").trust.vkey }]) {
      await listed({ number: 2, wrong });
      await expect(named()).rejects.toThrow("not the skill that the list names");
    }
    expect(refusals()).toEqual(["altered", "altered", "altered"]);
  });

  test("that is older than one that was seen, also before a restart, is refused; so is one whose time is over, and a skill older than the one in use", async () => {
    const digest = await listed({ number: 7, version: "2.0.0" });
    await named();
    await ask({ call: "skill.install", digest });
    await world.restart();
    begin();
    await listed({ number: 6, version: "2.0.0" });
    await expect(named()).rejects.toThrow("number 7 was seen already");
    await listed({ number: 8, version: "1.9.9" });
    await expect(named()).rejects.toThrow("2.0.0 is in use");
    await listed({ number: 9, until: world.clock.now() });
    await expect(named()).rejects.toThrow("good until");
    expect(refusals()).toEqual(["rollback", "rollback", "expired"]);
    expect(world.rows("skill.index.read")).toHaveLength(2);
  });

  test("of another key, changed by a byte, or of no form is refused", async () => {
    await listed({ number: 1, by: aKey("keeper") });
    await expect(named()).rejects.toThrow("not signed by keeper");
    await listed({ number: 1 });
    const good = Buffer.from(webFiles.get(url) ?? []);
    for (let at = 0; at < good.length; at += 3) {
      const changed = Buffer.from(good);
      changed[at] = (changed[at] ?? 0) ^ 1;
      webFiles.set(url, changed);
      await expect(named(), `byte ${at}`).rejects.toThrow(/refused|signed/);
    }
    webFiles.set(url, Buffer.from("hello"));
    await expect(named()).rejects.toThrow("does not have the lines of one");
    index = null;
    await expect(named()).rejects.toThrow("there is no skill greet here");
  });
});
