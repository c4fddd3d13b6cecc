package inbox

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"

	"github.com/vexa-ai/vexa/pkg/contract/inboxv1"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/atomicfile"
	"github.com/vexa-ai/vexa/pkg/internal/filelock"
	"github.com/vexa-ai/vexa/pkg/seal"
)

// deliveredLock guards deliveredFile.
const deliveredLock = deliveredFile + ".lock"

// Delivered returns the refs that this installation delivered, and what it made them.
// What became of them it does not see. They rest encrypted to the installation: names
// of refs say much.
func (x *Box) Delivered(ctx context.Context) (map[string]string, error) {
	out := map[string]string{}
	sealed, err := os.ReadFile(x.path(deliveredFile))
	if errors.Is(err, fs.ErrNotExist) {
		return out, nil
	}
	if err != nil {
		return nil, err
	}
	text, err := x.Keys.OpenKeyring(ctx, sealed)
	if err == nil {
		err = json.Unmarshal(text, &out)
	}
	if err != nil && !fault.Is(err, fault.Locked) {
		return nil, &fault.Error{Kind: fault.Invalid, Err: err, Msg: x.path(deliveredFile) + " is damaged: it says what was delivered before", Hint: "remove it; everything is sent again then"}
	}
	return out, err
}

// noteDelivered adds to what was delivered.
func (x *Box) noteDelivered(ctx context.Context, updates []inboxv1.Update) error {
	held, err := filelock.Wait(ctx, x.path(deliveredLock))
	if err != nil {
		return err
	}
	defer held.Release()
	now, err := x.Delivered(ctx)
	if err != nil {
		return err
	}
	for _, u := range updates {
		now[u.Ref] = u.ID
	}
	text, err := json.Marshal(now)
	if err != nil {
		return err
	}
	signer, err := x.Keys.Signer(ctx)
	if err != nil {
		return err
	}
	to, err := seal.ParseRecipient(signer.Key().String())
	if err != nil {
		return err
	}
	sealed, err := seal.EncryptBytes(text, to)
	if err != nil {
		return err
	}
	return atomicfile.WriteFile(x.path(deliveredFile), sealed, 0o600)
}
