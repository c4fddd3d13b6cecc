package harness

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/itchyny/gojq"
)

// evaluate runs a jq expression over JSON values, one after another, bound as
// one array to $all too, and returns its results: strings as they are, all
// else as JSON.
func evaluate(expr, data string) ([]string, error) {
	query, err := gojq.Parse(expr)
	if err != nil {
		return nil, fmt.Errorf("jq %s: %w", expr, err)
	}
	code, err := gojq.Compile(query, gojq.WithVariables([]string{"$all"}))
	if err != nil {
		return nil, fmt.Errorf("jq %s: %w", expr, err)
	}
	values, err := decodeAll(data)
	if err != nil {
		return nil, err
	}
	inputs := values
	if len(values) > 1 && strings.Contains(expr, "$all") {
		inputs = values[:1] // it is about all of them, not about each
	}
	var results []string
	for _, v := range inputs {
		for iter := code.Run(v, values); ; {
			result, ok := iter.Next()
			if !ok {
				break
			}
			if err, failed := result.(error); failed {
				return nil, fmt.Errorf("jq %s: %w", expr, err)
			}
			text, err := raw(result)
			if err != nil {
				return nil, err
			}
			results = append(results, text)
		}
	}
	return results, nil
}

// decodeAll reads JSON values, one after another.
func decodeAll(data string) ([]any, error) {
	var values []any
	for dec := json.NewDecoder(strings.NewReader(data)); ; {
		var v any
		if err := dec.Decode(&v); errors.Is(err, io.EOF) {
			return values, nil
		} else if err != nil {
			return nil, fmt.Errorf("not JSON: %w", err)
		}
		values = append(values, v)
	}
}

func raw(v any) (string, error) {
	if s, ok := v.(string); ok {
		return s, nil
	}
	data, err := gojq.Marshal(v)
	return string(data), err
}
