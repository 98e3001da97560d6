import { ArgumentsError } from "./tool.ts";

/** Bytes of a call's arguments. */
const MAX_ARGUMENTS = 2 * 1024 * 1024;

/** Reads the model's own JSON. @throws {ArgumentsError} for what is no JSON. */
export function parseArguments(bytes: Uint8Array): unknown {
  if (bytes.length > MAX_ARGUMENTS)
    throw new ArgumentsError(`the arguments have ${bytes.length} bytes, and at most ${MAX_ARGUMENTS} are taken`);
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    // Some models send nothing where they mean no arguments.
    const value: unknown = text.trim() === "" ? {} : JSON.parse(text);
    return value;
  } catch (cause) {
    throw new ArgumentsError("the arguments are not JSON", { cause });
  }
}
