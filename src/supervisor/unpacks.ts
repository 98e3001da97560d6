import * as z from "zod/mini";
import { type FrontMatter, splitFrontMatter } from "../../skills/front-matter.ts";
import { FOREIGN_SIGNATURE, type ForeignVerdict, MAX_FOREIGN_SIGNATURE } from "../../skills/foreign.ts";
import { MAX_FILES } from "../../skills/manifest.ts";
import { MAX_PACKED, packFiles, unpackFiles } from "../../skills/packed.ts";
import { isSkillProblem, SkillError } from "../../skills/skill-error.ts";
import type { SkillFile } from "../../skills/verify.ts";
import { type ArchiveKind, FromUnpack, type ToUnpack } from "../ipc/unpack-frames.ts";
import type { Processes } from "./processes.ts";

/** The largest archive or front matter takes well under a second; a parser that hangs is ended. */
const PATIENCE_MS = 20_000;
/** Roots that are trusted at once. */
export const MAX_ROOTS = 64;
/** Bytes of a PEM file with one of them. */
const MAX_ROOT_FILE = 64 * 1024;

/** What an unpack process says of front matter: checked again, for it parses what strangers wrote. */
const Words = z.array(z.string().check(z.maxLength(256))).check(z.maxLength(64));
const Read = z.strictObject({
  name: z.string().check(z.maxLength(64)),
  description: z.string().check(z.maxLength(1024)),
  license: z.nullable(z.string().check(z.maxLength(500))),
  compatibility: z.nullable(z.string().check(z.maxLength(500))),
  version: z.nullable(z.string().check(z.maxLength(32))),
  permissions: z.strictObject({
    commands: Words,
    credentials: Words,
    hosts: Words,
    read: Words,
    tools: Words,
    write: Words,
  }),
  requires: z.strictObject({ anyBins: Words, bins: Words, env: Words, os: Words }),
  notes: z.array(z.string().check(z.maxLength(4096))).check(z.maxLength(16)),
});
const Identities = z.array(z.string().check(z.maxLength(4096))).check(z.maxLength(16));
const Time = z.int();
/** Of a foreign signature, and of a certificate. */
const Verdict = z.strictObject({
  roots: z.array(z.string().check(z.regex(/^[0-9a-f]{64}$/))).check(z.maxLength(MAX_ROOTS)),
  identities: Identities,
  from: Time,
  until: Time,
  resources: z
    .array(
      z.strictObject({
        path: z.string().check(z.maxLength(1024)),
        sha256: z.string().check(z.regex(/^[0-9a-f]{64}$/)),
      }),
    )
    .check(z.maxLength(MAX_FILES)),
});
const Root = z.strictObject({
  certificate: z.string().check(z.maxLength(32 * 1024)),
  identities: Identities,
  from: Time,
  until: Time,
});
const Failed = z.strictObject({
  sentence: z.string().check(z.maxLength(2000)),
  hint: z.string().check(z.maxLength(2000)),
});

/** A certificate that signs others. */
export interface ReadRoot {
  /** In DER. */
  readonly certificate: Uint8Array;
  readonly identities: readonly string[];
  readonly from: number;
  readonly until: number;
}

/** Foreign formats, each read by a process that is started for it, has nothing, and ends with its answer. */
export class Unpacks {
  readonly #processes: Pick<Processes, "once">;

  constructor(processes: Pick<Processes, "once">) {
    this.#processes = processes;
  }

  /** @throws {SkillError} for what is no archive of a skill's files. */
  async archive(kind: ArchiveKind, bytes: Uint8Array): Promise<Map<string, SkillFile>> {
    if (bytes.length > MAX_PACKED)
      throw new SkillError(
        "too-large",
        `the archive has more than ${MAX_PACKED} bytes`,
        "a skill is instructions and a few files",
      );
    return unpackFiles(await this.#asked({ type: "unpack", archive: kind }, bytes, "unpacked"));
  }

  /** @param text SKILL.md. @throws {SkillError}. */
  async frontMatter(text: string): Promise<FrontMatter> {
    const yaml = splitFrontMatter(text);
    const said = await this.#asked({ type: "front-matter" }, Buffer.from(yaml), "read");
    return Read.parse(jsonOf(said));
  }

  /** @param roots certificates, in DER. @throws {SkillError} for what is no such signature, or not a good one. */
  async modelSignature(bytes: Uint8Array, roots: readonly Uint8Array[]): Promise<ForeignVerdict> {
    if (bytes.length > MAX_FOREIGN_SIGNATURE) throw tooLong(FOREIGN_SIGNATURE, MAX_FOREIGN_SIGNATURE);
    const given = new Map<string, SkillFile>([["signature", { bytes, executable: false }]]);
    for (const [at, root] of roots.slice(0, MAX_ROOTS).entries())
      given.set(String(at), { bytes: root, executable: false });
    return Verdict.parse(jsonOf(await this.#asked({ type: "model-signature" }, packFiles(given), "read")));
  }

  /** @param pem a file with one certificate. @throws {SkillError} for what is none that signs others. */
  async root(pem: Uint8Array): Promise<ReadRoot> {
    if (pem.length > MAX_ROOT_FILE) throw tooLong("certificate", MAX_ROOT_FILE);
    const { certificate, ...rest } = Root.parse(jsonOf(await this.#asked({ type: "root" }, pem, "read")));
    return { certificate: Buffer.from(certificate, "base64"), ...rest };
  }

  async #asked(order: ToUnpack, payload: Uint8Array, wanted: "unpacked" | "read"): Promise<Uint8Array> {
    const answered = Promise.withResolvers<Uint8Array>();
    const child = await this.#processes.once<FromUnpack, ToUnpack>({
      role: "unpack",
      args: [],
      subject: null,
      accepts: FromUnpack,
      stop: { type: "stop" },
      cause: null,
      hear: (header, bytes) => {
        if (header.type === "failed") answered.reject(failure(header.problem, bytes));
        else if (header.type === wanted) answered.resolve(bytes);
      },
      ended: () =>
        answered.reject(
          new SkillError(
            "malformed",
            "whatever reads it ended before it was done: it is broken, or meant to break it",
            "get it again from where it came from",
          ),
        ),
    });
    const late = setTimeout(() => child.end("timeout", "did not answer in time"), PATIENCE_MS);
    try {
      child.send(order, payload).catch(() => undefined); // its end is told by `ended`
      return await answered.promise;
    } finally {
      clearTimeout(late);
      await child.stop();
    }
  }
}

function failure(problem: string, bytes: Uint8Array): SkillError {
  const { sentence, hint } = Failed.parse(jsonOf(bytes));
  return new SkillError(isSkillProblem(problem) ? problem : "malformed", sentence, hint);
}

function jsonOf(bytes: Uint8Array): unknown {
  return JSON.parse(Buffer.from(bytes).toString("utf8"));
}

function tooLong(what: string, most: number): SkillError {
  return new SkillError("too-large", `its ${what} has more than ${most} bytes`, "get it from where it came from");
}
