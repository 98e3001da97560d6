/** Of a file's path in a skill, in characters. */
const MAX_PATH = 200;
/** Folders above a file, and the file. */
const MAX_DEPTH = 8;
/** Letters, digits and what file names are usually made of: one byte each, so there is nothing to normalise and nothing that looks like something else. */
const COMPONENT = /^[A-Za-z0-9._+-]+$/;
/** Devices on Windows, whatever stands behind a dot. */
const DEVICE = /^(con|prn|aux|nul|com[0-9]|lpt[0-9])(\.|$)/i;

/** What is wrong with the path of a skill's file, in words that follow "its path"; null: nothing. */
export function wrongPath(path: string): string | null {
  if (path.length === 0 || path.length > MAX_PATH) return `is not 1 to ${MAX_PATH} characters long`;
  if (path.includes("\\")) return "holds a backslash";
  if (path.startsWith("/")) return "begins with a slash";
  const parts = path.split("/");
  if (parts.length > MAX_DEPTH) return `is more than ${MAX_DEPTH} folders deep`;
  for (const part of parts) {
    if (part === "." || part === "..") return "leads out of the skill";
    if (!COMPONENT.test(part)) return "holds something besides letters, digits and . _ + -";
    if (part.endsWith(".")) return "has a part that ends with a dot";
    if (DEVICE.test(part)) return "has a part that names a device";
    if (part.toLowerCase() === ".git") return "lies in a Git folder";
  }
  return null;
}

/** What is wrong with paths beside each other: two that some file system takes for one, or a file where another has a folder. @returns the path; null: nothing. */
export function clashIn(paths: readonly string[]): string | null {
  const files = new Set<string>();
  /** As each folder is spelt. */
  const folders = new Map<string, string>();
  for (const path of paths) {
    const folded = path.toLowerCase();
    if (files.has(folded) || folders.has(folded)) return path;
    files.add(folded);
    for (let end = path.indexOf("/"); end !== -1; end = path.indexOf("/", end + 1)) {
      const folder = path.slice(0, end);
      const known = folders.get(folder.toLowerCase());
      if (files.has(folder.toLowerCase()) || (known !== undefined && known !== folder)) return path;
      folders.set(folder.toLowerCase(), folder);
    }
  }
  return null;
}
