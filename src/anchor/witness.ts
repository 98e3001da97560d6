import { AnchorError } from "./anchor-error.ts";
import { post } from "./post.ts";

/** A few signature lines; what the supervisor reads is bounded by the same number. */
const LARGEST = 8_192;

export type WitnessAnswer =
  | { readonly state: "cosigned"; readonly lines: Uint8Array }
  | { readonly state: "holds"; readonly size: number };

/** Submits a checkpoint to a C2SP witness. @see https://c2sp.org/tlog-witness
 *  @param prefix the submission prefix. @param proof hashes in hex: that the tree grew from one of `old` leaves.
 *  @throws {AnchorError} for every answer but cosignatures and the size that the witness holds. */
export async function submit(
  prefix: string,
  old: number,
  proof: readonly string[],
  checkpoint: Uint8Array,
): Promise<WitnessAnswer> {
  const lines = proof.map((hash) => `${Buffer.from(hash, "hex").toString("base64")}\n`).join("");
  const body = Buffer.concat([Buffer.from(`old ${old}\n${lines}\n`), checkpoint]);
  const url = `${prefix.replace(/\/+$/, "")}/add-checkpoint`;
  const answer = await post(url, "text/plain; charset=utf-8", body, LARGEST);
  switch (answer.status) {
    case 200:
      return { state: "cosigned", lines: answer.body };
    case 409: {
      const size = /^(0|[1-9][0-9]{0,15})\n$/.exec(Buffer.from(answer.body).toString("latin1"))?.[1];
      if (size === undefined || !Number.isSafeInteger(Number(size)))
        throw new AnchorError("bad-answer", "it says that it holds another size and not which");
      // The size is right and it disagrees all the same: the roots differ.
      if (Number(size) === old) throw new AnchorError("conflict", `it holds another history of the first ${old} rows`);
      return { state: "holds", size: Number(size) };
    }
    case 422:
      throw new AnchorError("conflict", `what it holds is not the beginning of this log`);
    case 403:
      throw new AnchorError("unknown-key", "it does not know the key that the checkpoint is signed with");
    case 404:
      throw new AnchorError("refused", "it does not serve this log, or this is not a witness's address");
    case 400:
      throw new AnchorError("bad-answer", "it takes the checkpoint for malformed");
    default:
      throw new AnchorError(
        answer.status >= 500 || answer.status === 429 ? "unreachable" : "bad-answer",
        `it answered with status ${answer.status}`,
      );
  }
}
