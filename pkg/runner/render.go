package runner

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/vexa-ai/vexa/pkg/contract/runnerv2"
	"github.com/vexa-ai/vexa/pkg/fault"
)

// Vars are the values of one run's templates. They hold the prompt and the
// token and must not be logged.
type Vars struct {
	Session    string // Vexa's session id
	SessionRef string // the runner's own, where it assigns it; used in its stead
	Model      string
	BaseURL    string // see BaseURL
	Token      string // the dispatch token
	ToolsURL   string // see ToolsURL; "": the dispatch has no tools
	Protocol   string // the inference protocol chosen for this dispatch
	Workdir    string
	Home       string
	State      string // the session state directory
	Prompt     string // what the person or plan says; any text
	PromptFile string // where it is to be written, for prompt "file"
}

// Command is one run, ready to be started. It holds the prompt and the token
// and must not be logged.
type Command struct {
	Argv  []string
	Env   []string          // "NAME=value", sorted, beyond the base environment
	Stdin []byte            // the prompt, where it goes there; otherwise empty
	Files map[string][]byte // files to write first, by path, private to the runner
}

// Render makes the command of one turn. Resume picks argv.resume; where the
// runner keeps no session every turn is new whatever it says. Values other
// than the prompt are refused where they could be read as a flag or break the
// quoting around them. Errors are fault.Invalid.
func Render(m runnerv2.Manifest, v Vars, resume bool) (Command, error) {
	values, err := v.values(m)
	if err != nil {
		return Command{}, fault.Wrap(fault.Invalid, "runner "+m.Name, err)
	}
	template := m.Argv.New
	if resume && m.Session.ID != SessionNone {
		template = m.Argv.Resume
		if m.Session.ID == SessionStream && v.SessionRef == "" {
			return Command{}, fault.Newf(fault.Invalid, "runner %s: the session's own id is not known, so it cannot be resumed", m.Name)
		}
	}
	var c Command
	for _, t := range template {
		arg, err := expand(t, values)
		if err != nil {
			return Command{}, fault.Wrap(fault.Invalid, "runner "+m.Name, err)
		}
		c.Argv = append(c.Argv, arg)
	}
	if c.Env, err = renderEnv(m, values); err != nil {
		return Command{}, fault.Wrap(fault.Invalid, "runner "+m.Name, err)
	}
	if c.Files, err = renderFiles(m, values); err != nil {
		return Command{}, fault.Wrap(fault.Invalid, "runner "+m.Name, err)
	}
	switch m.Prompt {
	case PromptStdin:
		c.Stdin = []byte(v.Prompt)
	case PromptFile:
		if c.Files == nil {
			c.Files = map[string][]byte{}
		}
		c.Files[v.PromptFile] = []byte(v.Prompt)
	case PromptArgv:
		if strings.ContainsRune(v.Prompt, 0) {
			return Command{}, fault.Newf(fault.Invalid, "runner %s takes the message on its command line, which cannot hold a NUL byte", m.Name)
		}
	}
	if v.ToolsURL != "" {
		if err := wireTools(m, v, &c); err != nil {
			return Command{}, fault.Wrap(fault.Invalid, "runner "+m.Name, err)
		}
	}
	return c, nil
}

// values returns the variables that have a value in this run.
func (v Vars) values(m runnerv2.Manifest) (map[string]string, error) {
	out := map[string]string{}
	session := v.Session
	if m.Session.ID == SessionStream {
		session = v.SessionRef
	}
	for name, value := range map[string]string{
		varSession: session, varModel: v.Model, varBaseURL: v.BaseURL, varToken: v.Token, varProtocol: v.Protocol,
		varWorkdir: v.Workdir, varHome: v.Home, varState: v.State, varPromptFile: v.PromptFile,
	} {
		if value == "" {
			continue
		}
		if err := plain(value); err != nil {
			return nil, fmt.Errorf("{{%s}} %w", name, err)
		}
		out[name] = value
	}
	out[varPrompt] = v.Prompt
	return out, nil
}

// plain refuses a value that would change the meaning of what is around it. It
// does not quote the value: it may be a token.
func plain(value string) error {
	if value[0] == '-' {
		return fmt.Errorf("begins with a dash and could be read as a flag")
	}
	if strings.ContainsFunc(value, func(r rune) bool {
		return r < ' ' || r == 0x7f || r == '"' || r == '\\'
	}) {
		return fmt.Errorf("holds a quote, a backslash or a control character")
	}
	return nil
}

func renderEnv(m runnerv2.Manifest, values map[string]string) ([]string, error) {
	env := maps.Clone(m.Env)
	if env == nil {
		env = map[string]string{}
	}
	if m.Inference != nil {
		maps.Copy(env, m.Inference.Env)
	}
	if m.Session.StateEnv != "" {
		env[m.Session.StateEnv] = "{{" + varState + "}}"
	}
	out := make([]string, 0, len(env))
	for _, key := range slices.Sorted(maps.Keys(env)) {
		value, err := expand(env[key], values)
		if err != nil {
			return nil, err
		}
		out = append(out, key+"="+value)
	}
	return out, nil
}

// The inference protocols.
const (
	AnthropicMessages = "anthropic-messages"
	OpenAIChat        = "openai-chat"
	OpenAIResponses   = "openai-responses"
	Gemini            = "gemini"
)

// BaseURL returns the base URL at which an agent in the container finds the
// broker behind the worker's forwarder at listen (host:port). The OpenAI
// protocols count the version into it, as their clients expect.
func BaseURL(listen, protocol string) string {
	if protocol == OpenAIChat || protocol == OpenAIResponses {
		return "http://" + listen + "/v1"
	}
	return "http://" + listen
}

// ChooseProtocol returns the protocol in which m is to speak to a provider
// that serves the offered ones: the runner's first that is offered, and else its
// first that the broker translates into one of them. It reports false where
// there is none, and where the runner needs no model.
func ChooseProtocol(m runnerv2.Manifest, offered ...string) (string, bool) {
	if m.Inference == nil {
		return "", false
	}
	all := m.Inference.Protocols
	i := slices.IndexFunc(all, func(p string) bool { return slices.Contains(offered, p) })
	if i < 0 && slices.ContainsFunc(offered, translated) {
		i = slices.IndexFunc(all, translated)
	}
	if i < 0 {
		return "", false
	}
	return all[i], true
}

// translated reports whether the broker carries a protocol over into each other
// one of which it says the same.
func translated(protocol string) bool {
	switch protocol {
	case AnthropicMessages, OpenAIResponses, OpenAIChat, Gemini:
		return true
	default:
		return false
	}
}
