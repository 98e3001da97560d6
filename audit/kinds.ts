import { type Action, type ActionOf, type IntentKind, type Kind, KINDS } from "./action.ts";
import { AuditError } from "./error.ts";

/** The table of kinds, asked at run time. */

type Fields = Readonly<Record<string, { readonly admits: (value: unknown) => boolean }>>;
interface Spec {
  readonly fields: Fields;
  readonly optional?: Fields;
  readonly content?: readonly string[];
  readonly derived?: readonly string[];
  readonly outcomes?: readonly string[];
}

export function isKind(word: string): word is Kind {
  return Object.hasOwn(KINDS, word);
}

function specOf(kind: Kind): Spec {
  return KINDS[kind];
}

/** The content parts of a kind. A part's place here is its number in the content table: parts are only ever added at the end. */
export function partsOf(kind: Kind): readonly string[] {
  return specOf(kind).content ?? [];
}

/** Is only this part's salt kept? */
export function isDerived(kind: Kind, part: string): boolean {
  return specOf(kind).derived?.includes(part) ?? false;
}

export function isIntent(kind: Kind): kind is IntentKind {
  return specOf(kind).outcomes !== undefined;
}

/** Kinds that end an intent, and never stand without one. */
const OUTCOMES: ReadonlySet<string> = new Set([
  "action.failed",
  "action.interrupted",
  ...Object.values<Spec>(KINDS).flatMap((spec) => spec.outcomes ?? []),
]);

export function isOutcome(kind: string): boolean {
  return OUTCOMES.has(kind);
}

/** May an intent of this kind end in a row of that one? */
export function endsIn(intent: Kind, outcome: string): boolean {
  const outcomes = specOf(intent).outcomes;
  if (outcomes === undefined) return false;
  return outcome === "action.failed" || outcome === "action.interrupted" || outcomes.includes(outcome);
}

/** Is this an action as the table has it, every field of its class and none besides? */
export function isAction(value: { readonly kind: string }): value is Action {
  return whyNot(value) === null;
}

export function isActionOf<K extends Kind>(kind: K, value: { readonly kind: string }): value is ActionOf<K> {
  return value.kind === kind && isAction(value);
}

function whyNot(value: { readonly kind: string }): string | null {
  const { kind, ...fields }: { kind: string; [field: string]: unknown } = { ...value };
  if (!isKind(kind)) return `there is no kind of row ${JSON.stringify(kind)}`;
  const { fields: needed, optional = {} } = specOf(kind);
  const unknown = Object.keys(fields).find((field) => !Object.hasOwn(needed, field) && !Object.hasOwn(optional, field));
  if (unknown !== undefined) return `${kind} has no field ${JSON.stringify(unknown)}`;
  const missing = Object.keys(needed).find((field) => !Object.hasOwn(fields, field));
  if (missing !== undefined) return `${kind} lacks its field ${missing}`;
  for (const [field, fieldClass] of [...Object.entries(needed), ...Object.entries(optional)]) {
    if (!Object.hasOwn(fields, field)) continue;
    // The value itself is not named: it may be the very thing that must not be in a row.
    if (!fieldClass.admits(fields[field])) return `the field ${field} of ${kind} holds what its class does not admit`;
  }
  return null;
}

/** @returns the action's fields, its kind aside. @throws {AuditError} AUDIT_INVALID. */
export function checkedFields(action: { readonly kind: string }): Record<string, unknown> {
  const why = whyNot(action);
  if (why !== null) throw new AuditError("AUDIT_INVALID", `nothing was recorded: ${why}`);
  const { kind: _, ...fields }: { kind: string; [field: string]: unknown } = { ...action };
  return fields;
}
