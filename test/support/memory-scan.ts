import { closeSync, openSync, readFileSync, readSync } from "node:fs";

const STEP = 4_194_304;
/** Of a piece at the end of one read and the beginning of the next. */
const OVERLAP = 256;

/** Looks through all memory that a process can write to, its heap and its WebAssembly and stacks among it, for texts in UTF-8 and UTF-16, in base64 and in hex.
 *  @returns what was found, with where, as `text (form) in region`. @throws {Error} EACCES if this user may not look. */
export function scanMemory(pid: number, texts: readonly string[]): string[] {
  const wanted = texts.flatMap((text) => {
    const bytes = Buffer.from(text);
    const hex = bytes.toString("hex");
    return [
      { text, form: "utf-8", piece: bytes },
      { text, form: "utf-16", piece: Buffer.from(text, "utf16le") },
      { text, form: "base64", piece: Buffer.from(bytes.toString("base64").slice(0, -4)) },
      { text, form: "hex", piece: Buffer.from(hex) },
    ];
  });
  const found: string[] = [];
  let memory: number;
  try {
    memory = openSync(`/proc/${pid}/mem`, "r");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return []; // it ended
    throw error;
  }
  try {
    const buffer = Buffer.alloc(STEP);
    for (const { start, end, name } of regions(pid)) {
      for (let at = start; at < end; at += STEP - OVERLAP) {
        const length = Math.min(STEP, end - at);
        let read = 0;
        try {
          read = readSync(memory, buffer, 0, length, at);
        } catch {
          break; // a region that went meanwhile, or that nobody may read
        }
        const piece = buffer.subarray(0, read);
        for (const one of wanted) {
          for (let hit = piece.indexOf(one.piece); hit !== -1; hit = piece.indexOf(one.piece, hit + 1))
            found.push(`${one.text} (${one.form}) in ${name} at ${(at + hit).toString(16)}`);
        }
      }
    }
  } finally {
    closeSync(memory);
  }
  return [...new Set(found)];
}

function regions(pid: number): { start: number; end: number; name: string }[] {
  return readFileSync(`/proc/${pid}/maps`, "utf8")
    .split("\n")
    .flatMap((line) => {
      const [range = "", mode = "", , , , name = "anonymous"] = line.split(/ +/);
      if (!mode.startsWith("rw") || name === "[vvar]") return [];
      const [start = "0", end = "0"] = range.split("-");
      const from = Number.parseInt(start, 16);
      return Number.isSafeInteger(from) ? [{ start: from, end: Number.parseInt(end, 16), name }] : [];
    });
}
