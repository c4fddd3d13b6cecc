package ijson

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
)

// Canonical returns the canonical form (RFC 8785) of one JSON value: no space,
// members in the order of their UTF-16 code units, numbers as ECMAScript prints
// doubles. Two texts that mean the same have the same canonical form.
func Canonical(data []byte) ([]byte, error) {
	v, err := Parse(data)
	if err != nil {
		return nil, err
	}
	return Append(nil, v)
}

// Digest returns "sha256:" and the hex SHA-256 of data's canonical form.
func Digest(data []byte) (string, error) {
	c, err := Canonical(data)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(c)
	return "sha256:" + hex.EncodeToString(sum[:]), nil
}

// Append appends the canonical form of a value as Parse returns it.
func Append(dst []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return append(dst, "null"...), nil
	case bool:
		return strconv.AppendBool(dst, v), nil
	case string:
		return appendString(dst, v), nil
	case json.Number:
		f, err := v.Float64()
		if err != nil {
			return nil, fmt.Errorf("number %s has no canonical form", v)
		}
		return appendNumber(dst, f), nil
	case []any:
		return appendArray(dst, v)
	case map[string]any:
		return appendObject(dst, v)
	default:
		return nil, fmt.Errorf("%T is not a JSON value", v)
	}
}

func appendArray(dst []byte, arr []any) ([]byte, error) {
	dst = append(dst, '[')
	var err error
	for i, v := range arr {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst, err = Append(dst, v); err != nil {
			return nil, err
		}
	}
	return append(dst, ']'), nil
}

func appendObject(dst []byte, obj map[string]any) ([]byte, error) {
	dst = append(dst, '{')
	var err error
	for i, name := range slices.SortedFunc(maps.Keys(obj), compareUTF16) {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(appendString(dst, name), ':')
		if dst, err = Append(dst, obj[name]); err != nil {
			return nil, err
		}
	}
	return append(dst, '}'), nil
}

func compareUTF16(a, b string) int {
	return slices.Compare(utf16.Encode([]rune(a)), utf16.Encode([]rune(b)))
}

// appendString escapes the least that JSON allows (RFC 8785, 3.2.2.2).
func appendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			dst = append(dst, '\\', byte(r))
		case r >= 0x20:
			dst = append(dst, string(r)...)
		default:
			if i := strings.IndexRune("\b\f\n\r\t", r); i >= 0 {
				dst = append(dst, '\\', "bfnrt"[i])
			} else {
				dst = fmt.Appendf(dst, `\u%04x`, r)
			}
		}
	}
	return append(dst, '"')
}

// appendNumber writes f as ECMAScript's Number::toString does (ECMA-262,
// 6.1.6.1.20): plain digits from 1e-6 up to 1e21, else an exponent.
func appendNumber(dst []byte, f float64) []byte {
	abs := math.Abs(f)
	if abs == 0 {
		return append(dst, '0')
	}
	if abs >= 1e-6 && abs < 1e21 {
		return strconv.AppendFloat(dst, f, 'f', -1, 64)
	}
	s := strconv.FormatFloat(f, 'e', -1, 64)
	mantissa, exp, _ := strings.Cut(s, "e")
	sign := exp[:1]
	return append(dst, mantissa+"e"+sign+strings.TrimLeft(exp[1:], "0")...)
}
