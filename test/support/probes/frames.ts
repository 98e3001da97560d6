import { appendFileSync, existsSync } from "node:fs";
import { join } from "node:path";
import type { Duplex } from "node:stream";

/** Where a test wants to read what the supervisor's pipes carried: beside the data directory, if it made this folder. */
const folder = join(process.env["WIRKEN_HOME"] ?? "", "../frames");
const wanted = process.argv[2] === "start" && existsSync(folder);
let pipes = 0;

/** Keeps every byte that comes and goes on one pipe of the supervisor, in `<pipe>.in` and `<pipe>.out`. Every pipe has the supervisor at one end. */
export function recorded(stream: Duplex): void {
  if (!wanted) return;
  pipes += 1;
  const path = join(folder, String(pipes));
  stream.on("data", (chunk: unknown) => keep(`${path}.in`, chunk));
  const write: unknown = Reflect.get(stream, "write");
  if (typeof write !== "function") return;
  Object.defineProperty(stream, "write", {
    configurable: true,
    writable: true,
    value: (...given: unknown[]): unknown => {
      keep(`${path}.out`, given[0]);
      return Reflect.apply(write, stream, given);
    },
  });
}

function keep(path: string, bytes: unknown): void {
  if (!(bytes instanceof Uint8Array)) throw new TypeError("a pipe carries bytes");
  appendFileSync(path, bytes);
}
