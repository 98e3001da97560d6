import { closeSync, openSync, readFileSync, readSync, writeSync } from "node:fs";
import { copyOf, Secret } from "../../vault/secret.ts";

/** Of `/proc/self/stat`, counted from 1 (proc_pid_stat(5)): where the environment that a process was started with lies in its memory. */
const ENV_START = 50;
const ENV_END = 51;
/** The first field behind the name of the program, which is in brackets and may hold anything. */
const FIRST_AFTER_NAME = 3;
/** What a system lets anybody be started with. */
const MAX_ENVIRONMENT = 8_388_608;

/** Moves a variable out of this process's environment: no child inherits it, and on Linux it is overwritten where the kernel shows it to whoever reads
 *  `/proc/PID/environ`. It is read as bytes, for a JavaScript string of it could never be wiped. Elsewhere it is deleted as far as the system allows.
 *  @returns null when it is not set, or empty. */
export function takeVariable(environment: NodeJS.ProcessEnv, name: string): Secret | null {
  const found = environment === process.env && process.platform === "linux" ? takeFromMemory(name) : null;
  if (found !== null) {
    delete environment[name];
    return found;
  }
  const value = environment[name];
  delete environment[name];
  return value === undefined || value === "" ? null : Secret.take(Buffer.from(value));
}

/** @returns null if it is not there, or this process may not look at its own memory (it is not dumpable any more). */
function takeFromMemory(name: string): Secret | null {
  let memory: number | null = null;
  const block = new Uint8Array(new ArrayBuffer(environmentSize()));
  try {
    const [start] = bounds();
    memory = openSync("/proc/self/mem", "r+");
    if (readSync(memory, block, 0, block.length, start) !== block.length) return null;
    const at = positionOf(block, name);
    if (at === -1) return null;
    const end = block.indexOf(0, at);
    const value = copyOf(block.subarray(at, end === -1 ? block.length : end));
    if (value.length === 0) return null;
    writeSync(memory, new Uint8Array(value.length), 0, value.length, start + at);
    return Secret.take(value);
  } catch {
    return null;
  } finally {
    block.fill(0);
    if (memory !== null) closeSync(memory);
  }
}

function bounds(): [start: number, end: number] {
  const stat = readFileSync("/proc/self/stat", "latin1");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return [Number(fields[ENV_START - FIRST_AFTER_NAME]), Number(fields[ENV_END - FIRST_AFTER_NAME])];
}

function environmentSize(): number {
  const [start, end] = bounds();
  const size = end - start;
  return Number.isSafeInteger(size) && size > 0 && size <= MAX_ENVIRONMENT ? size : 0;
}

/** Where the value of a variable begins, or -1. */
function positionOf(block: Uint8Array, name: string): number {
  const wanted = Buffer.from(`${name}=`, "latin1");
  const bytes = Buffer.from(block.buffer, block.byteOffset, block.byteLength);
  for (let at = bytes.indexOf(wanted); at !== -1; at = bytes.indexOf(wanted, at + 1))
    if (at === 0 || bytes[at - 1] === 0) return at + wanted.length;
  return -1;
}
