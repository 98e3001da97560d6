import { MAX_BODY_BYTES } from "./entry.ts";

/** Columns as they are read from a file that somebody else may have made: a value that is longer than any of ours is NULL then, where every column of ours has a value.
 *  SQLite knows the length without reading the value, and one value of it may have half a gigabyte. */

/** A hash has 64 characters; one that was edited may have some more, and is still compared. */
const MAX_HASH = 1_024;
/** Longer than {@link parseCheckpoint} takes. */
const MAX_NOTE = 16_384;
/** Of a tree of 2^53 leaves: 53 subtrees at the most. */
const MAX_FRONTIER = 53 * 64;
/** A timestamp with all certificates that an authority may put into it, and more. */
const MAX_PROOF = 1_048_576;
const MAX_NAME = 1_024;

const most = (column: string, bytes: number): string =>
  `CASE WHEN octet_length(${column}) <= ${bytes} THEN ${column} END`;

export const BODY = most("body", MAX_BODY_BYTES);
export const HASH = most("hash", MAX_HASH);
export const NOTE = most("note", MAX_NOTE);
export const FRONTIER = most("frontier", MAX_FRONTIER);
export const PROOF = most("proof", MAX_PROOF);
export const NAME = most("name", MAX_NAME);
/** A condition on rows of which something is cut out: all of a value is read for that. */
export const USUAL_BODY = `octet_length(body) <= ${MAX_BODY_BYTES}`;
