/** What this executable was built from. The build writes the three values in; code that runs unbundled, as in unit tests, is `dev`. */

declare const WIRKEN_VERSION: string;
declare const WIRKEN_COMMIT: string;
declare const WIRKEN_BUILD: string;

export const VERSION: string = typeof WIRKEN_VERSION === "string" ? WIRKEN_VERSION : "dev";

/** The newest commit that touched what is built, with `+changed` when the tree differed from it. */
export const COMMIT: string = typeof WIRKEN_COMMIT === "string" ? WIRKEN_COMMIT : "dev";

/** Digest of everything that is built: a process of another build is not spoken to. */
export const BUILD: string = typeof WIRKEN_BUILD === "string" ? WIRKEN_BUILD : "dev";
