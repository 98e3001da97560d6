import * as z from "zod/mini";
import { type FrontMatter, splitFrontMatter } from "../../skills/front-matter.ts";
import { MAX_PACKED, unpackFiles } from "../../skills/packed.ts";
import { isSkillProblem, SkillError } from "../../skills/skill-error.ts";
import type { SkillFile } from "../../skills/verify.ts";
import { type ArchiveKind, FromUnpack, type ToUnpack } from "../ipc/unpack-frames.ts";
import type { Processes } from "./processes.ts";

/** The largest archive or front matter takes well under a second; a parser that hangs is ended. */
const PATIENCE_MS = 20_000;

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
const Failed = z.strictObject({
  sentence: z.string().check(z.maxLength(2000)),
  hint: z.string().check(z.maxLength(2000)),
});

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
    return Read.parse(JSON.parse(Buffer.from(said).toString("utf8")));
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
  const { sentence, hint } = Failed.parse(JSON.parse(Buffer.from(bytes).toString("utf8")));
  return new SkillError(isSkillProblem(problem) ? problem : "malformed", sentence, hint);
}
