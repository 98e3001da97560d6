/** What a field of a row may hold. There is no class for free text: names, numbers, paths, words of people and of platforms are content. */

export interface FieldClass<T> {
  /** The longest canonical JSON this field can become, in bytes. */
  readonly bound: number;
  readonly admits: (value: unknown) => value is T;
}
export type FieldValue<C> = C extends FieldClass<infer T> ? T : never;

function text(pattern: RegExp, bound: number): FieldClass<string> {
  return {
    bound: bound + 2,
    admits: (value): value is string => typeof value === "string" && value.length <= bound && pattern.test(value),
  };
}

/** An id minted by us: a short prefix and 26 random characters. */
export const id = text(/^[a-z]{1,2}_[0-9a-hjkmnp-tv-z]{26}$/, 29);
/** The calls that started one agent after the other: ids with commas between them. */
export const chain = text(/^k_[0-9a-hjkmnp-tv-z]{26}(,k_[0-9a-hjkmnp-tv-z]{26}){0,3}$/, 119);
/** A word the operator chose: an agent, a channel's instance, a provider; also a process's role. */
export const name = text(/^[a-z0-9][a-z0-9:-]{0,63}$/, 64);
/** A host that we ship, or a pattern for those below it; what an operator wrote down, or a child asked for, is content. */
export const host = text(/^(\*\.)?[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/, 255);
/** Roles of our processes, with `+` between them. */
export const roles = text(/^[a-z][a-z-]{0,31}(\+[a-z][a-z-]{0,31}){0,31}$/, 33 * 32);
/** A tool's name, ours or an MCP server's. */
export const tool = text(/^[a-z][a-z0-9_/.-]{0,127}$/, 128);
/** Names of skills that a key may sign, as the operator wrote them: `acme-*`. */
export const namePattern = text(/^[a-z0-9*-]{1,64}$/, 64);
/** Skills by name, whose instructions were in the context: up to eight, with commas between them. */
export const skills = text(/^[a-z0-9-]{1,64}(,[a-z0-9-]{1,64}){0,7}$/, 8 * 65);
/** The class of an action, such as `exec:rw` or `http:api.github.com`: never an argument. */
export const actionKey = text(/^[a-z][a-z.]{0,31}(:[a-z0-9_./-]{1,253}){0,2}$/, 300);
/** A vault scope, such as `channel/slack` or `audit/content/s_…`. */
export const scope = text(/^[a-z]{1,16}(\/[a-z0-9_:-]{1,64}){1,3}$/, 215);
/** A model's id as its provider names it. */
export const model = text(/^[\x21-\x7e]{1,200}$/, 402);
/** 32 bytes in lower-case hex: a salted commitment, a Merkle root, or the digest of a file that we shipped. */
export const digest = text(/^[0-9a-f]{64}$/, 64);
/** Up to 64 digests, one behind the other: the roots of the complete subtrees of a range. */
export const digests = text(/^([0-9a-f]{64}){1,64}$/, 64 * 64);
/** A version, a build, a platform string: of our making. */
export const version = text(/^[A-Za-z0-9][A-Za-z0-9._+:/-]{0,127}$/, 128);
/** A note-signing key as C2SP writes it, or a log's origin. */
export const vkey = text(/^[\x21-\x7e]{1,256}$/, 514);
/** `2026-11-23T22:31:00.000Z`. */
export const time = text(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/, 24);
/** A whole number from 0 up; its unit is in the field's name. */
export const count: FieldClass<number> = {
  bound: 16,
  admits: (value): value is number => typeof value === "number" && Number.isSafeInteger(value) && value >= 0,
};
/** A row of this log. */
export const seq: FieldClass<number> = { ...count };

/** Up to 32 rows of this log, in figures with commas between them. */
export const seqs = text(/^\d{1,16}(,\d{1,16}){0,31}$/, 17 * 32);

export function oneOf<const W extends string>(...words: readonly W[]): FieldClass<W> {
  return {
    bound: 34,
    admits: (value): value is W => typeof value === "string" && words.some((word) => word === value),
  };
}

export function orNull<T>(of: FieldClass<T>): FieldClass<T | null> {
  return { bound: Math.max(4, of.bound), admits: (value): value is T | null => value === null || of.admits(value) };
}
