package fault

import (
	"errors"
	"fmt"
	"io"
	"testing"
)

func TestKindAndHintThroughWrapping(t *testing.T) {
	t.Parallel()
	err := fmt.Errorf("outer: %w", New(NotFound, "there is no workspace notes", "vexa workspace list"))
	if KindOf(err) != NotFound || HintOf(err) != "vexa workspace list" || !Is(err, NotFound) {
		t.Fatalf("kind %s, hint %q", KindOf(err), HintOf(err))
	}
	if KindOf(io.EOF) != Internal || HintOf(io.EOF) != "" || Is(nil, Internal) {
		t.Fatal("an unclassified error is internal, nil is nothing")
	}
}

func TestHintOfAnInnerError(t *testing.T) {
	t.Parallel()
	err := Wrap(Unavailable, "start", New(Denied, "no", "ask again"))
	if KindOf(err) != Unavailable || HintOf(err) != "ask again" || err.Error() != "start: no" {
		t.Fatalf("%s, %q, %q", KindOf(err), HintOf(err), err)
	}
}

func TestNewfWrapsOnce(t *testing.T) {
	t.Parallel()
	err := Newf(Conflict, "open %s: %w", "a", io.EOF)
	if err.Error() != "open a: EOF" || !errors.Is(err, io.EOF) {
		t.Fatalf("%q", err)
	}
	if Wrap(Internal, "x", nil) != nil {
		t.Fatal("wrapping nil is nil")
	}
}
