import { type FromAnchor, ToAnchor } from "../ipc/anchor-frames.ts";
import { BUILD } from "../ipc/build.ts";
import { PROTOCOL, type Ref } from "../ipc/frame-common.ts";
import { ownPipe } from "../ipc/pipe.ts";
import { AnchorError } from "./anchor-error.ts";
import { stamp } from "./timestamp.ts";
import { submit } from "./witness.ts";

type Start = Extract<ToAnchor, { type: "start" }>;

/** One anchor's process: it holds no secret, opens no file, and reads what the anchor says, so that the supervisor does not. */
export function runAnchor(): void {
  let start: Start | null = null;
  const pipe = ownPipe<ToAnchor, FromAnchor>(ToAnchor, {
    frame(frame, payload) {
      if (frame.type === "stop") {
        pipe.close();
        return;
      }
      if (frame.type === "start") {
        if (start !== null) throw new TypeError("this process is started once");
        start = frame;
        return;
      }
      if (start === null || (frame.type === "submit") !== (start.anchor === "witness"))
        throw new TypeError("this is not what this anchor can be asked");
      void answer(
        frame.ref,
        frame.type === "submit" ? cosigned(start.url, frame, payload) : stamped(start.url, frame.ref, payload),
      );
    },
    end: () => undefined,
  });

  async function answer(ref: Ref, asked: Promise<[FromAnchor, Uint8Array]>): Promise<void> {
    // A pipe that is over ends this process: nobody misses the answer.
    try {
      const [frame, payload] = await asked;
      await pipe.send(frame, payload);
    } catch (error) {
      const known =
        error instanceof AnchorError ? error : new AnchorError("bad-answer", `its answer could not be read`);
      await pipe.send({ type: "failed", ref, reason: known.code }, Buffer.from(known.message)).catch(() => undefined);
    }
  }

  void pipe.send({ type: "ready", protocol: PROTOCOL, build: BUILD });
}

async function cosigned(
  url: string,
  { ref, old, proof }: Extract<ToAnchor, { type: "submit" }>,
  checkpoint: Uint8Array,
): Promise<[FromAnchor, Uint8Array]> {
  const answer = await submit(url, old, proof, checkpoint);
  return answer.state === "holds"
    ? [{ type: "holds", ref, size: answer.size }, new Uint8Array(0)]
    : [{ type: "cosigned", ref }, answer.lines];
}

async function stamped(url: string, ref: Ref, checkpoint: Uint8Array): Promise<[FromAnchor, Uint8Array]> {
  const { response, time } = await stamp(url, checkpoint);
  return [{ type: "stamped", ref, time }, response];
}
