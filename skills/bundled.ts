import type { Trust } from "./trust.ts";

/** The skills that we ship, in skills/bundled/. */
export const BUNDLED: readonly string[] = [
  "archive",
  "calculator",
  "calendar",
  "csv-tools",
  "disk-usage",
  "file-search",
  "git",
  "github",
  "json-tools",
  "markdown-report",
  "notes",
  "pdf-text",
  "system-info",
  "weather",
  "web-fetch",
];

/** Whom a build trusts for them. A release knows its owner's key alone; a clone's build knows this one, whose private half is nobody's any more: whoever
 *  changes a bundled skill signs all of them with another (scripts/sign-skills). */
const DEVELOPMENT = "wirken-development+d1695210+AY3ZAELNSuSjhYpVL2kLhiXrzGVrqc5kVc0x4wGnLv+X";
/** Of the owner of releases, who holds the other half offline. Null: there was no release yet. */
const RELEASE: string | null = null;

export interface Shipped {
  readonly trust: readonly Trust[];
  /** What a status says of it; null: nothing need be said. */
  readonly note: string | null;
}

export function shippedTrust(): Shipped {
  const vkey = RELEASE ?? DEVELOPMENT;
  if (vkey === "") return { trust: [], note: null };
  const trust: Trust = { vkey, names: "*", until: null, revoked: false, own: true };
  return {
    trust: [trust],
    note:
      RELEASE === null
        ? `the skills that came with this build are signed by a development key (${vkey.split("+")[0]}), not by a release's`
        : null,
  };
}
