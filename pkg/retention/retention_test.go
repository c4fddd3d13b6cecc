package retention_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/retention"
)

func TestLoad(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	got, err := retention.Load(dir)
	if err != nil || got != retention.Default() {
		t.Fatalf("without a file: %+v, %v", got, err)
	}
	text := `{"version":1,"dispatches":{"days":7,"count":0,"megabytes":2},"inference":{"days":3,"megabytes":64,"dispatchMegabytes":0,"answerMegabytes":1},"audit":{"days":90}}`
	if err := os.WriteFile(filepath.Join(dir, retention.File), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	want := retention.Default()
	want.Dispatches.Age, want.Dispatches.Count, want.Dispatches.Bytes = 7*24*time.Hour, 0, 2<<20
	want.Inference = retention.Inference{Age: 3 * 24 * time.Hour, Bytes: 64 << 20, Answer: 1 << 20}
	want.Audit.Age = 90 * 24 * time.Hour
	got, err = retention.Load(dir)
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%s%v", diff, err)
	}
}

func TestLoadRefuses(t *testing.T) {
	t.Parallel()
	for text, part := range map[string]string{
		``:                                       "ends too soon",
		`{}`:                                     "version",
		`{"version":2}`:                          "version",
		`{"version":1} {}`:                       "after its end",
		`{"version":1,"dispatch":{}}`:            "dispatch",
		`{"version":1,"dispatches":{"days":-1}}`: "/dispatches/days",
		`{"version":1,"sessions":{"count":9999999999}}`:       "/sessions/count",
		`{"version":1,"audit":{"days":99999999999999999999}}`: "audit.days",
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, retention.File)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := retention.Load(dir)
		if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), part) {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"version":1,"dispatches":{"days":7,"count":0,"megabytes":2},"inference":{"days":3},"audit":{"days":90}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := retention.Parse(data)
		if err != nil {
			return
		}
		if p.Dispatches.Age < 0 || p.Dispatches.Count < 0 || p.Dispatches.Bytes < 0 || p.Dispatches.Topic < 0 ||
			p.Inference.Age < 0 || p.Inference.Bytes < 0 || p.Inference.Dispatch < 0 || p.Inference.Answer < 0 ||
			p.Sessions.Age < 0 || p.Sessions.Count < 0 || p.Audit.Age < 0 || p.Audit.Bytes < 0 {
			t.Errorf("%s: %+v", data, p)
		}
	})
}
