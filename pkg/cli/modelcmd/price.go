package modelcmd

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/cli/factory"
	"github.com/vexa-ai/vexa/pkg/cli/grammar"
	"github.com/vexa-ai/vexa/pkg/cli/output"
	"github.com/vexa-ai/vexa/pkg/cli/query"
	"github.com/vexa-ai/vexa/pkg/client"
	"github.com/vexa-ai/vexa/pkg/fault"
)

// priceForm is how a price is given.
const priceForm = "MODEL=INPUT/OUTPUT[/CACHEREAD/CACHEWRITE]"

// cost is what a model costs; nil: nobody said.
type cost struct {
	model string
	price *api.Price
}

// costs lists the models of a provider in its order.
func costs(p api.Provider) []cost {
	out := make([]cost, 0, len(p.Models))
	for _, m := range p.Models {
		c := cost{model: m}
		if price, ok := p.Prices[m]; ok {
			c.price = &price
		}
		out = append(out, c)
	}
	return out
}

// usd is one of the prices, nil where nobody said. What a cache costs is what the
// input does where nothing else was said.
func (c cost) usd(of func(api.Price) float64) *float64 {
	if c.price == nil {
		return nil
	}
	v := of(*c.price)
	return &v
}

func (c cost) input() *float64 {
	return c.usd(func(p api.Price) float64 { return p.Input })
}

func (c cost) output() *float64 {
	return c.usd(func(p api.Price) float64 { return p.Output })
}

func (c cost) cacheRead() *float64 {
	return c.usd(func(p api.Price) float64 { return or(p.CacheRead, p.Input) })
}

func (c cost) cacheWrite() *float64 {
	return c.usd(func(p api.Price) float64 { return or(p.CacheWrite, p.Input) })
}

func or(usd, input float64) float64 {
	if usd == 0 {
		return input
	}
	return usd
}

// costFields are the JSON fields of a price; those that nobody said are null.
func costFields() output.Fields[cost] {
	return output.Fields[cost]{
		{Name: "model", Value: func(c cost) any { return c.model }},
		{Name: "input", Value: func(c cost) any { return c.input() }},
		{Name: "output", Value: func(c cost) any { return c.output() }},
		{Name: "cacheRead", Value: func(c cost) any { return c.cacheRead() }},
		{Name: "cacheWrite", Value: func(c cost) any { return c.cacheWrite() }},
	}
}

func newPrice(f *factory.Factory) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "price NAME [" + priceForm + "|MODEL=-]...",
		Short: "See or set what the models of a provider cost",
		Long: "Shows what the models of a provider cost, in USD per million tokens, and sets what is\n" +
			"named: what is read and written, and for providers that have a cache what is read from\n" +
			"and written to it, which else costs what is read does. MODEL=- says that the price is not\n" +
			"known. The provider and its key stay as they are.\n\n" +
			"A price counts from the next request on, in dispatches that run as well; what they have\n" +
			"used already is not counted anew. A limit of cost (--cost) needs the prices of the models\n" +
			"that are asked, from the first request on.",
		Example: "$ vexa model price shared\n" +
			"$ vexa model price shared qwen3=0.5/1.5 large=3/15/0.3/3.75\n" +
			"$ vexa model price shared qwen3=-",
		Args:              grammar.Args("NAME", "["+priceForm+"|MODEL=-]..."),
		ValidArgsFunction: f.Complete(factory.ProviderNames),
	}
	var prices map[string]*api.Price
	ask := func(ctx context.Context, c *client.Client, args []string) ([]cost, error) {
		if len(prices) == 0 {
			p, err := provider(ctx, c, args[0])
			return costs(p), err
		}
		p, err := c.SetPrices(ctx, args[0], api.SetPrices{Prices: prices})
		return costs(p), err
	}
	query.List(f, cmd, costFields(), ask, func(list []cost) error {
		t := output.NewTable(f.Out, factory.IsTTY(f.OutTTY), "MODEL", "INPUT", "OUTPUT", "CACHE READ", "CACHE WRITE").In(f.OutStyle())
		for _, c := range list {
			t.Row(c.model, amount(c.input()), amount(c.output()), amount(c.cacheRead()), amount(c.cacheWrite()))
		}
		return t.Flush()
	})
	run := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) (err error) {
		if prices, err = pricesOf(cmd, args[1:]); err != nil {
			return err
		}
		return run(cmd, args)
	}
	return cmd
}

// provider is the one of a name.
func provider(ctx context.Context, c *client.Client, name string) (api.Provider, error) {
	list, err := c.Models(ctx)
	if err != nil {
		return api.Provider{}, err
	}
	for _, p := range list {
		if p.Name == name {
			return p, nil
		}
	}
	return api.Provider{}, fault.New(fault.NotFound, fmt.Sprintf("there is no provider %q", name), "see vexa model list")
}

// pricesOf reads the prices of a command line.
func pricesOf(cmd *cobra.Command, args []string) (map[string]*api.Price, error) {
	out := map[string]*api.Price{}
	for _, arg := range args {
		model, price, ok := parsePrice(arg)
		if !ok {
			return nil, grammar.Usage(cmd, "%q is neither %s, as in m=3/15, nor MODEL=-", arg, priceForm)
		}
		if _, twice := out[model]; twice {
			return nil, grammar.Usage(cmd, "the price of %s is given twice", model)
		}
		out[model] = price
	}
	return out, nil
}

// parsePrice reads a price; nil is one that is not known. A model's name may hold any
// character but "=".
func parsePrice(text string) (model string, price *api.Price, ok bool) {
	model, numbers, _ := strings.Cut(text, "=")
	if model == "" || numbers == "-" {
		return model, nil, model != ""
	}
	var usd [4]float64
	parts := strings.Split(numbers, "/")
	if len(parts) != 2 && len(parts) != len(usd) {
		return "", nil, false
	}
	for i, part := range parts {
		n, err := strconv.ParseFloat(part, 64)
		if err != nil || !(n >= 0) || math.IsInf(n, 0) { // of NaN every comparison is false
			return "", nil, false
		}
		usd[i] = n
	}
	return model, &api.Price{Input: usd[0], Output: usd[1], CacheRead: usd[2], CacheWrite: usd[3]}, true
}

// priceText is a price as parsePrice reads it.
func priceText(p api.Price) string {
	text := number(p.Input) + "/" + number(p.Output)
	if p.CacheRead != 0 || p.CacheWrite != 0 {
		text += "/" + number(p.CacheRead) + "/" + number(p.CacheWrite)
	}
	return text
}

func amount(usd *float64) string {
	if usd == nil {
		return "-"
	}
	return number(*usd)
}

func number(usd float64) string { return strconv.FormatFloat(usd, 'f', -1, 64) }
