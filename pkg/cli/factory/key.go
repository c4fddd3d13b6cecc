package factory

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/home"
	"github.com/vexa-ai/vexa/pkg/keys"
	"github.com/vexa-ai/vexa/pkg/seal"
)

// OpenKeys finds the installation and the store of its keys. It opens none.
func (f *Factory) OpenKeys() (home.Home, *keys.Store, error) {
	h, err := f.OpenHome()
	if err != nil {
		return h, nil, err
	}
	if f.Keys == nil {
		return h, nil, Missing("keys")
	}
	s, err := f.Keys(h)
	return h, s, err
}

// KeyAccess is what the command line says about opening the installation's key.
type KeyAccess struct {
	Flag           string // the flag that PassphraseFile comes from, with its dashes
	PassphraseFile string // of the key, or of what Identity names; - for stdin
	Identity       string // the file of another key of the person's
	Question       string // the passphrase is asked for by; empty: "Passphrase: "
}

// OpenKey opens the installation's key. What is not on the command line is asked
// for on the terminal; where nobody can be asked the error is fault.Locked.
func (f *Factory) OpenKey(ctx context.Context, s *keys.Store, a KeyAccess) (*seal.Identity, error) {
	person := f.Person(a.Flag, a.PassphraseFile)
	if a.Identity != "" {
		opener, err := s.ReadOpener(ctx, a.Identity, person)
		if err != nil {
			return nil, err
		}
		return s.Open(ctx, keys.Access{Opener: opener})
	}
	with := keys.Access{Ask: f.MayAsk()}
	p, err := s.Protection()
	if err != nil {
		return nil, err
	}
	if p == seal.ByPassphrase {
		if with.Passphrase, err = person.Ask(ctx, cmp.Or(a.Question, "Passphrase: "), true); err != nil {
			return nil, err
		}
		defer clear(with.Passphrase)
	}
	return s.Open(ctx, with)
}

// MayAsk reports whether questions may be asked on the controlling terminal,
// whatever stdin and stderr are.
func (f *Factory) MayAsk() bool {
	return f.Terminal != nil && !f.Flags.NoInput && f.Env("VEXA_NO_INPUT") == ""
}

// Person returns the one who opens a key, on the terminal. Where the file is
// given, by the flag, it has the answer to whatever is secret.
func (f *Factory) Person(flag, file string) seal.Prompter { return &prompter{f, flag, file} }

// prompter implements seal.Prompter.
type prompter struct {
	f          *Factory
	flag, file string
}

// instead says what to do where nobody can be asked. What has no flags is started
// by other programs.
func (p *prompter) instead() string {
	if p.flag == "" {
		return "vexa unlock, after which the daemon lends it; or run it on a terminal, without VEXA_NO_INPUT; or have it open with your session: vexa key protect --keyring"
	}
	return "use " + p.flag + " FILE, - for stdin"
}

// Say implements seal.Prompter.
func (p *prompter) Say(text string) { p.f.Say("%s", text) }

// Ask implements seal.Prompter.
func (p *prompter) Ask(ctx context.Context, question string, secret bool) ([]byte, error) {
	switch {
	case secret && p.file != "":
		return p.f.ReadSecret(p.file)
	case !p.f.MayAsk():
		return nil, fault.New(fault.Locked, "the key needs its passphrase", p.instead())
	case secret:
		return p.f.AskSecret(ctx, question, p.instead())
	default:
		answer, err := p.f.Ask(ctx, question, p.instead())
		return []byte(answer), err
	}
}

// Confirm implements seal.Prompter.
func (p *prompter) Confirm(ctx context.Context, question, yes, no string) (bool, error) {
	choices := yes
	if no != "" {
		choices += " or " + no
	}
	answer, err := p.f.Ask(ctx, question+" ["+choices+"] ", "run it on a terminal")
	answer = strings.TrimSpace(answer)
	return err == nil && (no == "" || strings.EqualFold(answer, yes)), err
}

// NewPassphrase asks for a new passphrase, twice; it may be empty. again says
// what to do where the two differ, instead as AskSecret has it.
func (f *Factory) NewPassphrase(ctx context.Context, question, again, instead string) ([]byte, error) {
	first, err := f.AskSecret(ctx, question, instead)
	if err != nil || len(first) == 0 {
		return nil, err
	}
	second, err := f.AskSecret(ctx, "The same again: ", instead)
	if err != nil {
		return nil, err
	}
	defer clear(second)
	if !slices.Equal(first, second) {
		clear(first)
		return nil, fault.New(fault.Usage, "the passphrases differ", again)
	}
	return first, nil
}
