package sessionid_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/sessionid"
)

const (
	one   = "05db09cc-1111-4111-8111-111111111111"
	two   = "05db0aaa-2222-4222-9222-222222222222"
	three = "f0000000-3333-4333-a333-333333333333"
)

// A session is named by as many letters of its id as tell it from the others.
func TestFind(t *testing.T) {
	t.Parallel()
	ids := []string{one, two, three, one}
	for text, want := range map[string]string{
		one: one, strings.ToUpper(two): two, "05db09cc": one, "05DB0A": two, "f": three, "05db09cc-": one, "05db09cc-1111-4": one, "f0000000-3333-4333-a333-33333333333": three,
	} {
		if got, err := sessionid.Find(text, ids); got != want || err != nil {
			t.Errorf("%s: %s, %v", text, got, err)
		}
	}
	_, err := sessionid.Find("05db", ids)
	if !fault.Is(err, fault.Conflict) || !strings.Contains(err.Error(), one+", "+two) || strings.Contains(err.Error(), three) || fault.HintOf(err) == "" {
		t.Errorf("one of two: %v", err)
	}
	for _, text := range []string{"1", "05db09cd", "ffffffff-ffff-4fff-8fff-ffffffffffff"} {
		if got, err := sessionid.Find(text, ids); !fault.Is(err, fault.NotFound) || fault.HintOf(err) == "" {
			t.Errorf("%s: %s, %v", text, got, err)
		}
	}
}

// Those of the first list that has one are not confused with the others.
func TestFindInTheFirstList(t *testing.T) {
	t.Parallel()
	if got, err := sessionid.Find("05", []string{one}, []string{two}); got != one || err != nil {
		t.Errorf("%s, %v", got, err)
	}
	if got, err := sessionid.Find("05", []string{three}, []string{two}); got != two || err != nil {
		t.Errorf("%s, %v", got, err)
	}
	if got, err := sessionid.Find("05"); !fault.Is(err, fault.NotFound) {
		t.Errorf("%s, %v", got, err)
	}
}

// What is no id, and cannot become one, is told from what is not there.
func TestWhatCanBeNoID(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", "../x", "nope", "05db09cc_", "05db09ccc", "05db09cc-1111-5", "05db09cc-1111-4111-7", one + "1", one + "\n", "05db\n", "--------", "٣", strings.Repeat("a", 1000),
	} {
		if _, err := sessionid.Find(text, []string{one}); !fault.Is(err, fault.Invalid) || fault.HintOf(err) == "" {
			t.Errorf("%q: %v", text, err)
		}
		if sessionid.Whole(text) {
			t.Errorf("%q is a whole id", text)
		}
	}
	for n := 1; n <= len(one); n++ {
		if err := sessionid.Check(one[:n]); err != nil || sessionid.Whole(one[:n]) != (n == len(one)) {
			t.Errorf("%s: %v", one[:n], err)
		}
	}
}

// A crowd is not printed whole.
func TestMany(t *testing.T) {
	t.Parallel()
	var ids []string
	for n := range 20 {
		ids = append(ids, fmt.Sprintf("05db09cc-1111-4111-8111-%012d", n))
	}
	if _, err := sessionid.Find("05", ids); !fault.Is(err, fault.Conflict) || !strings.HasSuffix(err.Error(), ids[4]+" and 15 more") {
		t.Errorf("%v", err)
	}
}
