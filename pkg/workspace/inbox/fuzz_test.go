package inbox

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/contract/inboxv1"
	"github.com/vexa-ai/vexa/pkg/seal"
	"github.com/vexa-ai/vexa/pkg/signature"
	"github.com/vexa-ai/vexa/pkg/workspace/blob/mem"
	"github.com/vexa-ai/vexa/pkg/workspace/bucket"
)

// open are keys that open everything: what is stored is what is inside.
type open struct{ bucket.Keys }

func (open) OpenKeyring(_ context.Context, sealed []byte) ([]byte, error) { return sealed, nil }

// FuzzDecode: no text passes for a notice or a delivery that is not one line which a
// key signed, whatever it is.
func FuzzDecode(f *testing.F) {
	signer, err := signature.Derive("fuzz")
	if err != nil {
		f.Fatal(err)
	}
	id, err := seal.NewIdentity()
	if err != nil {
		f.Fatal(err)
	}
	const own = "0f6102a89253cc7f251dda593f09a3aa"
	line, err := json.Marshal(inboxv1.Notice{
		Kind: inboxv1.KindNotice, Bucket: own, Version: 1, Epoch: 1, Recipient: id.Recipient(), ObjectFormat: "sha1",
		Administrators: []string{signer.Key().String()}, Depositors: []inboxv1.Depositor{}, Time: time.Unix(0, 0).UTC().Format(time.RFC3339),
	})
	if err != nil {
		f.Fatal(err)
	}
	text, err := signature.SignLine(signer, NoticeNamespace, line)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add(text[:len(text)-1])
	f.Add(append([]byte(" "), text...))
	f.Add([]byte("{}\n"))
	x := &Box{Beside: bucket.Beside{Bucket: own, Store: mem.New().Handle(), Keys: open{}}}
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := x.decode(t.Context(), noticeName(inboxv1.Notice{Epoch: 1, Version: 1}, data), data)
		if err != nil {
			return
		}
		if got.by != signer.Key().String() || got.Bucket != own || strings.Count(string(data), "\n{") != 0 || !strings.HasPrefix(string(data), "{") {
			t.Errorf("%q passes", data)
		}
	})
}
