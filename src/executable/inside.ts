import { getRawAsset, isSea } from "node:sea";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";

/** The asset that says whose work is in the executable: gzipped JSON, an {@link Inside}. */
export const INSIDE = "inside.json.gz";

/** A package whose code is in the executable. */
export interface PackageInside {
  readonly name: string;
  readonly version: string;
  /** An SPDX expression, as the package names it. */
  readonly licence: string;
  /** Of its archive at the registry, as the lock file has it: `sha512-` and base64; null: it has none. */
  readonly integrity: string | null;
  /** Its licence and its notices, to the letter; empty: it brings no such file. */
  readonly text: string;
}

export interface Inside {
  readonly packages: readonly PackageInside[];
  /** The licences of Node and of what Node is made of. */
  readonly runtime: string;
}

/** @returns JSON; null: this is no executable, and nobody wrote down what it is made of. */
export async function insideText(): Promise<string | null> {
  if (!isSea()) return null;
  const bytes = await promisify(gunzip)(new Uint8Array(getRawAsset(INSIDE)));
  return bytes.toString("utf8");
}
