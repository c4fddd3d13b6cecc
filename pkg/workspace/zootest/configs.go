package zootest

import "strings"

// hostile is a repository whose configuration, or a hook, runs the canary. In
// texts CANARY stands for it, and PEN for the tree.
func hostile(name string, r repository, steps ...string) Animal {
	kept := []string{"f.md"}
	for file := range r.files {
		kept = append(kept, strings.TrimSuffix(file, "!"))
	}
	return Animal{
		Name:    name,
		Plant:   func(p Pen) error { return r.in(p).planted(p) },
		Kept:    kept,
		Refused: map[string]string{".git": "Git directory"},
		Bite:    Bite{Steps: steps, Runs: true},
	}
}

func (r repository) planted(p Pen) error {
	return r.plant(p, ".git")
}

// in fills in where the pen is.
func (r repository) in(p Pen) repository {
	fill := strings.NewReplacer("CANARY", p.Canary(), "PEN", p.Dir, "VICTIM", p.Victim(), "OUTSIDE", p.Outside)
	filled := func(f files) files {
		out := files{}
		for name, text := range f {
			out[name] = fill.Replace(text)
		}
		return out
	}
	r.config, r.files, r.extra = fill.Replace(r.config), filled(r.files), filled(r.extra)
	return r
}

// configs are the settings and hooks with which a repository runs programs: the
// whole matrix of which command of git is bitten by which of them.
func configs() []Animal {
	const hook = "#!/bin/sh\nexec CANARY\n"
	attr := func(text string) files { return files{".gitattributes": text + "\n"} }
	of := func(config string) repository { return repository{config: config + "\n"} }
	with := func(f files, config string) repository { return repository{files: f, config: config + "\n"} }
	remote := func(config string) repository { return of("[remote \"o\"]\n" + config) }
	return []Animal{
		hostile("fsmonitor", of("[core]\nfsmonitor = CANARY"), "git status"),
		hostile("hook pre-commit", repository{extra: files{"hooks/pre-commit!": hook}}, "git commit -qam x"),
		hostile("hook post-index-change", repository{extra: files{"hooks/post-index-change!": hook}}, "git add -A"),
		hostile("hook post-checkout", repository{extra: files{"hooks/post-checkout!": hook}}, "git checkout -qf side"),
		hostile("hook reference-transaction", repository{extra: files{"hooks/reference-transaction!": hook}}, "git branch new"),
		hostile("hook pre-push", repository{extra: files{"hooks/pre-push!": hook}}, "git push -q . main:other"),
		hostile("hooksPath in the tree", with(files{"tools/post-index-change!": hook}, "[core]\nhooksPath = PEN/tools"), "git add -A"),
		func() Animal {
			a := hostile("hook by configuration", of("[hook \"x\"]\ncommand = CANARY\nevent = post-index-change"), "git add -A")
			a.Bite.Since = "2.54"
			return a
		}(),
		hostile("filter clean", with(attr("* filter=x"), "[filter \"x\"]\nclean = CANARY"), "git status"),
		hostile("filter process", with(attr("* filter=x"), "[filter \"x\"]\nprocess = CANARY"), "git add -A"),
		hostile("filter smudge", with(attr("* filter=x"), "[filter \"x\"]\nsmudge = CANARY"), "git checkout -qf side"),
		hostile("diff external", of("[diff]\nexternal = CANARY"), "git diff"),
		hostile("diff command", with(attr("* diff=x"), "[diff \"x\"]\ncommand = CANARY"), "git diff"),
		hostile("diff textconv", with(attr("* diff=x"), "[diff \"x\"]\ntextconv = CANARY"), "git log -p"),
		hostile("merge driver", with(attr("* merge=x"), "[merge \"x\"]\ndriver = CANARY"), "git reset -q --hard", "git merge side"),
		hostile("merge-tree driver", repository{
			files: attr("* merge=x"), config: "[merge \"x\"]\ndriver = CANARY\n", extra: files{"info/attributes": "* merge=x\n"},
		}, "git merge-tree --write-tree main side"),
		hostile("commit gpgSign", of("[commit]\ngpgSign = true\n[gpg]\nprogram = CANARY"), "git commit -qam x"),
		hostile("commit gpgSign by ssh", of("[commit]\ngpgSign = true\n[gpg]\nformat = ssh\n[gpg \"ssh\"]\ndefaultKeyCommand = CANARY"), "git commit -qam x"),
		hostile("log showSignature", repository{signed: true, config: "[log]\nshowSignature = true\n[gpg]\nprogram = CANARY\n"}, "git log"),
		hostile("editor", of("[core]\neditor = CANARY"), "git commit -qa"),
		hostile("include", with(files{"more.cfg": "[core]\nfsmonitor = CANARY\n"}, "[include]\npath = PEN/more.cfg"), "git status"),
		hostile("includeIf", with(files{"more.cfg": "[core]\nfsmonitor = CANARY\n"}, "[includeIf \"gitdir:**\"]\npath = ../more.cfg"), "git status"),
		hostile("config.worktree", repository{
			config: "[extensions]\nworktreeConfig = true\n", extra: files{"config.worktree": "[core]\nfsmonitor = CANARY\n"},
		}, "git status"),
		hostile("remote uploadpack", remote("url = PEN\nuploadpack = CANARY"), "git fetch o"),
		hostile("remote receivepack", remote("url = PEN\nreceivepack = CANARY"), "git push o main:x"),
		hostile("remote ext", remote("url = ext::CANARY\n[protocol \"ext\"]\nallow = always"), "git fetch o"),
		hostile("remote insteadOf", remote("url = https://example.com/x\n[url \"ext::CANARY \"]\ninsteadOf = https://example.com/\n[protocol]\nallow = always"), "git fetch o"),
		hostile("sshCommand", remote("url = ssh://localhost/x\n[core]\nsshCommand = CANARY"), "git fetch o"),
		hostile("gitProxy", remote("url = git://localhost/x\n[core]\ngitProxy = CANARY"), "git fetch o"),
		hostile("alternateRefsCommand", repository{
			config: "[core]\nalternateRefsCommand = CANARY\n[remote \"o\"]\nurl = VICTIM\nfetch = refs/heads/*:refs/remotes/o/*\n",
			extra:  files{"objects/info/alternates": "VICTIM/.git/objects\n"},
		}, "git fetch o"),
	}
}

// Evil is one repository with most of the settings at once, for the top of a
// tree.
func Evil() Animal {
	return hostile("evil", repository{
		files: files{".gitattributes": "* filter=x diff=x merge=x\n"},
		config: "[core]\nfsmonitor = CANARY\neditor = CANARY\nsshCommand = CANARY\nhooksPath = PEN/.git/hooks\n" +
			"[filter \"x\"]\nclean = CANARY\nsmudge = CANARY\n[diff]\nexternal = CANARY\n[diff \"x\"]\ntextconv = CANARY\n" +
			"[merge \"x\"]\ndriver = CANARY\n[commit]\ngpgSign = true\n[gpg]\nprogram = CANARY\n",
		extra: files{"hooks/post-index-change!": "#!/bin/sh\nexec CANARY\n", "hooks/pre-commit!": "#!/bin/sh\nexec CANARY\n"},
	}, "git add -A")
}
