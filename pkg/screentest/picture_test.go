package screentest_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/vexa-ai/vexa/pkg/screentest"
)

var update = flag.Bool("update", false, "rewrite the golden picture")

// A picture shows what the screen does, is the same each time, is well-formed
// whatever was on the screen, and fetches nothing.
func TestPicture(t *testing.T) {
	t.Parallel()
	const text = "\x1b[1;31mbold red\x1b[0m \x1b[7mreverse\x1b[0m \x1b[3;4;9mlines\x1b[0m \x1b[2mfaint\x1b[0m \x1b[8mhidden-canary\x1b[0m\r\n" +
		"\x1b[38;5;208morange\x1b[48;2;1;2;3m on ink\x1b[0m 漢字 wide | <b>&\"'</b>\r\n" +
		"\x1b]8;;https://example.org/canary\x1b\\link\x1b]8;;\x1b\\ ┌──┐ \x1b]2;written\a"
	var pictures [][]byte
	for _, light := range []bool{false, false, true} {
		term := write(t, text, screentest.Options{Cols: 60, Rows: 4, Light: light})
		s, err := term.Wait(within, func(s screentest.Screen) bool { return s.Title == "written" })
		if err != nil {
			t.Fatal(err)
		}
		pictures = append(pictures, s.Picture("vexa <chat> \x1b"))
	}
	if !bytes.Equal(pictures[0], pictures[1]) || bytes.Equal(pictures[0], pictures[2]) {
		t.Error("the same screen has two pictures, or a light and a dark one have the same")
	}
	for i, picture := range pictures {
		for dec := xml.NewDecoder(bytes.NewReader(picture)); ; {
			if _, err := dec.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("picture %d: %v", i, err)
			}
		}
		for _, word := range []string{"canary", "href", "url(", "@import", "<script", "<image"} {
			if strings.Contains(string(picture), word) {
				t.Errorf("picture %d holds %q", i, word)
			}
		}
	}
	if *update {
		if err := os.WriteFile("testdata/picture.golden", pictures[0], 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("testdata/picture.golden")
	if err != nil || !bytes.Equal(want, pictures[0]) {
		t.Errorf("testdata/picture.golden is not the picture (%v): go test ./pkg/screentest -run TestPicture -update", err)
	}
}
