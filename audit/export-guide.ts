import type { BundleFacts } from "./export.ts";
import { GO_VERIFIER } from "./export-go.ts";
import { SHELL_VERIFIER } from "./export-shell.ts";
import { SIGSTORE_VERIFIER } from "./export-sigstore.ts";

/** Verifiers that an export brings along, by name. */
export const PROGRAMS: Readonly<Record<string, string>> = {
  "verify.go": GO_VERIFIER,
  "verify.sh": SHELL_VERIFIER,
  "verify-sigstore.mjs": SIGSTORE_VERIFIER,
};

/** `VERIFY.md`: what this folder is, how it is checked without any program of ours, and what it cannot show.
 *  @param vkey the key that signs the newest checkpoint. @param proved a row that has a proof of its own. */
export function guide(facts: BundleFacts, vkey: string, proved: number): string {
  const whole = facts.rows === facts.size;
  return `# How to check this export

${about(facts)}

You need one thing that is not in this folder: **the log's public key**, from somebody whom you trust, or a checkpoint that you were given earlier.
The key that this folder names is below, so that you can compare; a forger would have put their own here.

    ${vkey}

Each of the following ways stands alone and uses no program of ours. Read the scripts before you run them: each is a page or three.

## 1. A shell, openssl and sha256sum

    sh verify.sh VKEY ${String(proved)}${whole ? "\n    sh verify.sh VKEY chain" : ""}

Compares every file with \`MANIFEST.sha256\`, checks the Ed25519 signature of the newest checkpoint, hashes the row and follows its proof to the root that was
signed. Behind the key you can name any number of rows that have a file in \`proof/\`.${whole ? " With `chain` it hashes every row and compares it with what the next one names: complete, and slow, for it starts three programs a row." : ""}

By hand, a row is the leaf \`SHA-256(0x00 ‖ line)\`, its line in \`entries.jsonl\` without the newline; a node is \`SHA-256(0x01 ‖ left ‖ right)\` (RFC 6962).

## 2. Go, with the packages of the Go checksum database

On Debian (\`apt-get install golang-go golang-golang-x-mod-dev\`), in a copy of this folder or elsewhere:

    GO111MODULE=off GOPATH=/usr/share/gocode go build -o /tmp/verify verify.go
    /tmp/verify THIS-FOLDER VKEY

On other systems, with a network: \`go mod init check && go get golang.org/x/mod && go build -o verify verify.go\` in an empty folder with a copy of \`verify.go\`.
This is the complete check: every row, every checkpoint and that the log grew from it, every handing over of the
key, every tile, every proof${facts.content === "full" ? ", every commitment to content" : ""}.

## 3. Node, with the npm package @sigstore/verify

    mkdir /tmp/check && cd /tmp/check && npm install @sigstore/verify@4.1.3
    node THIS-FOLDER/verify-sigstore.mjs THIS-FOLDER VKEY

Checks the newest checkpoint's signature and each row that has a proof${whole ? " (of a whole export: the first and the last)" : ""}.

With the program that made it, \`wirken audit verify THIS-FOLDER --key VKEY\` says all of this in words; \`--pin FILE\` compares with a checkpoint that you kept, and \`--ca FILE\` checks timestamps against their authority's root certificate.

## What is in it

| file | what it is |
| --- | --- |
| \`entries.jsonl\` | the disclosed rows, one a line: the exact bytes that are hashed (RFC 8785 JSON), each with the hash of the row before it as \`#prev\` |
| \`checkpoint\` | the newest checkpoint, a C2SP signed note: origin, number of rows, root, signature |
| \`checkpoints.jsonl\` | every checkpoint so far, \`{size, note}\` |
| \`keys.jsonl\` | every key of the log and the sizes that it signs; the checkpoint at which one takes over is signed by both |
| \`tile/<level>/…\` | the tree of hashes in C2SP tlog-tiles${whole ? "; `tile/entries/…` the rows in the same layout" : ""} |
| \`proof/<row>.tlog-proof\` | C2SP tlog-proof: that this row is in the tree of \`checkpoint\` |
${contentRow(facts)}| \`anchors.jsonl\` | what witnesses and timestamp authorities answered, as stored, \`{id, size, name, type, proof}\`; empty where there are none |
| \`anchor/<id>.note\` | the checkpoint that an answer is about; a witness's cosignature (C2SP tlog-cosignature) is its last line |
| \`anchor/<id>.tsr\` | the timestamp of that file (RFC 3161): \`openssl ts -verify -in anchor/<id>.tsr -data anchor/<id>.note -CAfile AUTHORITY.pem\` |
| \`anchor/<id>.pem\` | a certificate that the log trusts to vouch for a timestamp authority; compare it with the one that the authority publishes, which is the AUTHORITY.pem to use |
| \`bundle.json\` | what was asked for, and counts |
| \`MANIFEST.sha256\` | SHA-256 of every other file. The log records the SHA-256 of this one |

${CONTENT[facts.content]}

## What this shows, and what no log can

- **Integrity**: every row here is, byte for byte, the row of that number in the tree that was signed.
- **Authenticity**: it was signed with the key that you were given. Without such a key nothing here says whose log it is.
- **Completeness**: ${whole ? "no row up to the newest checkpoint is left out." : `the tree has ${facts.size} rows and ${facts.rows} are disclosed; of the others you have only hashes, from which they cannot be guessed because each holds 16 random bytes. That a row was left out shows as a gap in the numbers, not what it says.`} Rows after the newest checkpoint are not here.
- Whoever holds the log key can make another log, or cut this one and sign again. That shows only against something out of their reach: a checkpoint that you kept, a witness, a timestamp.
- No log proves that its operator did not act outside of it, did not run another program, or did not make rows up before the first anchor out of their reach.
- Times are those of the machine that wrote them.
`;
}

function about({ origin, size, rows, from, to, session, export: id, at, version }: BundleFacts): string {
  const which =
    rows === size
      ? `all ${size} rows`
      : session === null
        ? `${rows} of ${size} rows: those from ${from} up to, without, ${to}`
        : `${rows} of ${size} rows: those of the session ${session} from ${from} up to, without, ${to}`;
  return `Export \`${id}\` of the audit log \`${origin}\`, asked for at ${at}, written by wirken ${version}: ${which}.`;
}

function contentRow({ content }: BundleFacts): string {
  return content === "none"
    ? ""
    : "| `content.jsonl` | what the rows commit to, part by part; a large part that was opened is a file in `content/` |\n";
}

const CONTENT: Readonly<Record<BundleFacts["content"], string>> = {
  none: "Content (what was said, asked for and answered) is left out; the rows hold salted commitments to it, from which it cannot be guessed.",
  commitments:
    "Content (what was said, asked for and answered) is left out; `content.jsonl` lists the salted commitments to it, from which it cannot be guessed.",
  full: 'Content is disclosed: each part with its salt, so that `SHA-256("wirken/content/v1\\n" ‖ salt ‖ bytes)` can be computed again and compared with the row\'s `content`. A part that is `erased`, `missing` or `derived` (only its salt was kept) is not. The `items` of a `model.called` row say what the request was made of: `root` is `SHA-256(root before ‖ digest)` over its items, from `SHA-256("wirken/request/v2\\n")`, and the digest of an item is `SHA-256("wirken/item/v1\\n" ‖ u32 length of head ‖ head ‖ SHA-256(body))`.',
};
