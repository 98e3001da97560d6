import { closeSync, constants, fsyncSync, openSync, renameSync, writeSync } from "node:fs";
import { applyEdits, modify } from "jsonc-parser";

/** Sets (or with `undefined` removes) one value in the text of a `config.json`; comments and layout stay.
 *  @param path keys from the top, such as `["channels", "slack", "enabled"]`. */
export function setInText(text: string, path: readonly string[], value: unknown): string {
  const start = text.trim() === "" ? "{}\n" : text;
  return applyEdits(start, modify(start, [...path], value, { formattingOptions: { insertSpaces: true, tabSize: 2 } }));
}

/** Replaces the file in one step (0600): a crash leaves the old or the new text, never a part. */
export function writeConfig(path: string, text: string): void {
  const draft = `${path}.new`;
  const descriptor = openSync(draft, constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC, 0o600);
  try {
    writeSync(descriptor, text);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  renameSync(draft, path);
}
