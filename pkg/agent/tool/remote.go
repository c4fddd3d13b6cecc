package tool

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"

	"github.com/vexa-ai/vexa/pkg/agent/model"
	"github.com/vexa-ai/vexa/pkg/contract/toolv1"
)

// Remote calls tools that run elsewhere. The text is the model's to read; failed
// says that it tells what went wrong.
type Remote interface {
	Call(ctx context.Context, tool string, arguments json.RawMessage) (text string, failed bool, err error)
}

// maxName is the longest name that every model API takes.
const maxName = 64

// Offer adds tools that run elsewhere, under names that every model API takes
// and no other tool of the box has.
func (b *Box) Offer(r Remote, tools []toolv1.Tool) {
	for _, t := range tools {
		b.tools = append(b.tools, builtin{
			Tool: model.Tool{Name: b.freeName(t.Name), Description: cmp.Or(t.Description, t.Title), Schema: t.InputSchema},
			run: func(ctx context.Context, arguments json.RawMessage) (string, error) {
				text, failed, err := r.Call(ctx, t.Name, arguments)
				switch {
				case err != nil:
					return "", err
				case failed:
					return "", errors.New(text)
				}
				return text, nil
			},
		})
	}
}

// freeName makes a name of letters, digits, _ and - alone: vexa.echo becomes
// vexa_echo. Where that is too long or taken, its end tells it apart.
func (b *Box) freeName(name string) string {
	out := strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '_', r == '-':
			return r
		default:
			return '_'
		}
	}, name)
	if len(out) <= maxName && !b.has(out) {
		return out
	}
	sum := sha256.Sum256([]byte(name))
	end := "_" + hex.EncodeToString(sum[:4])
	return out[:min(len(out), maxName-len(end))] + end
}

func (b *Box) has(name string) bool {
	for _, t := range b.tools {
		if t.Name == name {
			return true
		}
	}
	return false
}
