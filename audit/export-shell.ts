/** A verifier that needs a shell, openssl and sha256sum. It is brought along by every export. */
export const SHELL_VERIFIER = String.raw`#!/bin/sh
# Verifies an export of a Wirken audit log with openssl and sha256sum: sh verify.sh VKEY [SEQ...]
# VKEY is the log's key as it was given to you. Each SEQ is a row that has a proof here. "chain" instead of rows follows the whole chain:
# complete, and slow: it starts three programs a row.
set -eu
cd "$(dirname "$0")"
refuse() { echo "REFUSED: $1"; exit 1; }
[ $# -ge 1 ] || { echo "usage: sh verify.sh VKEY [SEQ... | chain]"; exit 2; }
vkey=$1; shift
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT

sha256sum --quiet --strict -c MANIFEST.sha256 || refuse "a file is not the one that the manifest lists"

# The key: 1 byte of type and 32 of Ed25519, behind the name and the id.
rest=${"$"}{vkey#*+}; id=${"$"}{rest%%+*}; key=${"$"}{rest#*+}
{ printf '\060\052\060\005\006\003\053\145\160\003\041\000'; printf '%s' "$key" | base64 -d | tail -c 32; } > "$work/key.der"
[ "$(wc -c < "$work/key.der")" -eq 44 ] || refuse "this is no key of a log"
openssl pkey -pubin -inform DER -in "$work/key.der" -out "$work/key.pem"

# The checkpoint: what is signed ends before the blank line; the signature stands behind 4 bytes of key id.
sed '/^$/,$d' checkpoint > "$work/text"
found=
for blob in $(sed -n '/^$/,$p' checkpoint | sed -n 's/^[^ ]* [^ ]* \([^ ]*\)$/\1/p'); do
  printf '%s' "$blob" | base64 -d > "$work/blob"
  [ "$(head -c 4 "$work/blob" | od -An -tx1 | tr -d ' \n')" = "$id" ] || continue
  tail -c +5 "$work/blob" > "$work/signature"
  openssl pkeyutl -verify -pubin -inkey "$work/key.pem" -rawin -in "$work/text" -sigfile "$work/signature" > /dev/null 2>&1 ||
    refuse "the checkpoint is not signed with the key that was given"
  found=yes
done
[ -n "$found" ] || refuse "the checkpoint is not signed with the key that was given (if the log changed its key, give the last one of keys.jsonl)"
size=$(sed -n 2p "$work/text"); root=$(sed -n 3p "$work/text")
echo "the checkpoint of $size rows is signed with the key that was given"

hash() { openssl dgst -sha256 -binary | base64; }
leaf() { { printf '\000'; printf '%s' "$1"; } | hash; }
node() { { printf '\001'; printf '%s' "$1" | base64 -d; printf '%s' "$2" | base64 -d; } | hash; }

# RFC 9162, 2.1.3.2: from the leaf to the root.
included() {
  proof="proof/$1.tlog-proof"
  [ -f "$proof" ] || refuse "there is no proof of row $1 here"
  [ "$(sed -n 2p "$proof")" = "index $1" ] || refuse "the proof of row $1 is of another row"
  sed '1,/^$/d' "$proof" | cmp -s - checkpoint || refuse "the proof of row $1 leads to another checkpoint"
  at=$1; last=$((size - 1)); folded=$2
  for step in $(sed -n '3,/^$/p' "$proof"); do
    [ "$last" -gt 0 ] || refuse "the proof of row $1 is too long"
    if [ $((at % 2)) -eq 1 ] || [ "$at" -eq "$last" ]; then
      folded=$(node "$step" "$folded")
      while [ $((at % 2)) -eq 0 ] && [ "$at" -ne 0 ]; do at=$((at / 2)); last=$((last / 2)); done
    else
      folded=$(node "$folded" "$step")
    fi
    at=$((at / 2)); last=$((last / 2))
  done
  [ "$last" -eq 0 ] && [ "$folded" = "$root" ] || refuse "row $1 is not in the log that was signed: it or its proof was changed"
}

if [ "${"$"}{1:-}" = chain ]; then
  previous=0000000000000000000000000000000000000000000000000000000000000000; rows=0
  while IFS= read -r line; do
    case $line in '{"#prev":"'"$previous"'",'*) ;; *) refuse "row $rows does not follow the one before it" ;; esac
    newest=$line
    previous=$({ printf '\000'; printf '%s' "$line"; } | sha256sum | cut -c 1-64); rows=$((rows + 1))
  done < entries.jsonl
  [ "$rows" -eq "$size" ] || refuse "there are $rows rows, and the checkpoint covers $size: only a whole export has a whole chain"
  included $((size - 1)) "$(leaf "$newest")"
  echo "all $rows rows follow each other, and the last one is in the log that was signed"
else
  for seq in "$@"; do
    line=$(grep -m 1 -E '^[{]"#prev":"[0-9a-f]{64}","[$]at":"[^"]{24}","[$]cause":(null|[0-9]+),"[$]kind":"[^"]+","[$]seq":'"$seq"'[,}]' entries.jsonl) ||
      refuse "row $seq is not here"
    included "$seq" "$(leaf "$line")"
    echo "row $seq is in the log that was signed"
  done
fi
echo GOOD
`;
