import { closeSync, constants, openSync, readSync } from "node:fs";
import { CommandError } from "./command-error.ts";
import { EXIT } from "./exit-status.ts";

/** Reads the beginning of a file that somebody was given. A pipe that nobody writes to is not waited for.
 *  @param option as it was written, for what is said. @param most bytes. @throws {CommandError} usage. */
export function readBounded(option: string, path: string, most: number, hint: string): Buffer {
  let file: number;
  try {
    file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (cause) {
    throw new CommandError(EXIT.usage, `${option}: ${path} cannot be read`, hint, { cause });
  }
  try {
    const bytes = Buffer.alloc(most);
    return bytes.subarray(0, readSync(file, bytes));
  } catch (cause) {
    throw new CommandError(EXIT.usage, `${option}: ${path} is no file`, hint, { cause });
  } finally {
    closeSync(file);
  }
}
