import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { newOrigin } from "../audit-ports.ts";

/** What one process asked of the disk, in order: enough to build what a disk holds if the power fails at any instant of it. */
export type Operation =
  | { readonly type: "open"; readonly file: string; readonly name: string; readonly truncated: boolean }
  | { readonly type: "write"; readonly file: string; readonly offset: number; readonly bytes: Buffer }
  | { readonly type: "truncate"; readonly file: string; readonly length: number }
  | { readonly type: "sync"; readonly file: string }
  | { readonly type: "sync-folder" }
  | { readonly type: "rename"; readonly from: string; readonly to: string }
  | { readonly type: "unlink"; readonly name: string };

export interface Recording {
  readonly operations: readonly Operation[];
  readonly origin: string;
  readonly folder: string;
}

/** Which calls on the write-ahead log fail with EIO: the `nth` and so many after it. */
export interface Failing {
  readonly what: "sync" | "write";
  readonly nth: number;
  readonly times: number;
}

export class Recorder implements Disposable {
  readonly #folder = mkdtempSync(join(tmpdir(), "wirken-power-"));
  readonly #library = join(this.#folder, "recorder.so");
  #runs = 0;

  /** Compiles the library that is preloaded. */
  constructor() {
    const source = join(import.meta.dirname, "recorder.c");
    execFileSync("cc", ["-shared", "-fPIC", "-O1", "-o", this.#library, source, "-ldl"], { stdio: "pipe" });
  }

  /** Lets a process write a log of so many turns. @returns what it asked of the disk; its files are left in `folder`. */
  run(turns: number, failing: Failing | null = null): Recording {
    const folder = join(this.#folder, `run-${this.#runs++}`);
    mkdirSync(folder);
    const out = `${folder}.operations`;
    const origin = newOrigin();
    const words = [folder, origin, "11".repeat(32), "22".repeat(32), String(turns)];
    execFileSync(process.execPath, ["--no-warnings", join(import.meta.dirname, "writer-child.ts"), ...words], {
      env: {
        ...process.env,
        LD_PRELOAD: this.#library,
        RECORDER_FOLDER: folder,
        RECORDER_OUT: out,
        ...(failing === null ? {} : { RECORDER_FAIL: `${failing.what} ${failing.nth} ${failing.times}` }),
      },
      stdio: ["ignore", "pipe", "pipe"],
    });
    return { operations: parse(readFileSync(out)), origin, folder };
  }

  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

const HEAD = 25;
const CREATED = 1;
const TRUNCATED = 2;

/** Reads what `recorder.c` wrote. Files are named without their folder: all lie in one. A number that a file system gives to a new file again is another file. */
function parse(bytes: Buffer): Operation[] {
  const operations: Operation[] = [];
  const made = new Map<bigint, number>();
  for (let at = 0; at < bytes.length; ) {
    const type = String.fromCharCode(bytes.readUInt8(at));
    const file = bytes.readBigUInt64LE(at + 1);
    const offset = Number(bytes.readBigUInt64LE(at + 9));
    const length = Number(bytes.readBigUInt64LE(at + 17));
    const data = bytes.subarray(at + HEAD, at + HEAD + length);
    if (type === "o" && (offset & CREATED) !== 0) made.set(file, (made.get(file) ?? 0) + 1);
    operations.push(operationOf(type, `${file}/${made.get(file) ?? 0}`, offset, data));
    at += HEAD + length;
  }
  return operations;
}

function operationOf(type: string, file: string, offset: number, data: Buffer): Operation {
  switch (type) {
    case "o":
      return { type: "open", file, name: basename(data.toString()), truncated: (offset & TRUNCATED) !== 0 };
    case "w":
      return { type: "write", file, offset, bytes: data };
    case "t":
      return { type: "truncate", file, length: offset };
    case "s":
      return { type: "sync", file };
    case "d":
      return { type: "sync-folder" };
    case "r": {
      const [from = "", to = ""] = data.toString().split("\0");
      return { type: "rename", from: basename(from), to: basename(to) };
    }
    case "u":
      return { type: "unlink", name: basename(data.toString()) };
    default:
      throw new RangeError(`the recorder writes no ${JSON.stringify(type)}`);
  }
}
