package syntax

import (
	"slices"
	"strings"
	"sync"

	"github.com/vexa-ai/vexa/pkg/tui/theme"
)

// mode is how a language is scanned.
type mode uint8

const (
	words mode = iota
	diff
	markup
)

// quote encloses what is one: a comment or a string.
type quote struct {
	open, shut             string
	multi, escape, comment bool
}

// language is what a lexer knows of one.
type language struct {
	mode    mode
	names   string   // with aliases and file extensions
	line    []string // what begins a comment up to the line's end
	quotes  []quote  // the longest openings first
	letters string   // what belongs to words besides letters, digits and _
	fold    bool     // words in any case
	keys    bool     // what stands before : or = is a key
	keyword string
	types   string
	consts  string
	words   map[string]theme.Role
}

//nolint:gochecknoglobals // constants that need work, like compiled regexps
var languages = sync.OnceValue(func() map[string]*language {
	known := map[string]*language{}
	for _, l := range slices.Concat(first(), others()) {
		l.words = map[string]theme.Role{}
		for role, text := range map[theme.Role]string{theme.Keyword: l.keyword, theme.Type: l.types, theme.Number: l.consts} {
			for word := range strings.FieldsSeq(text) {
				l.words[word] = role
			}
		}
		for name := range strings.FieldsSeq(l.names) {
			known[name] = l
		}
	}
	return known
})

// What languages enclose strings and comments in.
//
//nolint:gochecknoglobals // constants that Go cannot write
var (
	double   = quote{open: `"`, shut: `"`, escape: true}
	single   = quote{open: `'`, shut: `'`, escape: true}
	raw      = quote{open: "`", shut: "`", multi: true}
	template = quote{open: "`", shut: "`", multi: true, escape: true}
	longer   = quote{open: `"""`, shut: `"""`, multi: true, escape: true}
	longest  = quote{open: `'''`, shut: `'''`, multi: true, escape: true}
	star     = quote{open: "/*", shut: "*/", multi: true, comment: true}
	remark   = quote{open: "<!--", shut: "-->", multi: true, comment: true}
	slashes  = []string{"//"}
	hash     = []string{"#"}
	dashes   = []string{"--"}
)

// Words that several languages have.
const (
	ofC      = "break case const continue default do else enum extern for goto if inline register return sizeof static struct switch typedef union volatile while "
	typesOfC = "bool char double float int int16_t int32_t int64_t int8_t long short signed size_t uint16_t uint32_t uint64_t uint8_t unsigned void "
	ofJS     = "async await break case catch class const continue debugger default delete do else export extends finally for from function if import in instanceof let new of return static super switch this throw try typeof var void while with yield "
)

// first are the languages that agents write most, and their relatives.
func first() []*language {
	return []*language{
		{
			names: "go golang", line: slashes, quotes: []quote{star, raw, double, single},
			keyword: "break case chan const continue default defer else fallthrough for func go goto if import interface map package range return select struct switch type var",
			types:   "any bool byte comparable complex128 complex64 error float32 float64 int int16 int32 int64 int8 rune string uint uint16 uint32 uint64 uint8 uintptr",
			consts:  "true false nil iota",
		},
		{
			names: "python py python3 pyi", line: hash, quotes: []quote{longer, longest, double, single},
			keyword: "and as assert async await break case class continue def del elif else except finally for from global if import in is lambda match nonlocal not or pass raise return try while with yield",
			types:   "bool bytes dict float int list object set str tuple self cls", consts: "True False None",
		},
		{names: "javascript js mjs cjs jsx node", line: slashes, quotes: []quote{star, template, double, single}, letters: "$", keyword: ofJS, consts: "true false null undefined NaN Infinity"},
		{
			names: "typescript ts tsx mts cts", line: slashes, quotes: []quote{star, template, double, single}, letters: "$",
			keyword: ofJS + "abstract as declare enum implements interface is keyof namespace private protected public readonly satisfies type",
			types:   "any bigint boolean never number object string symbol unknown", consts: "true false null undefined NaN Infinity",
		},
		{
			names: "bash sh shell zsh ksh console", line: hash, quotes: []quote{{open: `"`, shut: `"`, escape: true, multi: true}, {open: `'`, shut: `'`, multi: true}}, letters: "$",
			keyword: "case do done elif else esac export fi for function if in local readonly return set shift source then trap unset until while", consts: "true false",
		},
		{names: "json jsonc json5 jsonl", line: slashes, quotes: []quote{star, double}, keys: true, consts: "true false null"},
		{names: "yaml yml", line: hash, quotes: []quote{double, {open: "'", shut: "'"}}, letters: "-.", keys: true, consts: "true false null yes no on off"},
		{names: "toml", line: hash, quotes: []quote{longer, longest, double, {open: "'", shut: "'"}}, letters: "-.", keys: true, consts: "true false inf nan"},
		{names: "ini conf cfg properties env dotenv service", line: []string{";", "#"}, quotes: []quote{double}, letters: "-.", keys: true, consts: "true false yes no on off"},
		{
			names: "rust rs", line: slashes, quotes: []quote{star, {open: `r#"`, shut: `"#`, multi: true}, {open: `"`, shut: `"`, escape: true, multi: true}, single}, letters: "!",
			keyword: "as async await break const continue crate dyn else enum extern fn for if impl in let loop match mod move mut pub ref return self static struct super trait type unsafe use where while",
			types:   "Box Option Result Self String Vec bool char f32 f64 i128 i16 i32 i64 i8 isize str u128 u16 u32 u64 u8 usize", consts: "true false None Some Ok Err",
		},
		{names: "c h", line: slashes, quotes: []quote{star, double, single}, letters: "#", keyword: ofC + "#define #elif #else #endif #if #ifdef #ifndef #include #pragma #undef", types: typesOfC, consts: "NULL true false"},
		{
			names: "c++ cpp cc cxx hpp hh", line: slashes, quotes: []quote{star, double, single}, letters: "#",
			keyword: ofC + "#define #elif #else #endif #if #ifdef #ifndef #include #pragma #undef auto catch class concept constexpr delete explicit final friend mutable namespace new noexcept operator override private protected public requires template this throw try typename using virtual",
			types:   typesOfC + "string vector map", consts: "nullptr NULL true false",
		},
		{
			names: "c# cs csharp", line: slashes, quotes: []quote{star, {open: `@"`, shut: `"`, multi: true}, double, single},
			keyword: "abstract as async await base break case catch class const continue default delegate do else enum event explicit extern finally fixed for foreach get goto if implicit in interface internal is lock namespace new operator out override params private protected public readonly record ref return sealed set sizeof static struct switch this throw try typeof unsafe using value virtual volatile where while yield",
			types:   "bool byte char decimal double dynamic float int long object sbyte short string uint ulong ushort var void", consts: "true false null",
		},
	}
}

// others are the rest.
func others() []*language {
	return []*language{
		{
			names: "java", line: slashes, quotes: []quote{star, longer, double, single}, letters: "@",
			keyword: "abstract assert break case catch class continue default do else enum extends final finally for if implements import instanceof interface native new package private protected public record return sealed static super switch synchronized this throw throws transient try volatile while yield",
			types:   "boolean byte char double float int long short String Object void var", consts: "true false null",
		},
		{
			names: "kotlin kt kts", line: slashes, quotes: []quote{star, longer, double, single}, letters: "@",
			keyword: "abstract as break by catch class companion continue data do else enum finally for fun if import in init interface internal is lateinit object open operator override package private protected public return sealed super suspend this throw try typealias val var when where while",
			types:   "Any Array Boolean Byte Char Double Float Int List Long Map Set Short String Unit", consts: "true false null",
		},
		{
			names: "swift", line: slashes, quotes: []quote{star, longer, double}, letters: "@#",
			keyword: "actor as async await break case catch class continue default defer deinit do else enum extension fallthrough fileprivate for func guard if import in init inout internal is let mutating open operator private protocol public repeat rethrows return self static struct subscript super switch throw throws try typealias var where while",
			types:   "Any Array Bool Character Dictionary Double Float Int Optional Self Set String Void", consts: "true false nil",
		},
		{
			names: "php", line: []string{"//", "#"}, quotes: []quote{star, double, single}, letters: "$",
			keyword: "abstract and as break case catch class clone const continue declare default do echo else elseif enum extends final finally fn for foreach function global if implements include instanceof interface match namespace new or private protected public readonly require require_once return static switch throw trait try use var while yield",
			types:   "array bool float int iterable mixed object string void", consts: "true false null",
		},
		{
			names: "ruby rb", line: hash, quotes: []quote{double, single}, letters: "@$?!",
			keyword: "alias and begin break case class def do else elsif end ensure for if in module next not or redo rescue retry return self super then undef unless until when while yield require attr_accessor attr_reader", consts: "true false nil",
		},
		{
			names: "lua", line: dashes, quotes: []quote{{open: "--[[", shut: "]]", multi: true, comment: true}, {open: "[[", shut: "]]", multi: true}, double, single},
			keyword: "and break do else elseif end for function goto if in local not or repeat return then until while", consts: "true false nil",
		},
		{
			names: "sql postgresql psql mysql sqlite", line: dashes, quotes: []quote{star, {open: "'", shut: "'", multi: true}, double}, fold: true,
			keyword: "add all alter and as asc begin between by case check column commit constraint create cross database default delete desc distinct drop else end exists explain foreign from full grant group having if in index inner insert into is join key left like limit not offset on or order outer primary references returning revoke right rollback select set table then transaction union unique update using values view when where with",
			types:   "bigint blob boolean char date decimal double float int integer json jsonb numeric real serial smallint text timestamp timestamptz uuid varchar", consts: "true false null",
		},
		{names: "css scss less", line: nil, quotes: []quote{star, double, single}, letters: "-@#.", keys: true, keyword: "@import @media @keyframes @font-face @supports !important"},
		{
			names: "dockerfile docker containerfile", line: hash, quotes: []quote{double, single}, letters: "$-",
			keyword: "ADD ARG AS CMD COPY ENTRYPOINT ENV EXPOSE FROM HEALTHCHECK LABEL ONBUILD RUN SHELL STOPSIGNAL USER VOLUME WORKDIR",
		},
		{names: "make makefile mk", line: hash, quotes: []quote{double, single}, letters: "$-.", keys: true, keyword: "define else endef endif export ifdef ifeq ifndef ifneq include"},
		{
			names: "protobuf proto", line: slashes, quotes: []quote{star, double, single},
			keyword: "enum extend import message map oneof option optional package repeated required reserved returns rpc service stream syntax",
			types:   "bool bytes double fixed32 fixed64 float int32 int64 sint32 sint64 string uint32 uint64", consts: "true false",
		},
		{
			names: "terraform tf hcl", line: []string{"#", "//"}, quotes: []quote{star, double}, letters: "-", keys: true,
			keyword: "data for for_each if in locals module output provider resource terraform variable", types: "any bool list map number object set string", consts: "true false null",
		},
		{
			names: "zig", line: slashes, quotes: []quote{double, single}, letters: "@",
			keyword: "and break catch comptime const continue defer else enum errdefer error export extern fn for if inline or orelse packed pub return struct switch test try union unreachable usingnamespace var while",
			types:   "bool f32 f64 i16 i32 i64 i8 isize type u16 u32 u64 u8 usize void", consts: "true false null undefined",
		},
		{mode: diff, names: "diff patch"},
		{mode: markup, names: "html htm xml svg xhtml vue", quotes: []quote{remark, {open: `"`, shut: `"`, multi: true}, {open: "'", shut: "'", multi: true}}},
	}
}
