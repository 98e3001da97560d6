import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { expect, test } from "vitest";
import { NODE_FLAGS } from "../../src/confine/flags.ts";
import { FOREIGN_SIGNATURE } from "../../skills/foreign.ts";
import { packFiles, unpackFiles } from "../../skills/packed.ts";
import { FromUnpack, type ToUnpack } from "../../src/ipc/unpack-frames.ts";
import { spawnChild } from "../../src/supervisor/child.ts";
import { fileOf, greetFiles } from "../skills/world.ts";
import { tarGzOf, zipOf } from "../support/archives.ts";
import { signedModel } from "../support/model-signer.ts";
import { EXTENSIONS, TestCertificates } from "../support/test-certificates.ts";

const MAIN = resolve(import.meta.dirname, "../../src/unpack/main.ts");

/** A real process behind its walls. @returns all that it said, once it is gone. */
async function asked(order: ToUnpack, payload: Uint8Array): Promise<readonly (readonly [FromUnpack, Uint8Array])[]> {
  const said: (readonly [FromUnpack, Uint8Array])[] = [];
  const child = spawnChild<FromUnpack, ToUnpack>({
    role: "unpack",
    args: [],
    accepts: FromUnpack,
    image: { command: process.execPath, args: [...NODE_FLAGS, MAIN] },
    stop: { type: "stop" },
    log: () => undefined,
    on: { frame: (frame, bytes) => said.push([frame, bytes]) },
  });
  void child.send(order, payload).catch(() => undefined);
  expect((await child.exited).status).toBe(0);
  return said.filter(([{ type }]) => type !== "ready");
}

test("an unpack process reads archives, front matter, roots and foreign signatures behind all of its walls, and ends", async () => {
  const bytes = Buffer.alloc(3_000_000, "x");
  const [zip] = await asked({ type: "unpack", archive: "zip" }, zipOf([{ name: "SKILL.md", bytes }]));
  expect(zip?.[0]).toEqual({ type: "unpacked" });
  expect(Buffer.from(unpackFiles(zip?.[1] ?? new Uint8Array()).get("SKILL.md")?.bytes ?? []).equals(bytes)).toBe(true);
  const [tar] = await asked({ type: "unpack", archive: "tar.gz" }, tarGzOf([{ name: "SKILL.md", bytes }]));
  expect(unpackFiles(tar?.[1] ?? new Uint8Array()).size).toBe(1);
  const [read] = await asked({ type: "front-matter" }, Buffer.from("name: greet\ndescription: Greets.\n"));
  expect(JSON.parse(Buffer.from(read?.[1] ?? []).toString())).toMatchObject({ name: "greet", description: "Greets." });
  const folder = mkdtempSync(join(tmpdir(), "wirken-unpack-"));
  try {
    const certificates = new TestCertificates(folder);
    const root = certificates.issue("root", { extensions: EXTENSIONS.root });
    const leaf = certificates.issue("leaf", { extensions: ["keyUsage = critical,digitalSignature"], under: root });
    const [asRoot] = await asked({ type: "root" }, Buffer.from(root.pem));
    expect(JSON.parse(Buffer.from(asRoot?.[1] ?? []).toString())).toMatchObject({ identities: ["root", "CN=root"] });
    const signature = signedModel(greetFiles(), certificates, [leaf]).get(FOREIGN_SIGNATURE) ?? fileOf("");
    const given = packFiles(
      new Map([
        ["signature", signature],
        ["0", { bytes: root.der, executable: false }],
      ]),
    );
    const [verdict] = await asked({ type: "model-signature" }, given);
    expect(JSON.parse(Buffer.from(verdict?.[1] ?? []).toString())).toMatchObject({
      identities: ["leaf", "CN=leaf"],
      roots: [expect.stringMatching(/^[0-9a-f]{64}$/)],
      resources: [{ path: "SKILL.md" }, { path: "references/words.md" }, { path: "scripts/greet.sh" }],
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  const [bad] = await asked({ type: "front-matter" }, Buffer.from("name: [\n"));
  expect(bad?.[0]).toEqual({ type: "failed", problem: "malformed" });
});
