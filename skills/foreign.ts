import { type Manifest, parseManifest, writeManifest } from "./manifest.ts";
import { shown, SkillError } from "./skill-error.ts";
import { fitsPattern } from "./trust.ts";
import { checkListed, digestOf, listFiles, type SkillFiles, type VerifiedSkill, without } from "./verify.ts";

/** A skill that was signed in the OpenSSF Model Signing format: by a certificate, over a list of files and their digests.
 *  @see https://github.com/ossf/model-signing-spec */

/** The file that holds the signature, and is not on its own list. */
export const FOREIGN_SIGNATURE = "skill.oms.sig";
/** Bytes of it: five hundred files, ten certificates, with room. */
export const MAX_FOREIGN_SIGNATURE = 512 * 1024;

/** What whoever can read such a signature says of it, its own arithmetic done: the signature is good, and so is each link of the chain. */
export interface ForeignVerdict {
  /** SHA-256 of each of the given roots that the chain leads to. */
  readonly roots: readonly string[];
  /** Whom the certificate names: its subject, that subject's common name, its addresses. */
  readonly identities: readonly string[];
  /** When every certificate of the chain is good, in milliseconds since 1970. */
  readonly from: number;
  readonly until: number;
  readonly resources: readonly { readonly path: string; readonly sha256: string }[];
}

/** A root that somebody vouched for, and for what. */
export interface RootTrust {
  /** SHA-256 of the certificate. */
  readonly fingerprint: string;
  /** Names of skills that may be signed under it; `*` stands for any characters. */
  readonly names: string;
  /** Whom the certificate must name, likewise; null: anybody under that root. */
  readonly identity: string | null;
  /** Milliseconds since 1970 from which on it is trusted no more; null: for ever. */
  readonly until: number | null;
  readonly revoked: boolean;
  readonly own: boolean;
}

/** What is kept of a signature that was read: enough to check these very files again without reading it anew. */
export interface JudgedSignature extends Omit<ForeignVerdict, "resources"> {
  /** SHA-256 of the file with the signature. */
  readonly signature: string;
  /** The manifest in its one form, made of what SKILL.md says and of the files that the signature lists. */
  readonly manifest: string;
}

/** Holds the bytes against what the signature lists: all of it, and nothing else. @param front what SKILL.md says. @throws {SkillError}. */
export function judged(files: SkillFiles, verdict: ForeignVerdict, front: Omit<Manifest, "files">): JudgedSignature {
  const { resources, ...rest } = verdict;
  checkResources(files, resources);
  const manifest = writeManifest({ ...front, files: listFiles(files, FOREIGN_SIGNATURE) });
  parseManifest(manifest); // what no skill of ours may be is none with this signature either
  return { ...rest, signature: digestOf(signatureOf(files)), manifest };
}

/** Checks a skill by what was kept of its signature: it is that signature, its root is trusted for this name and this signer, and the files are exactly those.
 *  @param now milliseconds since 1970. @throws {SkillError} naming the first thing that is wrong. */
export function verifyForeign(
  files: SkillFiles,
  kept: JudgedSignature,
  roots: readonly RootTrust[],
  now: number,
): VerifiedSkill {
  if (digestOf(signatureOf(files)) !== kept.signature)
    throw new SkillError(
      "altered",
      `its ${FOREIGN_SIGNATURE} was changed since it was read`,
      "install the skill again",
    );
  const manifest = parseManifest(kept.manifest);
  const root = rootOf(kept, roots, manifest.name, now);
  checkListed(files, manifest.files, [FOREIGN_SIGNATURE]);
  return {
    manifest,
    digest: digestOf(kept.manifest),
    files: without(files, FOREIGN_SIGNATURE),
    signer: { name: shownIdentity(kept.identities), own: root.own, vkey: null },
  };
}

/** What the format leaves out of every signature: a repository's own. None of it is part of a skill. */
const LEFT_OUT = /^\.(?:gitignore$|gitattributes$|github\/)/;

/** The files that are a skill's: without those that no signature of this format has on its list. */
export function ofSkill(files: SkillFiles, { resources }: Pick<ForeignVerdict, "resources">): SkillFiles {
  const listed = new Set(resources.map(({ path }) => path));
  return new Map([...files].filter(([path]) => listed.has(path) || !LEFT_OUT.test(path)));
}

function signatureOf(files: SkillFiles): Uint8Array {
  const file = files.get(FOREIGN_SIGNATURE);
  if (file !== undefined) return file.bytes;
  throw new SkillError("missing", `its ${FOREIGN_SIGNATURE} is missing`, "install the skill again");
}

function checkResources(files: SkillFiles, resources: ForeignVerdict["resources"]): void {
  const listed = new Map(resources.map(({ path, sha256 }) => [path, sha256]));
  for (const path of files.keys())
    if (path !== FOREIGN_SIGNATURE && !listed.has(path))
      throw new SkillError(
        "extra",
        `the file ${shown(path)} is not one that was signed`,
        "remove it: a signature of this format that leaves files out is good for the others alone",
      );
  for (const [path, sha256] of listed) {
    const file = files.get(path);
    if (file === undefined)
      throw new SkillError("missing", `the file ${shown(path)} is missing`, "get the whole skill again");
    if (digestOf(file.bytes) !== sha256)
      throw new SkillError("altered", `the file ${shown(path)} was changed after it was signed`, "get the skill again");
  }
}

/** Of several roots that it leads to, one that may is enough; one that is revoked refuses it all. */
function rootOf(kept: JudgedSignature, roots: readonly RootTrust[], name: string, now: number): RootTrust {
  const who = shownIdentity(kept.identities);
  const known = roots.filter(({ fingerprint }) => kept.roots.includes(fingerprint));
  if (known.length === 0)
    throw new SkillError(
      "untrusted",
      `it is signed by ${who}, under a root that nobody here trusts`,
      "if you know whose root that is, get its certificate from them and run wirken skills trust --root FILE",
    );
  if (known.some(({ revoked }) => revoked))
    throw new SkillError(
      "revoked",
      `the root that ${who} signed it under was revoked`,
      "have it signed under another root",
    );
  const named = known.filter(
    ({ identity }) => identity === null || kept.identities.some((one) => fitsPattern(identity, one)),
  );
  if (named.length === 0)
    throw new SkillError(
      "untrusted",
      `it is signed by ${who}, and its root is trusted for ${known.map(({ identity }) => shown(identity ?? "*")).join(", ")} only`,
      "wirken skills trust --root FILE --identity PATTERN trusts it for others too",
    );
  const fitting = named.filter(({ names }) => fitsPattern(names, name));
  if (fitting.length === 0)
    throw new SkillError(
      "wrong-name",
      `its root is not trusted for a skill of the name ${name}, only for ${named.map(({ names }) => names).join(", ")}`,
      `wirken skills trust --root FILE --for ${name} trusts it for that too`,
    );
  if (now < kept.from || now >= kept.until)
    throw new SkillError(
      "expired",
      `the certificates that it is signed with are good from ${day(kept.from)} to ${day(kept.until)}`,
      "have it signed again, or look at this machine's clock",
    );
  const good = fitting.find(({ until }) => until === null || now < until);
  if (good !== undefined) return good;
  throw new SkillError(
    "expired",
    `the root of ${who} was trusted until ${day(fitting[0]?.until ?? 0)}`,
    "trust it again, with another date, if it is still theirs",
  );
}

function day(time: number): string {
  return new Date(time).toISOString().slice(0, 10);
}

/** Of a name in a certificate: somebody else wrote it. */
const MAX_SHOWN = 100;

/** The first of the names of a certificate, as a sentence may show it. */
export function shownIdentity(identities: readonly string[]): string {
  const safe = (identities[0] ?? "").replaceAll(/[^\x20-\x7e]/g, "?").trim();
  return safe === "" ? "somebody without a name" : safe.slice(0, MAX_SHOWN);
}
