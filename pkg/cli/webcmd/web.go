// Package webcmd holds the command that opens the pages of the browser.
package webcmd

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/cli/factory"
	"github.com/vexa-ai/vexa/pkg/cli/grammar"
	"github.com/vexa-ai/vexa/pkg/cli/output"
	"github.com/vexa-ai/vexa/pkg/fault"
)

// Options is what the command line of vexa web says.
type Options struct {
	Factory  *factory.Factory
	JSON     output.JSON
	NoOpen   bool
	PrintURL bool
}

// linkFields are the JSON fields of vexa web. They only ever grow.
func linkFields() output.Fields[api.WebLink] {
	type l = api.WebLink
	return output.Fields[l]{
		{Name: "url", Value: func(x l) any { return x.URL }},
		{Name: "address", Value: func(x l) any { return x.Address }},
		{Name: "expiresAt", Value: func(x l) any { return x.ExpiresAt }},
	}
}

// New returns the command vexa web.
func New(f *factory.Factory) *cobra.Command {
	o := &Options{Factory: f}
	cmd := &cobra.Command{
		Use:   "web",
		Short: "Open the chat in a browser",
		Long: "Has the daemon serve its pages on a port of this machine, and opens them in your browser:\n" +
			"chat, sessions, dispatches, workspaces and proposals. They need no network.\n\n" +
			"The link signs in once, within a minute, and only processes of yours can use the port.\n" +
			"Each vexa web gives another link to the same pages. The port is closed by vexa web stop,\n" +
			"by vexa lock, and by itself when no page was open for 15 minutes. Over SSH, forward it:\n" +
			"ssh -L PORT:127.0.0.1:PORT HOST, and open the link on your side.",
		Example: "$ vexa web\n$ vexa web --print-url\n$ vexa web stop",
		Args:    grammar.Args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return run(cmd.Context(), o)
		},
	}
	cmd.Flags().BoolVar(&o.NoOpen, "no-open", false, "start no browser: print the link and what it is")
	cmd.Flags().BoolVar(&o.PrintURL, "print-url", false, "start no browser: print the link alone")
	output.AddFlags(cmd, &o.JSON, linkFields().Names(), f.OutTTY)
	cmd.AddCommand(newStop(f))
	return cmd
}

func run(ctx context.Context, o *Options) error {
	f := o.Factory
	c, err := f.Connect(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	link, err := c.OpenWeb(ctx)
	if err != nil {
		return err
	}
	switch {
	case o.JSON.On():
		return output.One(f.Out, &o.JSON, linkFields(), link)
	case o.PrintURL:
	case o.NoOpen:
		f.Notice("this link signs in once, until %s; close the pages with: vexa web stop", link.ExpiresAt.Local().Format("15:04:05"))
	default:
		err := open(f, link.URL)
		if err == nil {
			f.Notice("opened %s in your browser; close the pages with: vexa web stop", link.Address)
			return nil
		}
		f.Notice("%s; open this link yourself, it signs in once until %s", err, link.ExpiresAt.Local().Format("15:04:05"))
	}
	_, err = fmt.Fprintln(f.Out, link.URL)
	return err
}

func open(f *factory.Factory, url string) error {
	if f.OpenURL == nil {
		return fault.New(fault.Unavailable, "this program starts no browser", "")
	}
	return f.OpenURL(url)
}

// StopOptions is what the command line of vexa web stop says.
type StopOptions struct{ Factory *factory.Factory }

func newStop(f *factory.Factory) *cobra.Command {
	o := &StopOptions{Factory: f}
	return &cobra.Command{
		Use:     "stop",
		Short:   "Close the pages",
		Long:    "Closes the port of the pages. Whoever was signed in has to sign in again with vexa web.\nDispatches go on.",
		Example: "$ vexa web stop",
		Args:    grammar.Args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runStop(cmd.Context(), o)
		},
	}
}

func runStop(ctx context.Context, o *StopOptions) error {
	f := o.Factory
	c, err := f.Dial(false)
	if err != nil {
		return err
	}
	defer c.Close()
	err = c.CloseWeb(ctx)
	if fault.Is(err, fault.Unreachable) || fault.Is(err, fault.Locked) {
		f.Notice("no pages are open")
		return nil
	}
	if err != nil {
		return err
	}
	f.Notice("closed the pages")
	return nil
}
