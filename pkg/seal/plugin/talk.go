package plugin

import (
	"context"
	"encoding/base64"
	"errors"
	"slices"
	"time"

	"filippo.io/age"

	"github.com/vexa-ai/vexa/pkg/fault"
)

// UI is how a plugin speaks with the person. Where a function is missing or
// fails, the plugin is told that nobody answers. What a plugin says is foreign
// text.
type UI struct {
	Message func(text string) error
	Value   func(prompt string, secret bool) ([]byte, error)
	Confirm func(prompt, yes, no string) (bool, error) // no may be empty
}

// wrapper is an age recipient. It tells whether it is post-quantum when it has
// encrypted, by the labels that the plugin gives.
type wrapper func(fileKey []byte) ([]*age.Stanza, []string, error)

// Wrap implements age.Recipient.
func (w wrapper) Wrap(fileKey []byte) ([]*age.Stanza, error) {
	stanzas, _, err := w(fileKey)
	return stanzas, err
}

// WrapWithLabels implements age.RecipientWithLabels.
func (w wrapper) WrapWithLabels(fileKey []byte) ([]*age.Stanza, []string, error) { return w(fileKey) }

// unwrapper is an age identity.
type unwrapper func([]*age.Stanza) ([]byte, error)

// Unwrap implements age.Identity.
func (u unwrapper) Unwrap(stanzas []*age.Stanza) ([]byte, error) { return u(stanzas) }

// Recipient returns the recipient age1NAME1… of this program, which is started
// for each file and asks nobody. An error is fault.Invalid where the program
// refuses the recipient, and fault.Timeout after half a minute.
func (p Program) Recipient(text string) age.Recipient {
	return wrapper(func(fileKey []byte) ([]*age.Stanza, []string, error) {
		var w wrapped
		stop := make(chan struct{})
		late := time.AfterFunc(wrapTime, func() { close(stop) })
		err := p.run("recipient-v1", stop, func(s session) error { return w.talk(s, p, text, fileKey) })
		if !late.Stop() && err != nil {
			return nil, nil, fault.New(fault.Timeout, "the plugin "+p.Name+" takes too long to encrypt", "try it by itself: "+p.Path)
		}
		return w.stanzas, w.labels, err
	})
}

// Identity returns the identity AGE-PLUGIN-NAME-1… of this program, which is
// started for each file, once. It waits for the person until ctx ends. An error
// is fault.Denied where the program says that it cannot open the file.
func (p Program) Identity(ctx context.Context, text string, ui UI) age.Identity {
	return unwrapper(func(stanzas []*age.Stanza) ([]byte, error) {
		var key []byte
		err := p.run("identity-v1", ctx.Done(), func(s session) (err error) {
			key, err = p.unwrap(s, text, stanzas, ui)
			return err
		})
		if err != nil && ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return key, err
	})
}

type wrapped struct {
	stanzas []*age.Stanza
	labels  []string
}

// talk asks for fileKey to be encrypted, and takes what the plugin answers.
func (w *wrapped) talk(s session, p Program, text string, fileKey []byte) error {
	err := errors.Join(s.say("add-recipient", nil, text), s.say("wrap-file-key", fileKey), s.say("extension-labels", nil), s.say("done", nil))
	for err == nil {
		var st stanza
		if st, err = readStanza(s.out); err != nil {
			break
		}
		switch {
		case st.kind == "done" && len(w.stanzas) == 0:
			return errors.New("it encrypted nothing")
		case st.kind == "done":
			return nil
		case st.kind == "error":
			return &fault.Error{Kind: fault.Invalid, Msg: "the plugin " + p.Name + " refuses the recipient", Err: errors.New(string(st.body))}
		case st.kind == "recipient-stanza" && len(st.args) >= 2 && st.args[0] == "0":
			w.stanzas = append(w.stanzas, &age.Stanza{Type: st.args[1], Args: st.args[2:], Body: st.body})
			err = s.say("ok", nil)
		case st.kind == "labels" && w.labels == nil:
			w.labels = slices.Clone(st.args)
			err = s.say("ok", nil)
		case st.kind == "recipient-stanza" || st.kind == "labels":
			return errors.New("its " + st.kind + " is malformed")
		default:
			err = s.answer(st, UI{}) // it is told that nobody is there
		}
	}
	return err
}

// unwrap gives the plugin the header of one file and returns the file's key;
// age.ErrIncorrectIdentity says that it is for another.
func (p Program) unwrap(s session, text string, stanzas []*age.Stanza, ui UI) ([]byte, error) {
	err := s.say("add-identity", nil, text)
	for _, st := range stanzas {
		err = errors.Join(err, s.say("recipient-stanza", st.Body, append([]string{"0", st.Type}, st.Args...)...))
	}
	var key []byte
	for err = errors.Join(err, s.say("done", nil)); err == nil; {
		var st stanza
		if st, err = readStanza(s.out); err != nil {
			break
		}
		switch {
		case st.kind == "done" && key == nil:
			return nil, age.ErrIncorrectIdentity
		case st.kind == "done":
			return key, nil
		case st.kind == "error":
			return nil, &fault.Error{Kind: fault.Denied, Msg: "the plugin " + p.Name + " does not open it", Err: errors.New(string(st.body))}
		case st.kind == "file-key" && key == nil && len(st.args) == 1 && st.args[0] == "0" && len(st.body) > 0:
			key = st.body
			err = s.say("ok", nil)
		case st.kind == "file-key":
			return nil, errors.New("its file-key is malformed")
		default:
			err = s.answer(st, ui)
		}
	}
	return nil, err
}

// answer gives the person's answer to what the plugin asks, or says that there
// is none.
func (s session) answer(st stanza, ui UI) error {
	switch {
	case st.kind == "msg" && ui.Message != nil:
		if ui.Message(string(st.body)) == nil {
			return s.say("ok", nil)
		}
	case (st.kind == "request-secret" || st.kind == "request-public") && ui.Value != nil:
		if value, err := ui.Value(string(st.body), st.kind == "request-secret"); err == nil {
			defer clear(value)
			return s.say("ok", value)
		}
	case st.kind == "confirm" && ui.Confirm != nil && (len(st.args) == 1 || len(st.args) == 2):
		if choice, err := confirm(st, ui); err == nil {
			return s.say("ok", nil, choice)
		}
	case st.kind != "msg" && st.kind != "request-secret" && st.kind != "request-public" && st.kind != "confirm":
		return s.say("unsupported", nil)
	}
	return s.say("fail", nil)
}

func confirm(st stanza, ui UI) (string, error) {
	var words [2]string
	for i, arg := range st.args {
		text, err := base64.RawStdEncoding.Strict().DecodeString(arg)
		if err != nil {
			return "", err
		}
		words[i] = string(text)
	}
	yes, err := ui.Confirm(string(st.body), words[0], words[1])
	if err != nil || !yes {
		return "no", err
	}
	return "yes", nil
}
