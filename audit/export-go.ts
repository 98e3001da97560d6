/** A verifier in Go that an export brings along. It uses golang.org/x/mod's note and tlog (those of the Go checksum database) and nothing of ours. */
export const GO_VERIFIER =
  String.raw`// Verifies an export of a Wirken audit log: go run verify.go FOLDER VKEY
// Needs golang.org/x/mod (sumdb/note and sumdb/tlog) and nothing else.
package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func refuse(format string, args ...interface{}) {
	fmt.Printf("REFUSED: "+format+"\n", args...)
	os.Exit(1)
}

func must(err error, what string) {
	if err != nil {
		refuse("%s: %v", what, err)
	}
}

var folder string

func read(name string) []byte {
	data, err := os.ReadFile(filepath.Join(folder, name))
	must(err, name)
	return data
}

// lines calls each with every line of a file, its newline taken off.
func lines(name string, each func(line []byte)) {
	file, err := os.Open(filepath.Join(folder, name))
	must(err, name)
	defer file.Close()
	scanner := bufio.NewScanner(file)
	scanner.Buffer(nil, 4<<20)
	for scanner.Scan() {
		each(scanner.Bytes())
	}
	must(scanner.Err(), name)
}

type epoch struct {
	Vkey        string
	First, Last int64
	verifier    note.Verifier
}

// tree reads the text of a checkpoint: origin, size, root.
func tree(text, origin string) tlog.Tree {
	part := strings.Split(text, "\n")
	if len(part) != 4 || part[0] != origin || part[3] != "" {
		refuse("a checkpoint is not one of %s", origin)
	}
	size, err := strconv.ParseInt(part[1], 10, 64)
	must(err, "a checkpoint's size")
	root, err := tlog.ParseHash(part[2])
	must(err, "a checkpoint's root")
	return tlog.Tree{N: size, Hash: root}
}

// opened is the text of a note that every one of the keys has signed.
func opened(signed string, keys ...epoch) string {
	text := ""
	for _, key := range keys {
		n, err := note.Open([]byte(signed), note.VerifierList(key.verifier))
		must(err, "a checkpoint's signature")
		text = n.Text
	}
	return text
}

// tiles reads the tiles of the export. C2SP leaves out the height that the Go checksum database has in its paths.
type tiles struct{}

func (tiles) Height() int { return 8 }
func (tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	var data [][]byte
	for _, tile := range wanted {
		path := "tile/" + strings.TrimPrefix(tile.Path(), "tile/8/")
		bytes, err := os.ReadFile(filepath.Join(folder, path))
		if err != nil {
			return nil, err
		}
		data = append(data, bytes)
	}
	return data, nil
}
func (tiles) SaveTiles([]tlog.Tile, [][]byte) {}

type head struct {
	Prev    string            ` +
  '`json:"#prev"`' +
  String.raw`
	Seq     int64             ` +
  '`json:"$seq"`' +
  String.raw`
	Content map[string]string ` +
  '`json:"content"`' +
  String.raw`
}

func main() {
	if len(os.Args) != 3 {
		fmt.Println("usage: verify FOLDER VKEY (the log's key as it was given to you, not the one in the folder)")
		os.Exit(2)
	}
	folder = os.Args[1]
	var about struct {
		Origin, Content string
		Size, Rows      int64
	}
	must(json.Unmarshal(read("bundle.json"), &about), "bundle.json")

	// Keys: the given one is among them, and each hands over to the next in a checkpoint that both have signed.
	var keys []epoch
	given := false
	lines("keys.jsonl", func(line []byte) {
		var key epoch
		must(json.Unmarshal(line, &key), "keys.jsonl")
		verifier, err := note.NewVerifier(key.Vkey)
		must(err, "a key")
		if verifier.Name() != about.Origin {
			refuse("a key is of another log")
		}
		key.verifier = verifier
		given = given || key.Vkey == os.Args[2]
		keys = append(keys, key)
	})
	if !given {
		refuse("the log is not signed with the key that was given")
	}
	for at, key := range keys {
		if at == 0 && key.First != 1 || at > 0 && key.First != keys[at-1].Last || key.Last < key.First {
			refuse("the keys do not follow each other")
		}
	}
	if keys[len(keys)-1].Last != about.Size {
		refuse("the keys do not reach the end")
	}

	newest := string(read("checkpoint"))
	whole := tree(opened(newest, keys[len(keys)-1]), about.Origin)
	if whole.N != about.Size {
		refuse("the newest checkpoint covers %d rows, and the export says %d", whole.N, about.Size)
	}
	// Everything read through this is authenticated against the root that was signed.
	hashes := tlog.TileHashReader(whole, tiles{})

	// Every checkpoint: signed with the key of its time, and of a tree that this one grew from.
	checkpoints, last, handovers := 0, int64(0), 0
	lines("checkpoints.jsonl", func(line []byte) {
		var stored struct {
			Size int64
			Note string
		}
		must(json.Unmarshal(line, &stored), "checkpoints.jsonl")
		var signers []epoch
		for _, key := range keys {
			if key.First <= stored.Size && stored.Size <= key.Last {
				signers = append(signers, key)
			}
		}
		if len(signers) == 0 || len(signers) > 2 {
			refuse("the checkpoint of %d rows has no key", stored.Size)
		}
		if len(signers) == 2 {
			handovers++
		}
		older := tree(opened(stored.Note, signers...), about.Origin)
		if older.N != stored.Size || older.N <= last {
			refuse("the checkpoints are not in order at %d rows", stored.Size)
		}
		proof, err := tlog.ProveTree(whole.N, older.N, hashes)
		must(err, "tiles")
		if err := tlog.CheckTree(proof, whole.N, whole.Hash, older.N, older.Hash); err != nil {
			refuse("the log did not grow from the checkpoint of %d rows: %v", older.N, err)
		}
		checkpoints, last = checkpoints+1, older.N
	})
	if last != whole.N || handovers != len(keys)-1 {
		refuse("a checkpoint is missing")
	}

	// Rows: each is the leaf of its number, names the one before it, and has a proof of its own where not all are here.
	partial := about.Rows != about.Size
	rows, next := int64(0), int64(0)
	leaves := map[int64]tlog.Hash{}
	leaf := func(seq int64) tlog.Hash {
		if hash, ok := leaves[seq]; ok {
			return hash
		}
		leaves = map[int64]tlog.Hash{}
		var wanted, indexes []int64
		for n := seq &^ 255; n < whole.N && n <= seq|255; n++ {
			wanted, indexes = append(wanted, n), append(indexes, tlog.StoredHashIndex(0, n))
		}
		got, err := hashes.ReadHashes(indexes)
		must(err, "tiles")
		for at, n := range wanted {
			leaves[n] = got[at]
		}
		return leaves[seq]
	}
	before := tlog.Hash{}
	committed := map[string]string{}
	var bundle []byte
	lines("entries.jsonl", func(line []byte) {
		var row head
		must(json.Unmarshal(line, &row), "entries.jsonl")
		if row.Seq < next || row.Seq >= whole.N || !partial && row.Seq != next {
			refuse("row %d is not the next one", row.Seq)
		}
		if row.Seq != next && row.Seq > 0 {
			before = leaf(row.Seq - 1)
		}
		if row.Prev != hex.EncodeToString(before[:]) {
			refuse("row %d does not follow the one before it", row.Seq)
		}
		hash := tlog.RecordHash(line)
		if hash != leaf(row.Seq) {
			refuse("row %d was changed", row.Seq)
		}
		if partial || row.Seq == 0 || row.Seq == whole.N-1 {
			check(fmt.Sprintf("proof/%d.tlog-proof", row.Seq), newest, whole, row.Seq, hash)
		}
		if !partial {
			bundle = append(binary.BigEndian.AppendUint16(bundle, uint16(len(line))), line...)
			if row.Seq&255 == 255 || row.Seq == whole.N-1 {
				path := strings.TrimPrefix(tlog.Tile{H: 8, L: 0, N: row.Seq >> 8, W: int(row.Seq&255) + 1}.Path(), "tile/8/0/")
				if !bytes.Equal(bundle, read("tile/entries/"+path)) {
					refuse("the entries in tiles are not those in lines, up to row %d", row.Seq)
				}
				bundle = nil
			}
		}
		if about.Content == "full" {
			for part, commitment := range row.Content {
				committed[fmt.Sprintf("%d.%s", row.Seq, part)] = commitment
			}
		}
		before, next, rows = hash, row.Seq+1, rows+1
	})
	if rows != about.Rows {
		refuse("there are %d rows, and the export says %d", rows, about.Rows)
	}
	parts := 0
	if about.Content == "full" {
		parts = contents(committed)
	}
	fmt.Printf("GOOD: %d of %d rows, %d checkpoints, %d keys, %d parts of content, root %s\n", rows, whole.N, checkpoints, len(keys), parts, whole.Hash)
}

// check reads a C2SP tlog-proof and follows it to the root that was signed.
func check(name, checkpoint string, whole tlog.Tree, seq int64, hash tlog.Hash) {
	before, after, found := strings.Cut(string(read(name)), "\n\n")
	part := strings.Split(before, "\n")
	if !found || after != checkpoint || len(part) < 2 || part[0] != "c2sp.org/tlog-proof@v1" || part[1] != fmt.Sprintf("index %d", seq) {
		refuse("%s is no proof of row %d", name, seq)
	}
	var proof tlog.RecordProof
	for _, line := range part[2:] {
		step, err := tlog.ParseHash(line)
		must(err, name)
		proof = append(proof, step)
	}
	must(tlog.CheckRecord(proof, whole.N, whole.Hash, seq, hash), name)
}

// contents computes the commitment of every part again: SHA-256("wirken/content/v1\n" + salt + bytes).
func contents(committed map[string]string) int {
	parts := 0
	lines("content.jsonl", func(line []byte) {
		var part struct {
			Seq                                            int64
			Part, Commitment, State, Salt, Base64, File string
			Text                                           *string
		}
		must(json.Unmarshal(line, &part), "content.jsonl")
		name := fmt.Sprintf("%d.%s", part.Seq, part.Part)
		if committed[name] != part.Commitment {
			refuse("row %d did not commit to its %s like this", part.Seq, part.Part)
		}
		if part.State != "open" {
			return
		}
		salt, err := hex.DecodeString(part.Salt)
		must(err, "a salt")
		var content []byte
		switch {
		case part.Text != nil:
			content = []byte(*part.Text)
		case part.File == "content/"+name && filepath.Base(part.File) == name:
			content = read(part.File)
		case part.File == "":
			content, err = base64.StdEncoding.DecodeString(part.Base64)
			must(err, "content")
		default:
			refuse("the %s of row %d has no file of ours", part.Part, part.Seq)
		}
		sum := sha256.Sum256(append(append([]byte("wirken/content/v1\n"), salt...), content...))
		if hex.EncodeToString(sum[:]) != part.Commitment {
			refuse("the %s of row %d is not what the row committed to", part.Part, part.Seq)
		}
		parts++
	})
	return parts
}
`;
