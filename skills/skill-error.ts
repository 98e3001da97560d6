/** Why a skill is not used. Rows say it by this word. */
export const SKILL_PROBLEMS = [
  "unsigned",
  "malformed",
  "forged",
  "untrusted",
  "revoked",
  "expired",
  "wrong-name",
  "altered",
  "extra",
  "missing",
  "path",
  "link",
  "too-large",
  "not-accepted",
  "rollback",
  "unreadable",
] as const;
export type SkillProblem = (typeof SKILL_PROBLEMS)[number];

export function isSkillProblem(word: string): word is SkillProblem {
  return SKILL_PROBLEMS.some((one) => one === word);
}

/** A code to switch on, a sentence to read, and what to do about it. */
export class SkillError extends Error {
  override readonly name = "SkillError";
  readonly code: SkillProblem;
  readonly hint: string;
  constructor(code: SkillProblem, message: string, hint: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.hint = hint;
  }
}

/** A foreign text as a sentence may show it: visible ASCII, cut. */
export function shown(text: string): string {
  const safe = text
    .slice(0, 200)
    .replaceAll(/[^\x20-\x7e]/g, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, "0")}`);
  return JSON.stringify(text.length > 200 ? `${safe}...` : safe).replaceAll("\\\\u", "\\u");
}
