/** A file's name for a model to read: one with a line break, or with anything else that is not to be seen, is shown as JSON. */
export function plain(name: string): string {
  return /^[\x20-\x7e\p{L}\p{M}\p{N}\p{P}\p{S} ]*$/u.test(name) && !name.includes('"') ? name : JSON.stringify(name);
}
