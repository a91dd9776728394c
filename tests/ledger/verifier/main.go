// Checks what a ledger publishes, with the Go project's own notes and trees (golang.org/x/mod/sumdb), which know nothing of troth.
//
// verifier FOLDER INDEX: in FOLDER are `key`, `checkpoint`, `before` (an older checkpoint), `entry`, `proof` and the tiles.
package main

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func main() {
	folder := os.Args[1]
	index, err := strconv.ParseInt(os.Args[2], 10, 64)
	must(err)
	now, before := head(folder, "checkpoint"), head(folder, "before")

	// The tiles themselves make the head, and prove that the older tree is the beginning of this one.
	reader := tlog.TileHashReader(now, tiles(folder))
	made, err := tlog.TreeHash(now.N, reader)
	must(err)
	if made != now.Hash {
		fail("the tiles make another root")
	}
	older, err := tlog.ProveTree(now.N, before.N, reader)
	must(err)
	must(tlog.CheckTree(older, now.N, now.Hash, before.N, before.Hash))

	// The proof that was handed out shows the entry.
	lines := strings.Split(text(folder, "proof"), "\n")
	if lines[0] != "c2sp.org/tlog-proof@v1" || lines[1] != fmt.Sprintf("index %d", index) {
		fail("no proof of that entry")
	}
	var proof tlog.RecordProof
	for _, line := range lines[2:] {
		if line == "" {
			break
		}
		hash, err := tlog.ParseHash(line)
		must(err)
		proof = append(proof, hash)
	}
	must(tlog.CheckRecord(proof, now.N, now.Hash, index, tlog.RecordHash([]byte(text(folder, "entry")))))
	fmt.Printf("%d entries hold, from %d on\n", now.N, before.N)
}

func head(folder, name string) tlog.Tree {
	verifier, err := note.NewVerifier(strings.TrimSpace(text(folder, "key")))
	must(err)
	opened, err := note.Open([]byte(text(folder, name)), note.VerifierList(verifier))
	must(err)
	lines := strings.Split(opened.Text, "\n")
	size, err := strconv.ParseInt(lines[1], 10, 64)
	must(err)
	raw, err := base64.StdEncoding.DecodeString(lines[2])
	must(err)
	tree := tlog.Tree{N: size}
	copy(tree.Hash[:], raw)
	return tree
}

type tiles string

func (folder tiles) Height() int { return 8 }

func (folder tiles) ReadTiles(asked []tlog.Tile) ([][]byte, error) {
	var found [][]byte
	for _, tile := range asked {
		// What Go calls `tile/8/0/000`, tlog-tiles calls `tile/0/000`.
		data, err := os.ReadFile(filepath.Join(string(folder), strings.Replace(tile.Path(), "tile/8/", "tile/", 1)))
		if err != nil {
			return nil, err
		}
		found = append(found, data)
	}
	return found, nil
}

func (folder tiles) SaveTiles([]tlog.Tile, [][]byte) {}

func text(folder, name string) string {
	data, err := os.ReadFile(filepath.Join(folder, name))
	must(err)
	return string(data)
}

func must(err error) {
	if err != nil {
		fail(err.Error())
	}
}

func fail(words string) {
	fmt.Fprintln(os.Stderr, words)
	os.Exit(1)
}
