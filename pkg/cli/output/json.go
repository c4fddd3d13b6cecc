package output

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/itchyny/gojq"
	"github.com/spf13/cobra"

	"github.com/vexa-ai/vexa/pkg/cli/plain"
	"github.com/vexa-ai/vexa/pkg/fault"
)

// The flags of this package.
const (
	FlagJSON = "json"
	FlagJQ   = "jq"
)

// AnnotationFields is the command annotation that holds the names of the JSON
// fields, separated by commas.
const AnnotationFields = "vexa:json-fields"

// JSON is what --json and --jq of one command say.
type JSON struct {
	on     bool
	fields []string
	jq     *gojq.Code
	pretty func() bool
}

// On reports whether JSON was asked for.
func (o *JSON) On() bool { return o.on }

// AddFlags gives cmd the flags --json FIELDS and --jq EXPRESSION. Where pretty
// says so (a terminal), the JSON is indented.
func AddFlags(cmd *cobra.Command, o *JSON, names []string, pretty func() bool) {
	o.pretty = pretty
	cmd.Flags().Var(&fieldsValue{o: o, names: names}, FlagJSON, "print JSON with these `fields`, separated by commas; alone: list them")
	_ = cmd.RegisterFlagCompletionFunc(FlagJSON, completeFields(names)) // fails only for a flag that does not exist
	addJQ(cmd, o)
	if cmd.Annotations == nil {
		cmd.Annotations = map[string]string{}
	}
	cmd.Annotations[AnnotationFields] = strings.Join(names, ",")
}

// completeFields completes the last of several names behind those that are there already,
// and leaves no blank: a comma may follow.
func completeFields(names []string) cobra.CompletionFunc {
	return func(_ *cobra.Command, _ []string, word string) ([]cobra.Completion, cobra.ShellCompDirective) {
		before := word[:strings.LastIndex(word, ",")+1]
		chosen := strings.Split(before, ",")
		var found []cobra.Completion
		for _, name := range names {
			if !slices.Contains(chosen, name) {
				found = append(found, before+name)
			}
		}
		return found, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	}
}

// AddSwitch gives cmd the switch --json, for results that are a stream of
// documents, and --jq EXPRESSION, applied to each.
func AddSwitch(cmd *cobra.Command, o *JSON, usage string) {
	o.pretty = func() bool { return false }
	cmd.Flags().BoolVar(&o.on, FlagJSON, false, usage)
	addJQ(cmd, o)
}

func addJQ(cmd *cobra.Command, o *JSON) {
	cmd.Flags().Var(&jqValue{o: o}, FlagJQ, "filter the JSON with a jq `expression`")
}

// Raw writes a document that is JSON already.
func Raw(w io.Writer, o *JSON, data []byte) error { return o.write(w, plain.JSON(data)) }

// write prints data, through jq where that was asked for.
func (o *JSON) write(w io.Writer, data []byte) error {
	if o.jq != nil {
		return o.filter(w, data)
	}
	return o.print(w, data)
}

func (o *JSON) print(w io.Writer, data []byte) error {
	if o.pretty != nil && o.pretty() {
		var buf bytes.Buffer
		if err := json.Indent(&buf, data, "", "  "); err != nil {
			return err
		}
		data = buf.Bytes()
	}
	_, err := fmt.Fprintf(w, "%s\n", data)
	return err
}

// filter prints each result of the jq expression: a text as it is, anything
// else as JSON.
func (o *JSON) filter(w io.Writer, data []byte) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var in any
	if err := dec.Decode(&in); err != nil {
		return fault.Newf(fault.Internal, "read our own JSON: %w", err)
	}
	results := o.jq.Run(in)
	for {
		v, ok := results.Next()
		if !ok {
			return nil
		}
		if err := o.result(w, v); err != nil {
			var halt *gojq.HaltError
			if errors.As(err, &halt) && halt.Value() == nil {
				return nil
			}
			return err
		}
	}
}

func (o *JSON) result(w io.Writer, v any) error {
	switch v := v.(type) {
	case error:
		return &fault.Error{Kind: fault.Usage, Msg: "the jq expression failed", Err: v}
	case string:
		_, err := fmt.Fprintln(w, plain.Text(v))
		return err
	default:
		data, err := gojq.Marshal(v)
		if err != nil {
			return fault.Newf(fault.Internal, "write the result of the jq expression: %w", err)
		}
		return o.print(w, plain.JSON(data))
	}
}

// fieldsValue is the value of --json FIELDS.
type fieldsValue struct {
	o     *JSON
	names []string
}

func (v *fieldsValue) String() string { return strings.Join(v.o.fields, ",") }

func (v *fieldsValue) Type() string { return "fields" }

func (v *fieldsValue) Set(s string) error {
	for name := range strings.SplitSeq(s, ",") {
		name = strings.TrimSpace(name)
		if !slices.Contains(v.names, name) {
			return fault.New(fault.Usage, fmt.Sprintf("unknown JSON field %q", name), "fields: "+strings.Join(v.names, ","))
		}
		v.o.fields = append(v.o.fields, name)
	}
	v.o.on = true
	return nil
}

// jqValue is the value of --jq.
type jqValue struct {
	o    *JSON
	text string
}

func (v *jqValue) String() string { return v.text }

func (v *jqValue) Type() string { return "expression" }

func (v *jqValue) Set(s string) error {
	query, err := gojq.Parse(s)
	if err != nil {
		return fault.Newf(fault.Usage, "not a jq expression: %w", err)
	}
	if v.o.jq, err = gojq.Compile(query); err != nil {
		return fault.Newf(fault.Usage, "not a jq expression: %w", err)
	}
	v.text = s
	return nil
}
