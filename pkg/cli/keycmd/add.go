package keycmd

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/vexa-ai/vexa/pkg/cli/factory"
	"github.com/vexa-ai/vexa/pkg/cli/grammar"
	"github.com/vexa-ai/vexa/pkg/cli/plain"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/keys"
	"github.com/vexa-ai/vexa/pkg/seal"
)

// AddOptions is what the command line of vexa key add says.
type AddOptions struct {
	Factory *factory.Factory
	Keys    []string

	opening opening
}

func newAdd(f *factory.Factory) *cobra.Command {
	o := &AddOptions{Factory: f}
	cmd := &cobra.Command{
		Use:   "add KEY...",
		Short: "Let another key of yours open this installation",
		Long: "Makes a copy of the installation's key for each KEY, which opens it from then on:\n" +
			"vexa unlock --identity FILE. KEY is age1..., ssh-ed25519 ..., the recipient of an age\n" +
			"plugin (a key in hardware, say), or the path of a .pub file. The program of a plugin is\n" +
			"named in config/plugins.json, by its absolute path; no other is ever started.\n\n" +
			"The keyring of every workspace is encrypted to it, too, so that age itself opens it;\n" +
			"that of a post-quantum workspace only to keys that are post-quantum, too.\n" +
			"It takes nothing away: what opened the key before opens it still. To let only the added\n" +
			"keys open it: vexa key protect --keys.",
		Example: "$ vexa key add ~/.ssh/id_ed25519.pub\n$ vexa key add age1yubikey1...\n$ vexa key add \"ssh-ed25519 AAAA... me@work\" age1...",
		Args:    grammar.Args("KEY..."),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Keys = args
			return runAdd(cmd.Context(), o)
		},
	}
	o.opening.addFlags(cmd)
	return cmd
}

func runAdd(ctx context.Context, o *AddOptions) error {
	f := o.Factory
	h, s, err := f.OpenKeys()
	if err != nil {
		return err
	}
	var to []seal.Recipient
	for _, key := range o.Keys { // all of them, before anything is asked
		r, err := recipient(s, key)
		if err != nil {
			return err
		}
		to = append(to, r)
	}
	s, id, err := o.opening.open(ctx, f)
	if err != nil {
		return err
	}
	for _, r := range to {
		added, err := s.Add(id, r)
		if err != nil {
			return grammar.Argument(err)
		}
		if !added {
			f.Notice("%s opens it already", short(r.String()))
			continue
		}
		f.Notice("added %s", short(r.String()))
	}
	if p, err := s.Protection(); err == nil && p == seal.Unprotected {
		f.Warn("the key has no passphrase: whoever has its file needs no other key; see vexa key protect")
	}
	tellWorkspaces(ctx, f, h)
	return nil
}

// recipient reads KEY, or the file that it names.
func recipient(s *keys.Store, key string) (seal.Recipient, error) {
	if !strings.HasPrefix(key, "age1") && !strings.HasPrefix(key, "ssh-") && !strings.HasPrefix(key, "AGE-") {
		text, err := publicFile(key)
		if err != nil {
			return seal.Recipient{}, err
		}
		key = text
	}
	r, err := s.ParseRecipient(key)
	return r, grammar.Argument(err)
}

// maxPublic bounds a file with a public key, in bytes.
const maxPublic = 64 << 10

// publicFile returns the one line of a .pub file.
func publicFile(path string) (string, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", fault.New(fault.NotFound, "neither a key nor a file: "+plain.Line(path), "give age1..., ssh-ed25519 ..., or the path of a .pub file")
	}
	if err != nil {
		return "", fault.Newf(fault.Usage, "read a public key: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxPublic))
	if err != nil {
		return "", fault.Newf(fault.Usage, "read a public key: %w", err)
	}
	text := strings.TrimSpace(string(data))
	if strings.Contains(text, "PRIVATE KEY") || strings.Contains(text, "AGE-SECRET-KEY") || strings.Contains(text, "AGE-PLUGIN") {
		return "", fault.New(fault.Usage, path+" holds a private key", "give the public half, as in "+path+".pub")
	}
	if strings.ContainsAny(text, "\n\r") {
		return "", fault.New(fault.Usage, path+" does not hold one public key", "give a file with one line, or the key itself")
	}
	return text, nil
}
