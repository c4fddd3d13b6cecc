package workspace_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace"
	"github.com/vexa-ai/vexa/pkg/workspace/bucket"
)

// player is one installation in TestNothingAcknowledgedIsLost.
type player struct {
	*world
	name  string
	units int
	live  []*workspace.Checkout
}

// begin checks the workspace out for another dispatch.
func (p *player) begin(t *testing.T) {
	t.Helper()
	p.units++
	p.live = append(p.live, p.checkout(t, fmt.Sprintf("01%s%04d", p.name, p.units)))
}

// crash ends the process and takes what is readable with it, as a machine that
// loses power does; checkouts are memory, too.
func (p *player) crash(t *testing.T) {
	t.Helper()
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(p.repos()); err != nil {
		t.Fatal(err)
	}
	p.live = nil
	p.open(t)
}

// acknowledged is a line that a seal said was saved.
type acknowledged struct {
	file, line string
	branch     string // that has it; empty: main
}

// TestNothingAcknowledgedIsLost: two people's dispatches edit the same pages in
// any order, merge, conflict, are undone by a crash before they were saved, or
// closed; people push, resolve and accept proposals between them, and somebody who reads
// nothing delivers: what a seal or a push said is saved is there in the end, on both sides.
func TestNothingAcknowledgedIsLost(t *testing.T) {
	t.Parallel()
	for seed := range uint64(scale(40, 4)) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			interleave(t, rand.New(rand.NewPCG(seed, 5)))
		})
	}
}

func interleave(t *testing.T, r *rand.Rand) {
	t.Helper()
	ctx := context.Background()
	page := "---\nstatus: draft\ntags: [a]\n---\n# Page\n\nfirst\n\n\n\nmiddle\n\n\n\nlast\n"
	jane, joe := &player{world: newWorld(t), name: "JANE"}, &player{world: newWorld(t), name: "JOE"}
	jane.create(t, "notes", map[string]string{"one.md": page, "two.md": page, "three.md": page})
	if _, _, err := jane.AddMember(ctx, "notes", workspace.NewMember{Introduction: joe.introduced(t, "joe"), Rights: writes("refs/*")}); err != nil {
		t.Fatal(err)
	}
	text, err := jane.Invite(ctx, "notes", "joe")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := joe.Join(ctx, workspace.JoinRequest{Invitation: text}); err != nil {
		t.Fatal(err)
	}
	ci := jane.blind(t, "ci", "refs/heads/ci/*")
	delivered := ""
	players, files := []*player{jane, joe}, []string{"one.md", "two.md", "three.md"}
	var saved []acknowledged
	for step := range 40 {
		p := players[r.IntN(2)]
		switch op := r.IntN(24); {
		case op == 22:
			delivered += fmt.Sprintf("line %d delivered\n", step)
			ci.mustPush("refs/heads/ci/log", ci.commit(map[string]string{"log.md": delivered}))
		case op == 23: // what was delivered before is encrypted to the key before
			if _, err := jane.Rotate(ctx, "notes", true, false); err != nil {
				t.Fatal(err)
			}
		case op == 0:
			p.crash(t)
		case op == 1:
			if err := p.Shut(ctx, "notes"); err != nil {
				t.Fatal(err)
			}
		case op == 2:
			line := fmt.Sprintf("line %d pushed by %s", step, p.name)
			file := files[r.IntN(len(files))]
			if p.pushLine(t, file, line) {
				saved = append(saved, acknowledged{file: file, line: line})
			}
		case op == 3 || op == 4:
			for _, branch := range p.settle(t, r) {
				for i := range saved {
					if saved[i].branch == branch {
						saved[i].branch = ""
					}
				}
			}
		case op < 11 && len(p.live) < 3 || len(p.live) == 0:
			p.begin(t)
		default:
			i := r.IntN(len(p.live))
			c := p.live[i]
			p.live = append(p.live[:i], p.live[i+1:]...)
			line := fmt.Sprintf("line %d of %s", step, c.Unit())
			file := files[r.IntN(len(files))]
			edit(t, c.Dir()+"/"+file, []string{"first\n", "middle\n", "last\n"}[r.IntN(3)], line)
			out, err := p.trySeal(c, line)
			if err != nil {
				t.Fatalf("step %d: %v", step, err)
			}
			a := acknowledged{file: file, line: line}
			if !out.Merged {
				a.branch = out.Branch
			}
			saved = append(saved, a)
		}
	}
	beside := slices.DeleteFunc(slices.Clone(saved), func(a acknowledged) bool { return a.branch == "" })
	t.Logf("%d lines are saved, %d of them beside main", len(saved), len(beside))
	for _, p := range players {
		p.crash(t)
		for _, a := range saved {
			data, err := p.ReadFile(ctx, "notes", a.branch, a.file)
			if err != nil && !fault.Is(err, fault.NotFound) {
				t.Fatal(err)
			}
			if n := strings.Count(string(data), a.line+"\n"); n != 1 {
				t.Errorf("%s: %q is in %s of %q %d times", p.name, a.line, a.file, a.branch, n)
			}
		}
		if data, err := p.ReadFile(ctx, "notes", "ci/log", "log.md"); delivered != "" && (err != nil || string(data) != delivered) {
			t.Errorf("%s: of what was delivered there is %q, %v; want %q", p.name, data, err, delivered)
		}
		if rep, err := p.Verify(ctx, "notes", true); err != nil || !rep.Healthy {
			t.Errorf("%s: %+v, %v", p.name, rep, err)
		}
	}
}

// pushLine adds a line to a page in a clone and pushes it to main; it reports whether
// nobody was faster.
func (p *player) pushLine(t *testing.T, file, line string) bool {
	t.Helper()
	ctx := context.Background()
	info, err := p.Lookup(ctx, "notes")
	if err != nil {
		t.Fatal(err)
	}
	clone := p.clone(t, info)
	edit(t, clone+"/"+file, "last\n", line)
	plainGit(t, clone, "commit", "-q", "-am", line)
	b, err := p.buckets.Open(ctx, info.Bucket)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	g := p.git.Repo(clone + "/.git")
	defer g.Close()
	repo, err := bucket.OpenRepo(ctx, g)
	if err != nil {
		t.Fatal(err)
	}
	_, results, err := b.Push(ctx, repo, []bucket.Update{{Ref: "refs/heads/main", New: strings.TrimSpace(plainGit(t, clone, "rev-parse", "HEAD"))}}, bucket.PushOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return results[0].Err == nil
}

// settle takes an open proposal, keeps the lines of both sides where it conflicts, and
// accepts it. It returns the branches that main has now.
func (p *player) settle(t *testing.T, r *rand.Rand) []string {
	t.Helper()
	ctx := context.Background()
	list, err := p.Proposals(ctx, "notes", false)
	if err != nil {
		t.Fatal(err)
	}
	if len(list) == 0 {
		return nil
	}
	q, err := p.RefreshProposal(ctx, "notes", list[r.IntN(len(list))].ID, jane)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range q.Conflicts {
		sides, err := p.ProposalSides(ctx, "notes", q.ID, c.Path)
		if err != nil {
			t.Fatal(err)
		}
		both := string(sides.Ours)
		for line := range strings.Lines(string(sides.Theirs)) {
			if strings.HasPrefix(line, "line ") && !strings.Contains(both, line) {
				both = strings.Replace(both, "last\n", "last\n"+line, 1)
			}
		}
		if q, err = p.ResolveProposal(ctx, "notes", q.ID, workspace.Resolution{Paths: []string{c.Path}, How: "edited", Content: []byte(both), From: q.From, Source: q.Source, Author: jane}); err != nil {
			t.Fatal(err)
		}
	}
	if q.Status == "open" {
		if q, err = p.AcceptProposal(ctx, "notes", q.ID, q.Result, jane); err != nil {
			t.Fatal(err)
		}
	}
	return []string{strings.TrimPrefix(q.Branch, "refs/heads/")}
}

// edit adds a line behind another one, and a tag to the page.
func edit(t *testing.T, path, after, line string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(data), after, after+line+"\n", 1)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
