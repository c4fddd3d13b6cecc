package runtimetest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"time"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/runtime"
)

var _ runtime.Prober = (*Memory)(nil)

// ImageDigest implements runtime.Prober.
func (m *Memory) ImageDigest(ctx context.Context, ref string) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.enter(ctx); err != nil {
		return "", err
	}
	if !m.images[ref] {
		return "", fault.Newf(fault.NotFound, "no image %s", ref)
	}
	return digestOf(ref), nil
}

// Try implements runtime.Prober.
func (m *Memory) Try(ctx context.Context, ref, install string, argv []string, most time.Duration) (exit runtime.Exit, err error) {
	m.mu.Lock()
	_, known := m.programs[argv[0]]
	m.mu.Unlock()
	name := "vexa-try-" + argv[0]
	id, err := m.Create(ctx, runtime.Container{
		Name: name, Image: ref, Dir: "/", Argv: argv, Labels: map[string]string{runtime.LabelInstall: install, runtime.LabelUnit: name},
	})
	if err != nil {
		return exit, err
	}
	defer func() { err = errors.Join(err, m.Remove(context.WithoutCancel(ctx), id)) }()
	if !known {
		return runtime.Exit{Code: runtime.ExitNoProgram}, nil
	}
	if err := m.Start(ctx, id); err != nil {
		return exit, err
	}
	waiting, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	exit, err = m.Wait(waiting, id)
	if err != nil && waiting.Err() != nil && ctx.Err() == nil {
		err = fault.Newf(fault.Timeout, "%s does not end", argv[0])
	}
	return exit, err
}

func (s *suite) probe() {
	p, ok := s.Driver.(runtime.Prober)
	if !ok {
		s.Skip("the driver does not look into images")
	}
	if _, err := p.ImageDigest(s.ctx(), "localhost/vexa/none:1"); !fault.Is(err, fault.NotFound) {
		s.Errorf("the digest of no image: %v", err)
	}
	s.ok(s.Driver.EnsureImage(s.ctx(), s.Image))
	digest, err := p.ImageDigest(s.ctx(), s.Image.Ref)
	s.ok(err)
	if again, err := p.ImageDigest(s.ctx(), s.Image.Ref); err != nil || again != digest || len(digest) != len("sha256:")+64 {
		s.Errorf("the digest is %q, then %q, %v", digest, again, err)
	}
	for _, c := range []struct {
		argv []string
		most time.Duration
		code int
		kind fault.Kind
	}{
		{s.Exit0, patience, 0, ""},
		{s.Exit7, patience, 7, ""},
		{[]string{"/no/such/program"}, patience, runtime.ExitNoProgram, ""},
		{s.Stubborn, 100 * time.Millisecond, 0, fault.Timeout},
	} {
		exit, err := p.Try(s.ctx(), s.Image.Ref, s.install, c.argv, c.most)
		if c.kind == "" && (err != nil || exit.Code != c.code) || c.kind != "" && !fault.Is(err, c.kind) {
			s.Errorf("%q ends with %+v, %v", c.argv, exit, err)
		}
	}
	ctx, cancel := context.WithTimeout(s.ctx(), 5*time.Millisecond)
	defer cancel()
	if _, err := p.Try(ctx, s.Image.Ref, s.install, s.Stubborn, patience); err == nil {
		s.Error("one whose caller went away is no error")
	}
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		list, err := s.Driver.List(s.ctx(), s.install)
		s.ok(err)
		if len(list) == 0 {
			return
		}
		if time.Now().After(deadline) {
			s.Fatalf("containers are left: %+v", list)
		}
	}
}

// digestOf is the digest of the only image that has a name in memory.
func digestOf(ref string) string {
	sum := sha256.Sum256([]byte(ref))
	return "sha256:" + hex.EncodeToString(sum[:])
}
