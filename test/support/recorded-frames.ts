import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { FrameDecoder } from "../../src/ipc/frame.ts";

/** A frame as it went over a pipe of the supervisor. */
export interface RecordedFrame {
  readonly pipe: string;
  /** As the supervisor sees it: `in` came from the child or the command, `out` went to it. */
  readonly way: "in" | "out";
  /** Its type, and the call of a command's call. */
  readonly what: string;
  /** All of it. */
  readonly bytes: Buffer;
}

/** Every frame of every pipe that `probes/frames.ts` kept. @throws {FrameError} if something else was on a pipe: then it was not read. */
export function recordedFrames(folder: string): RecordedFrame[] {
  return readdirSync(folder).flatMap((name) => {
    const [pipe = "", way = ""] = name.split(".");
    const decoder = new FrameDecoder({ wipes: false });
    decoder.push(readFileSync(join(folder, name)));
    const frames: RecordedFrame[] = [];
    for (let frame = decoder.next(); frame !== null; frame = decoder.next()) {
      const header = Buffer.from(JSON.stringify(frame.header));
      frames.push({
        pipe,
        way: way === "out" ? "out" : "in",
        what: what(frame.header),
        bytes: Buffer.concat([header, frame.payload]),
      });
    }
    return frames;
  });
}

function what(header: unknown): string {
  if (typeof header !== "object" || header === null || !("type" in header)) return "?";
  const { type } = header;
  if (type === "secret" && "name" in header) return `secret ${String(header.name)}`;
  if (type !== "call" || !("call" in header)) return String(type);
  const { call } = header;
  return `call ${typeof call === "object" && call !== null && "call" in call ? String(call.call) : "?"}`;
}
