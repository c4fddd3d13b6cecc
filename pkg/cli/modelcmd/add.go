package modelcmd

import (
	"context"
	"net"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/cli/factory"
	"github.com/vexa-ai/vexa/pkg/cli/grammar"
	"github.com/vexa-ai/vexa/pkg/cli/output"
	"github.com/vexa-ai/vexa/pkg/cli/plain"
	"github.com/vexa-ai/vexa/pkg/client"
	"github.com/vexa-ai/vexa/pkg/fault"
)

// rehearsal is the protocol that needs no model.
const rehearsal = "rehearsal"

// protocols lists the protocols of a provider.
func protocols() []string {
	return []string{"anthropic-messages", "openai-responses", "openai-chat", "gemini", rehearsal}
}

// AddOptions is what the command line of vexa model add says.
type AddOptions struct {
	Factory *factory.Factory
	JSON    output.JSON
	Request api.AddProvider
	KeyFile string
	NoKey   bool
	Prices  []string
}

func newAdd(f *factory.Factory) *cobra.Command {
	o := &AddOptions{Factory: f}
	cmd := &cobra.Command{
		Use:   "add NAME",
		Short: "Add a provider of models",
		Long: "Adds a provider: a protocol, a base URL and the models it serves. The key is read from\n" +
			"--key-file, or asked for on the terminal, and stored encrypted; agents never see it.\n" +
			"A server on this machine needs none.\n\n" +
			"The first provider is the default, and one that serves a model takes over from a\n" +
			"rehearsal: its first model is used from then on where none is named. Another default is\n" +
			"left as it is, unless --default says otherwise.\n\n" +
			"An agent that speaks another of anthropic-messages, openai-responses and openai-chat is\n" +
			"translated; --also names further protocols that the server speaks itself.\n\n" +
			"The protocol rehearsal plays a cassette (a YAML file of turns) instead of asking a model.",
		Example: "$ vexa model add claude --protocol anthropic-messages --url https://api.anthropic.com --model claude-sonnet-4-5\n" +
			"$ vexa model add local --protocol openai-chat --url http://127.0.0.1:11434/v1 --model qwen3\n" +
			"$ vexa model add rehearsal --protocol rehearsal --cassette ./turns.yaml",
		Args:              grammar.Args("NAME"),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Request.Name = args[0]
			if err := o.check(cmd); err != nil {
				return err
			}
			return runAdd(cmd.Context(), o)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.Request.Protocol, "protocol", "", "the `protocol` it speaks: "+strings.Join(protocols(), ", "))
	flags.StringArrayVar(&o.Request.Also, "also", nil, "a further `protocol` that it speaks at the same URL; repeatable")
	flags.StringVar(&o.Request.URL, "url", "", "its base `URL`")
	flags.StringArrayVar(&o.Request.Models, "model", nil, "a `model` it serves; repeatable")
	flags.StringArrayVar(&o.Prices, "price", nil, "what a model costs, `"+priceForm+"` in USD per million tokens; repeatable")
	flags.StringVar(&o.Request.Cassette, "cassette", "", "the cassette `file` of a rehearsal")
	flags.StringVar(&o.KeyFile, "key-file", "", "read the key from this `file`, - for stdin")
	flags.BoolVar(&o.NoKey, "no-key", false, "it needs no key")
	flags.BoolVar(&o.Request.Default, "default", false, "use its first model where none is named, whatever the default was")
	_ = cmd.RegisterFlagCompletionFunc("protocol", cobra.FixedCompletions(protocols(), cobra.ShellCompDirectiveNoFileComp)) // fails only for a flag that does not exist
	output.AddFlags(cmd, &o.JSON, providerFields().Names(), f.OutTTY)
	return cmd
}

func (o *AddOptions) check(cmd *cobra.Command) error {
	r := &o.Request
	switch {
	case r.Protocol == "":
		return grammar.Usage(cmd, "--protocol is missing: one of %s", strings.Join(protocols(), ", "))
	case !slices.Contains(protocols(), r.Protocol):
		return grammar.Usage(cmd, "unknown protocol %q: one of %s", r.Protocol, strings.Join(protocols(), ", "))
	case o.unknownAlso() != "":
		return grammar.Usage(cmd, "--also %q is not a protocol beside --protocol: one of %s", o.unknownAlso(), strings.Join(protocols(), ", "))
	case o.NoKey && o.KeyFile != "":
		return grammar.Usage(cmd, "--no-key and --key-file exclude each other")
	case r.Protocol == rehearsal:
		return o.checkRehearsal(cmd)
	case r.Cassette != "":
		return grammar.Usage(cmd, "--cassette belongs to --protocol rehearsal")
	case r.URL == "":
		return grammar.Usage(cmd, "--url is missing")
	case len(r.Models) == 0:
		return grammar.Usage(cmd, "--model is missing")
	}
	if err := o.parsePrices(cmd); err != nil {
		return err
	}
	u, err := url.Parse(r.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return grammar.Usage(cmd, "%q is not an http or https URL", r.URL)
	}
	if u.User != nil {
		return grammar.Usage(cmd, "the URL holds a credential; use --key-file")
	}
	return nil
}

// unknownAlso returns the first of --also that says nothing that can be added.
func (o *AddOptions) unknownAlso() string {
	for _, p := range o.Request.Also {
		if !slices.Contains(protocols(), p) || p == rehearsal || p == o.Request.Protocol {
			return p
		}
	}
	return ""
}

// parsePrices reads --price.
func (o *AddOptions) parsePrices(cmd *cobra.Command) error {
	for _, p := range o.Prices {
		model, price, ok := parsePrice(p)
		if !ok || price == nil {
			return grammar.Usage(cmd, "--price %q is not %s, as in m=3/15", p, priceForm)
		}
		if !slices.Contains(o.Request.Models, model) {
			return grammar.Usage(cmd, "--price %q names a model that --model does not", p)
		}
		if o.Request.Prices == nil {
			o.Request.Prices = map[string]api.Price{}
		}
		o.Request.Prices[model] = *price
	}
	return nil
}

func (o *AddOptions) checkRehearsal(cmd *cobra.Command) error {
	r := &o.Request
	if r.Cassette == "" || r.URL != "" || o.KeyFile != "" || r.Also != nil {
		return grammar.Usage(cmd, "a rehearsal needs --cassette and none of --also, --url and --key-file")
	}
	abs, err := filepath.Abs(r.Cassette) // the daemon has another working directory
	if err != nil {
		return fault.Newf(fault.Usage, "find %s: %w", r.Cassette, err)
	}
	r.Cassette = abs
	if o.Factory.CheckCassette == nil {
		return nil
	}
	return o.Factory.CheckCassette(abs) // a document, unlike what else the daemon may find malformed
}

func runAdd(ctx context.Context, o *AddOptions) error {
	f := o.Factory
	key, err := o.key(ctx)
	if err != nil {
		return err
	}
	o.Request.Key = string(key)
	c, err := f.Connect(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	p, err := c.AddModel(ctx, o.Request)
	if err != nil {
		return grammar.Argument(err)
	}
	if o.JSON.On() {
		return output.One(f.Out, &o.JSON, providerFields(), p)
	}
	f.Notice("added %s; try it with: vexa model test %s", p.Name, p.Name)
	return o.sayDefault(ctx, c, p)
}

// sayDefault says what is used where no model is named, which what was added may
// have changed.
func (o *AddOptions) sayDefault(ctx context.Context, c *client.Client, added api.Provider) error {
	list, err := c.Models(ctx)
	if err != nil {
		return err
	}
	for _, p := range list {
		if p.Default && len(p.Models) > 0 {
			still := ""
			if p.Name != added.Name {
				still = "still "
			}
			o.Factory.Say("the default model is %s%s/%s", still, plain.Line(p.Name), plain.Line(p.Models[0]))
		}
	}
	return nil
}

// withoutQuestion says how to give a key where nobody can be asked.
const withoutQuestion = "use --key-file FILE, --key-file - or --no-key"

// key finds the provider's key: in a file, on stdin, or by asking.
func (o *AddOptions) key(ctx context.Context) ([]byte, error) {
	f := o.Factory
	switch {
	case o.KeyFile != "":
		return f.ReadSecret(o.KeyFile)
	case o.NoKey || o.Request.Protocol == rehearsal || onThisMachine(o.Request.URL):
		return nil, nil
	case !f.CanPrompt():
		return nil, fault.New(fault.Usage, "the provider needs a key and there is no terminal to ask on", withoutQuestion)
	}
	key, err := f.AskSecret(ctx, "Key of "+o.Request.Name+" (not shown; empty for none): ", withoutQuestion)
	if err != nil {
		return nil, err
	}
	return key, nil
}

// onThisMachine reports whether a URL leads to a loopback address.
func onThisMachine(raw string) bool {
	u, err := url.Parse(raw)
	if err != nil {
		return false
	}
	host := u.Hostname()
	ip := net.ParseIP(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || ip != nil && ip.IsLoopback()
}
