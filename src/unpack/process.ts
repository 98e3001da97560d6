import { MAX_FRONT_MATTER, readFrontMatter } from "../../skills/front-matter.ts";
import { MAX_PACKED, packFiles, unpackFiles } from "../../skills/packed.ts";
import { SkillError } from "../../skills/skill-error.ts";
import { textOf } from "../../skills/verify.ts";
import { BUILD } from "../ipc/build.ts";
import { PROTOCOL } from "../ipc/frame-common.ts";
import { ownPipe } from "../ipc/pipe.ts";
import { type FromUnpack, ToUnpack } from "../ipc/unpack-frames.ts";
import { identitiesOf, readCertificate, readRoot } from "./certificates.ts";
import { readModelSignature } from "./model-signing.ts";
import { unpackTarGz } from "./tar.ts";
import { Unpacked } from "./unpacked.ts";
import { readYaml } from "./yaml.ts";
import { unpackZip } from "./zip.ts";

type Asked = Exclude<ToUnpack, { type: "stop" }>;
type Said = readonly [frame: Exclude<FromUnpack, { type: "ready" }>, payload: Uint8Array];

/** Reads one foreign thing, says what it is, and ends. */
export function runUnpack(): void {
  let busy = false;
  const pipe = ownPipe<ToUnpack, FromUnpack>(
    ToUnpack,
    {
      frame(frame, payload) {
        if (frame.type === "stop") {
          pipe.close();
          return;
        }
        if (busy) throw new TypeError("this process does one thing");
        busy = true;
        void answer(frame, payload);
      },
      end: () => undefined,
    },
    3,
    { largest: MAX_PACKED },
  );

  async function answer(frame: Asked, payload: Uint8Array): Promise<void> {
    const [said, bytes] = await done(frame, payload).catch((error: unknown): Said => failed(error));
    await pipe.send(said, bytes).catch(() => undefined);
    pipe.close();
  }

  void pipe.send({ type: "ready", protocol: PROTOCOL, build: BUILD }).catch(() => undefined);
}

/** @throws {SkillError}. */
async function done(frame: Asked, payload: Uint8Array): Promise<Said> {
  switch (frame.type) {
    case "front-matter": {
      if (payload.length > MAX_FRONT_MATTER)
        throw new SkillError("too-large", "its front matter is too long", "say it in fewer words");
      return read(readFrontMatter(readYaml(textOf(payload, "front matter"))));
    }
    case "root": {
      const root = readRoot(textOf(payload, "certificate"));
      const { x509, from, until } = root;
      return read({ certificate: x509.raw.toString("base64"), identities: identitiesOf(root), from, until });
    }
    case "model-signature": {
      const given = unpackFiles(payload);
      const signature = given.get("signature")?.bytes ?? new Uint8Array();
      given.delete("signature");
      return read(
        readModelSignature(
          signature,
          Array.from(given.values(), ({ bytes }) => readCertificate(bytes)),
        ),
      );
    }
    case "unpack": {
      const files = new Unpacked();
      if (frame.archive === "zip") await unpackZip(payload, files);
      else unpackTarGz(payload, files);
      return [{ type: "unpacked" }, packFiles(files.finish())];
    }
  }
}

function read(value: object): Said {
  return [{ type: "read" }, Buffer.from(JSON.stringify(value))];
}

function failed(error: unknown): Said {
  const known = error instanceof SkillError ? error : null;
  // A fault of ours, or a parser's: its message may quote what it read.
  const kind = error instanceof Error ? error.name : typeof error;
  const told = {
    sentence: known?.message ?? `it cannot be read (${kind})`,
    hint: known?.hint ?? "it may be broken: get it again from where it came from",
  };
  return [{ type: "failed", problem: known?.code ?? "malformed" }, Buffer.from(JSON.stringify(told))];
}
