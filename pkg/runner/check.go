package runner

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/vexa-ai/vexa/pkg/contract/runnerv2"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/textform"
	"github.com/vexa-ai/vexa/pkg/runner/dialect"
)

// The values of the manifest's enumerations that the code acts on.
const (
	PromptStdin = "stdin"
	PromptFile  = "file"
	PromptArgv  = "argv"

	SessionAssigned = "assigned" // Vexa chooses the id
	SessionStream   = "stream"   // the runner chooses it and prints it
	SessionNone     = "none"     // every turn is a new conversation
)

var (
	envName    = textform.Regexp(`^[A-Za-z_][A-Za-z0-9_]*$`)
	promptFlag = textform.Regexp(`^--?[A-Za-z0-9][A-Za-z0-9_-]*=\{\{prompt\}\}$`)
)

// Check finds what is wrong with a manifest beyond its schema: variables that
// do not exist or have no value there, a prompt that could be read as a flag,
// a dialect that is unknown or promises what it cannot keep, a session that
// could not be resumed. The error is fault.Invalid and names the member.
func Check(m runnerv2.Manifest) error {
	for _, check := range []func(runnerv2.Manifest) error{
		checkImage, checkArgv, checkPrompt, checkStream, checkSession, checkEnv, checkFiles, checkTools, checkSignals,
	} {
		if err := check(m); err != nil {
			return fault.Wrap(fault.Invalid, "runner "+m.Name, err)
		}
	}
	return nil
}

func checkImage(m runnerv2.Manifest) error {
	if (m.Image.Builtin == "") == (m.Image.Ref == "") {
		return fmt.Errorf("image: exactly one of builtin and ref is wanted")
	}
	return nil
}

func checkArgv(m runnerv2.Manifest) error {
	if len(m.Argv.New) == 0 || m.Argv.New[0] == "" {
		return fmt.Errorf("argv.new: a program is wanted")
	}
	lines := map[string][]string{"argv.new": m.Argv.New, "argv.resume": m.Argv.Resume, "argv.probe": m.Argv.Probe}
	for _, member := range slices.Sorted(maps.Keys(lines)) {
		for i, arg := range lines[member] {
			names, err := variables(arg)
			if err != nil {
				return fmt.Errorf("%s[%d]: %w", member, i, err)
			}
			for _, name := range names {
				if err := argvVariable(m, member, name); err != nil {
					return fmt.Errorf("%s[%d]: %w", member, i, err)
				}
			}
			if i == 0 && len(names) > 0 {
				return fmt.Errorf("%s[0]: the program must not be a variable", member)
			}
		}
	}
	return nil
}

func argvVariable(m runnerv2.Manifest, member, name string) error {
	switch {
	case member == "argv.probe":
		return fmt.Errorf("a probe has no turn and so no {{%s}}", name)
	case name == varToken:
		return fmt.Errorf("{{token}} belongs in the environment, not on a command line")
	case name == varPrompt && m.Prompt != PromptArgv, name == varPromptFile && m.Prompt != PromptFile:
		return fmt.Errorf("{{%s}} is not available where prompt is %q", name, m.Prompt)
	case name == varPrompt, name == varPromptFile:
		return nil
	case name == varSession && m.Session.ID == SessionStream && member == "argv.new":
		return fmt.Errorf("a new session has no id yet: {{session}} belongs in argv.resume")
	}
	return envVariable(m, name)
}

// envVariable checks a variable that may stand in argv and env alike.
func envVariable(m runnerv2.Manifest, name string) error {
	switch name {
	case varWorkdir, varHome, varState:
		return nil
	case varSession:
		if m.Session.ID == SessionNone {
			return fmt.Errorf("there is no {{session}} where session.id is %q", SessionNone)
		}
		return nil
	case varModel, varBaseURL, varToken, varProtocol:
		if m.Inference == nil {
			return fmt.Errorf("there is no {{%s}} without inference", name)
		}
		return nil
	default:
		return fmt.Errorf("there is no variable {{%s}} here", name)
	}
}

// checkPrompt makes sure that the prompt reaches the runner, once, and never
// as anything but an operand: a message may begin with a dash.
func checkPrompt(m runnerv2.Manifest) error {
	lines := map[string][]string{"argv.new": m.Argv.New}
	if len(m.Argv.Resume) > 0 {
		lines["argv.resume"] = m.Argv.Resume
	}
	for _, member := range slices.Sorted(maps.Keys(lines)) {
		argv := lines[member]
		switch m.Prompt {
		case PromptStdin:
		case PromptFile:
			if !uses(argv, varPromptFile) {
				return fmt.Errorf("%s: {{promptFile}} is wanted where prompt is %q", member, PromptFile)
			}
		case PromptArgv:
			if err := checkPromptArg(argv); err != nil {
				return fmt.Errorf("%s: %w", member, err)
			}
		default:
			return fmt.Errorf("prompt: %q is none of stdin, file and argv", m.Prompt)
		}
	}
	return nil
}

func checkPromptArg(argv []string) error {
	seen := 0
	for i, arg := range argv {
		if !strings.Contains(arg, "{{prompt}}") {
			continue
		}
		seen++
		if arg == "{{prompt}}" && slices.Contains(argv[1:max(i, 1)], "--") {
			continue
		}
		if !promptFlag.MatchString(arg) {
			return fmt.Errorf("%q could be read as a flag: write {{prompt}} after \"--\", or --flag={{prompt}}", arg)
		}
	}
	if seen != 1 {
		return fmt.Errorf("{{prompt}} is wanted exactly once where prompt is %q", PromptArgv)
	}
	return nil
}

func checkStream(m runnerv2.Manifest) error {
	info, ok := dialect.Lookup(m.Stream.Dialect)
	switch {
	case !ok:
		return fmt.Errorf("stream.dialect: %q is unknown; there are %s", m.Stream.Dialect, strings.Join(dialect.Names(), ", "))
	case m.Stream.Terminal != info.Terminal:
		return fmt.Errorf("stream.terminal: %q ends a turn in the dialect %s, not %q", info.Terminal, m.Stream.Dialect, m.Stream.Terminal)
	case m.Stream.Deltas && !info.Deltas:
		return fmt.Errorf("stream.deltas: the dialect %s has none", m.Stream.Dialect)
	}
	return nil
}

func checkSession(m runnerv2.Manifest) error {
	s := m.Session
	switch s.ID {
	case SessionNone:
		if len(m.Argv.Resume) > 0 || len(s.Capsule) > 0 || s.Path != "" {
			return fmt.Errorf("session: without an id there is nothing to resume or keep")
		}
		return nil
	case SessionAssigned, SessionStream:
	default:
		return fmt.Errorf("session.id: %q is none of assigned, stream and none", s.ID)
	}
	if len(m.Argv.Resume) == 0 {
		return fmt.Errorf("argv.resume: wanted where session.id is %q", s.ID)
	}
	if len(s.Capsule) == 0 {
		return fmt.Errorf("session.capsule: a session that is not kept cannot be resumed")
	}
	for i, glob := range s.Capsule {
		if err := checkGlob(m, glob); err != nil {
			return fmt.Errorf("session.capsule[%d]: %w", i, err)
		}
	}
	all := slices.Concat(m.Argv.New, m.Argv.Resume, slices.Collect(maps.Values(m.Env)), slices.Collect(maps.Keys(m.Files)))
	if s.StateEnv == "" && !uses(all, varState) {
		return fmt.Errorf("session.stateEnv: wanted where nothing else mentions {{state}}")
	}
	return nil
}

func checkGlob(m runnerv2.Manifest, glob string) error {
	names, err := variables(glob)
	if err != nil {
		return err
	}
	for _, name := range names {
		if name != varSession {
			return fmt.Errorf("only {{session}} may stand in %q", glob)
		}
	}
	if _, err := Capsule(m, "0"); err != nil {
		return err
	}
	plain := variable.ReplaceAllLiteralString(glob, "0")
	if path.IsAbs(plain) || path.Clean(plain) != plain || strings.HasPrefix(plain, "..") {
		return fmt.Errorf("%q does not lie below the state directory", glob)
	}
	return nil
}

func checkEnv(m runnerv2.Manifest) error {
	groups := map[string]map[string]string{"env": m.Env}
	if m.Inference != nil {
		groups["inference.env"] = m.Inference.Env
		if len(m.Inference.Protocols) == 0 {
			return fmt.Errorf("inference.protocols: one is wanted")
		}
	}
	seen := map[string]string{}
	if e := m.Session.StateEnv; e != "" {
		if !envName.MatchString(e) {
			return fmt.Errorf("session.stateEnv: %q is no name of a variable", e)
		}
		seen[e] = "session.stateEnv"
	}
	for _, member := range slices.Sorted(maps.Keys(groups)) {
		for _, key := range slices.Sorted(maps.Keys(groups[member])) {
			if !envName.MatchString(key) {
				return fmt.Errorf("%s: %q is no name of a variable", member, key)
			}
			if where, dup := seen[key]; dup {
				return fmt.Errorf("%s.%s: %s sets it too", member, key, where)
			}
			seen[key] = member
			if err := checkEnvValue(m, groups[member][key]); err != nil {
				return fmt.Errorf("%s.%s: %w", member, key, err)
			}
		}
	}
	return nil
}

func checkEnvValue(m runnerv2.Manifest, value string) error {
	names, err := variables(value)
	if err != nil {
		return err
	}
	for _, name := range names {
		if name == varSession && m.Session.ID == SessionStream {
			return fmt.Errorf("a new session has no id yet: {{session}} belongs in argv.resume")
		}
		if err := envVariable(m, name); err != nil {
			return err
		}
	}
	return nil
}

func checkSignals(m runnerv2.Manifest) error {
	if len(m.Exit.OK) == 0 {
		return fmt.Errorf("exit.ok: a code that means success is wanted")
	}
	for _, code := range m.Exit.Interrupted {
		if slices.Contains(m.Exit.OK, code) {
			return fmt.Errorf("exit: %d means both ok and interrupted", code)
		}
	}
	if m.Signals != nil {
		if _, err := signalByName(m.Signals.Interrupt); err != nil {
			return fmt.Errorf("signals.interrupt: %w", err)
		}
		if m.Signals.GraceSec < 0 {
			return fmt.Errorf("signals.graceSec: %d is negative", m.Signals.GraceSec)
		}
	}
	return nil
}
