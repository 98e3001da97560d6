import { nodeHash } from "./merkle.ts";

/** The Merkle tree in tiles, as C2SP tlog-tiles lays them out: a tile of level L holds up to 256 hashes, each the root of 256^L leaves.
 *  @see https://c2sp.org/tlog-tiles */

const HEIGHT = 8;
export const TILE_WIDTH = 256;
const HASH_BYTES = 32;
/** Tiles whose nodes are kept at hand: proofs of neighbouring rows need the same few. */
const KEPT_TILES = 64;

export interface Tile {
  readonly level: number;
  readonly index: number;
  /** Hashes in it: 256, or fewer at the right edge of the tree. */
  readonly width: number;
}

/** `tile/0/x001/234`, `tile/0/x001/234.p/5`. */
export function tilePath({ level, index, width }: Tile): string {
  return `tile/${level}/${numbered(index, width)}`;
}

/** Where the entries of rows `256 * index` and following lie: `tile/entries/x001/234`. */
export function entriesPath(index: number, width: number): string {
  return `tile/entries/${numbered(index, width)}`;
}

function numbered(index: number, width: number): string {
  let path = threeDigits(index);
  for (let rest = Math.floor(index / 1_000); rest > 0; rest = Math.floor(rest / 1_000))
    path = `x${threeDigits(rest)}/${path}`;
  return width === TILE_WIDTH ? path : `${path}.p/${width}`;
}

function threeDigits(n: number): string {
  return String(n % 1_000).padStart(3, "0");
}

/** Every tile of a tree of that many leaves, level by level. */
export function* tilesOf(size: number): Generator<Tile> {
  for (let level = 0, hashes = size; hashes > 0; level += 1, hashes = Math.floor(hashes / TILE_WIDTH)) {
    for (let index = 0; index * TILE_WIDTH < hashes; index++)
      yield { level, index, width: Math.min(TILE_WIDTH, hashes - index * TILE_WIDTH) };
  }
}

/** Cuts a tree that grows leaf by leaf into tiles. Of each level only the newest tile is held. */
export class TileWriter {
  readonly #write: (tile: Tile, bytes: Uint8Array) => void;
  readonly #levels: { index: number; hashes: string[] }[] = [];

  /** @param write is given each tile once, when it is full or the tree ends. */
  constructor(write: (tile: Tile, bytes: Uint8Array) => void) {
    this.#write = write;
  }

  append(leaf: string): void {
    this.#append(0, leaf);
  }

  #append(level: number, hash: string): void {
    const newest = this.#levels[level] ?? { index: 0, hashes: [] };
    this.#levels[level] = newest;
    newest.hashes.push(hash);
    if (newest.hashes.length < TILE_WIDTH) return;
    const { index, hashes } = newest;
    this.#write({ level, index, width: TILE_WIDTH }, bytesOf(hashes));
    this.#levels[level] = { index: index + 1, hashes: [] };
    this.#append(level + 1, rootOfTile(hashes));
  }

  /** Writes the tiles at the right edge. */
  end(): void {
    for (const [level, { index, hashes }] of this.#levels.entries())
      if (hashes.length > 0) this.#write({ level, index, width: hashes.length }, bytesOf(hashes));
  }
}

function bytesOf(hashes: readonly string[]): Uint8Array {
  return Buffer.from(hashes.join(""), "hex");
}

function rootOfTile(hashes: readonly string[]): string {
  let row = hashes;
  while (row.length > 1) row = above(row);
  return row[0] ?? "";
}

/** The nodes over a row of nodes; one that has no right neighbour is left out. */
function above(row: readonly string[]): string[] {
  const nodes: string[] = [];
  for (let at = 0; at + 1 < row.length; at += 2) nodes.push(nodeHash(row[at] ?? "", row[at + 1] ?? ""));
  return nodes;
}

/** The hashes in a tile. @returns null if there are not as many as it is wide. */
export function hashesIn(bytes: Uint8Array, width: number): string[] | null {
  if (bytes.length !== width * HASH_BYTES) return null;
  const hex = Buffer.from(bytes).toString("hex");
  return Array.from({ length: width }, (_, at) => hex.slice(at * 64, at * 64 + 64));
}

/** A tree of a fixed size whose tiles lie somewhere: gives its root and proofs, and reads only the tiles that they need. */
export class TileTree {
  readonly size: number;
  readonly #read: (tile: Tile) => Uint8Array;
  /** By level and index; the rows of nodes in a tile, from its hashes upwards. */
  readonly #tiles = new Map<string, string[][]>();
  /** Roots of what lies right of a perfect subtree, up to the tree's end: there is one for each height. */
  readonly #edges = new Map<number, string>();

  /** @param read gives a tile's bytes. */
  constructor(size: number, read: (tile: Tile) => Uint8Array) {
    this.size = size;
    this.#read = read;
  }

  root(): string {
    return this.#range(0, this.size);
  }

  /** RFC 6962 §2.1.1, as `inclusionProof`. @throws {RangeError} if there is no such leaf. */
  inclusion(index: number): string[] {
    if (!Number.isSafeInteger(index) || index < 0 || index >= this.size)
      throw new RangeError(`there is no leaf ${index} in a tree of ${this.size}`);
    const path: string[] = [];
    let [from, to] = [0, this.size];
    while (to - from > 1) {
      const middle = from + split(to - from);
      if (index < middle) {
        path.push(this.#range(middle, to));
        to = middle;
      } else {
        path.push(this.#range(from, middle));
        from = middle;
      }
    }
    return path.toReversed();
  }

  /** RFC 6962 §2.1.2, as `consistencyProof`. @throws {RangeError} unless 0 < older ≤ size. */
  consistency(older: number): string[] {
    if (!Number.isSafeInteger(older) || older < 1 || older > this.size)
      throw new RangeError(`there is no tree of ${older} in a tree of ${this.size}`);
    const path: string[] = [];
    let [from, to] = [0, this.size];
    // The last part of the path is the older tree's own root where that is a subtree: whoever checks has it already.
    while (to !== older) {
      const middle = from + split(to - from);
      if (older <= middle) {
        path.push(this.#range(middle, to));
        to = middle;
      } else {
        path.push(this.#range(from, middle));
        from = middle;
      }
    }
    if (from > 0) path.push(this.#range(from, to));
    return path.toReversed();
  }

  /** The root over leaves `from` up to, without, `to`: a range as halving the tree makes them. */
  #range(from: number, to: number): string {
    const leaves = to - from;
    const height = Math.log2(leaves);
    if (Number.isInteger(height)) return this.#node(height, from / leaves);
    const known = to === this.size ? this.#edges.get(from) : undefined;
    if (known !== undefined) return known;
    const middle = from + split(leaves);
    const root = nodeHash(this.#range(from, middle), this.#range(middle, to));
    if (to === this.size) this.#edges.set(from, root);
    return root;
  }

  /** The root of the perfect subtree number `index` of that height. */
  #node(height: number, index: number): string {
    const level = Math.floor(height / HEIGHT);
    const within = height % HEIGHT;
    const first = index * 2 ** within;
    const tile = this.#tile(level, Math.floor(first / TILE_WIDTH));
    const node = tile[within]?.[index % (TILE_WIDTH / 2 ** within)];
    if (node === undefined) throw new RangeError(`there is no node ${index} of height ${height}`);
    return node;
  }

  #tile(level: number, index: number): string[][] {
    const key = `${level}/${index}`;
    const known = this.#tiles.get(key);
    if (known !== undefined) {
      // The newest used stands last.
      this.#tiles.delete(key);
      this.#tiles.set(key, known);
      return known;
    }
    const hashes = Math.floor(this.size / TILE_WIDTH ** level);
    const width = Math.min(TILE_WIDTH, hashes - index * TILE_WIDTH);
    const row = hashesIn(this.#read({ level, index, width }), width);
    if (row === null) throw new RangeError(`the tile ${tilePath({ level, index, width })} has another length`);
    const rows = [row];
    for (let upper = above(row); upper.length > 0 && rows.length < HEIGHT; upper = above(upper)) rows.push(upper);
    this.#tiles.set(key, rows);
    const [oldest] = this.#tiles.keys();
    if (this.#tiles.size > KEPT_TILES && oldest !== undefined) this.#tiles.delete(oldest);
    return rows;
  }
}

/** The largest power of two below `n`, for n > 1. */
function split(n: number): number {
  let k = 1;
  while (k * 2 < n) k *= 2;
  return k;
}
