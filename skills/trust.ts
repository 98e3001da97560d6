import { isSignedBy, readVkey, type SignedNote } from "./signed.ts";
import { SkillError } from "./skill-error.ts";

/** A key that somebody vouched for, and for what. */
export interface Trust {
  readonly vkey: string;
  /** Names of skills that it may sign; `*` stands for any characters. */
  readonly names: string;
  /** Milliseconds since 1970 from which on it is trusted no more; null: for ever. */
  readonly until: number | null;
  /** Not any more: what it signed is refused. */
  readonly revoked: boolean;
  /** Is what it signs the operator's own word, rather than a stranger's? */
  readonly own: boolean;
}

/** Linear: each star takes as little as it can. */
export function fitsPattern(pattern: string, name: string): boolean {
  const [first = "", ...rest] = pattern.split("*");
  if (rest.length === 0) return pattern === name;
  if (!name.startsWith(first)) return false;
  const last = rest.pop() ?? "";
  let at = first.length;
  for (const piece of rest) {
    const found = name.indexOf(piece, at);
    if (found === -1) return false;
    at = found + piece.length;
  }
  return name.length - last.length >= at && name.endsWith(last);
}

/** Who of those that are trusted signed it. Of several that did, one that may is enough; one that is revoked refuses it all.
 *  @param name the skill's. @param now milliseconds since 1970. @throws {SkillError}. */
export function signerOf(signed: SignedNote, trusted: readonly Trust[], name: string, now: number): Trust {
  const signers = trusted.filter((one) => isSignedBy(signed, readVkey(one.vkey)));
  const [any] = signers;
  if (any === undefined) {
    const [first] = signed.signatures;
    throw new SkillError(
      "untrusted",
      `it is signed by ${first?.name ?? "nobody"}, whom nobody here trusts`,
      "if you know whoever that is, get their public key from them and run wirken skills trust VKEY",
    );
  }
  const by = readVkey(any.vkey).name;
  if (signers.some(({ revoked }) => revoked))
    throw new SkillError(
      "revoked",
      `the key ${by} that it is signed with was revoked`,
      "have it signed with another key",
    );
  const fitting = signers.filter(({ names }) => fitsPattern(names, name));
  if (fitting.length === 0)
    throw new SkillError(
      "wrong-name",
      `the key ${by} is not trusted for a skill of the name ${name}, only for ${signers.map(({ names }) => names).join(", ")}`,
      `wirken skills trust VKEY --for ${name} trusts it for that too`,
    );
  const good = fitting.find(({ until }) => until === null || now < until);
  if (good !== undefined) return good;
  throw new SkillError(
    "expired",
    `the key ${by} was trusted until ${new Date(fitting[0]?.until ?? 0).toISOString().slice(0, 10)}`,
    "trust it again, with another date, if it is still theirs",
  );
}
