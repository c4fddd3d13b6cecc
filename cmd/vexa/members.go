package main

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/vexa-ai/vexa/pkg/contract/manifestv1"
	"github.com/vexa-ai/vexa/pkg/home"
	"github.com/vexa-ai/vexa/pkg/keys"
	"github.com/vexa-ai/vexa/pkg/seal"
)

// ownMembers returns who the members of a new bucket of this installation are:
// the person, with every key of theirs, and the recovery key where there is one.
func ownMembers(h home.Home, chain *seal.Keychain, postQuantum bool) ([]manifestv1.Member, error) {
	store, err := keyStore(h)
	if err != nil {
		return nil, err
	}
	to, err := chain.Recipients(postQuantum)
	if err != nil {
		return nil, err
	}
	signer, err := keys.Signer(chain.Classic())
	if err != nil {
		return nil, err
	}
	info, err := store.Show()
	if err != nil {
		return nil, err
	}
	who, err := caller()
	if err != nil {
		return nil, err
	}
	all := []manifestv1.Right{{Refs: "refs/*", Allow: []string{"write", "admin"}}}
	me := manifestv1.Member{ID: who.Subject, Name: strings.TrimPrefix(who.Subject, "u_"), Signers: []string{signer.Key().String()}, Rights: all}
	for _, r := range to {
		me.Recipients = append(me.Recipients, r.String())
	}
	for _, text := range info.Added {
		r, err := store.ParseRecipient(text)
		if err != nil {
			return nil, err
		}
		if r.PostQuantum() == postQuantum {
			me.Recipients = append(me.Recipients, r.String())
		}
	}
	out := []manifestv1.Member{me}
	if r := info.Recovery; r != nil {
		recipient := r.Recipient
		if postQuantum {
			recipient = r.PostQuantum
		}
		out = append(out, manifestv1.Member{
			ID: "recovery", Name: "recovery key", Recipients: []string{recipient}, Signers: []string{r.SigningKey}, Rights: all, Recovery: true,
		})
	}
	return out, nil
}

// cacheName is the name of the local cache of a Git remote.
func cacheName(address string) string {
	sum := sha256.Sum256([]byte(address))
	return hex.EncodeToString(sum[:8]) + ".git"
}
