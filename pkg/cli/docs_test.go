package cli_test

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/cli"
	"github.com/vexa-ai/vexa/pkg/cli/output"
	"github.com/vexa-ai/vexa/pkg/fault"
)

const docs = "../../docs"

// walk calls f for each command that people see.
func walk(cmd *cobra.Command, f func(*cobra.Command)) {
	f(cmd)
	for _, c := range cmd.Commands() {
		if !c.Hidden {
			walk(c, f)
		}
	}
}

func TestExitCodesAreWhatTheyAreSaidToBe(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile(filepath.Join(docs, "exit-codes.md"))
	if err != nil {
		t.Fatal(err)
	}
	var want, got []string
	for _, e := range cli.Exits() {
		want = append(want, fmt.Sprintf("| %d | %s |", e.Code, e.Meaning))
	}
	for line := range strings.Lines(string(data)) {
		if regexp.MustCompile(`^\| \d`).MatchString(line) {
			got = append(got, strings.TrimSpace(line))
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("docs/exit-codes.md differs from the code\n%s", diff)
	}
	for kind, code := range map[fault.Kind]int{
		fault.Internal: 1, fault.Failed: 1, fault.Invalid: 1, fault.Usage: 2, fault.NotFound: 3, fault.Locked: 4, fault.Conflict: 5,
		fault.Unreachable: 6, fault.Unavailable: 7, fault.Timeout: 8, fault.Denied: 9, fault.Interrupted: 130,
	} {
		if got := cli.ExitCode(fmt.Errorf("wrapped: %w", fault.New(kind, "x", ""))); got != code {
			t.Errorf("%s exits with %d, want %d", kind, got, code)
		}
		if !strings.Contains(string(data), "`"+string(kind)+"`") {
			t.Errorf("docs/exit-codes.md does not name %s", kind)
		}
	}
}

func TestEveryCommandAndFlagIsDocumented(t *testing.T) {
	t.Parallel()
	walk(cli.New(processFactory()), func(cmd *cobra.Command) {
		path := cmd.CommandPath()
		if cmd.Short == "" || strings.HasSuffix(cmd.Short, ".") {
			t.Errorf("%s: Short is %q", path, cmd.Short)
		}
		if cmd.Runnable() && !strings.HasPrefix(cmd.Example, "$ vexa ") {
			t.Errorf("%s has no example", path)
		}
		for line := range strings.SplitSeq(cmd.Example, "\n") {
			if words := strings.Fields(line); line != "" && (len(words) < 2 || words[0] != "$") {
				t.Errorf("%s: an example is no command: %q", path, line)
			}
		}
		if cmd.Runnable() && !cmd.HasSubCommands() && cmd.Long == "" {
			t.Errorf("%s has no text", path)
		}
		cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if f.Usage == "" {
				t.Errorf("%s --%s says nothing", path, f.Name)
			}
			if strings.ToLower(f.Name) != f.Name || strings.Contains(f.Name, "_") {
				t.Errorf("%s --%s is not kebab-case", path, f.Name)
			}
			if regexp.MustCompile(`passphrase|secret|token$|key`).MatchString(f.Name) && f.Value.Type() == "string" && !strings.HasSuffix(f.Name, "-file") {
				t.Errorf("%s --%s takes a secret on the command line", path, f.Name)
			}
		})
	})
}

// Every name that can be known completes, in arguments and in flags; a name that is made
// up completes with nothing, and no file.
func TestNamesComplete(t *testing.T) {
	t.Parallel()
	// What an argument is called that is no text of one's own, no key and no file.
	named := func(use string) bool {
		words := regexp.MustCompile(`\b[A-Z]{2,}\b`).FindAllString(strings.SplitN(use+" --", "--", 2)[0], -1)
		return len(slices.DeleteFunc(words, func(w string) bool { return slices.Contains([]string{"TEXT", "FILE", "DIR", "KEY"}, w) })) > 0
	}
	walk(cli.New(processFactory()), func(cmd *cobra.Command) {
		if named(cmd.Use) && cmd.ValidArgsFunction == nil && cmd.CommandPath() != "vexa workspace add" {
			t.Errorf("%s completes nothing: %s", cmd.CommandPath(), cmd.Use)
		}
		cmd.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) {
			arg, _ := pflag.UnquoteUsage(f)
			known := slices.Contains([]string{"workspace", "runner", "model", "tool", "session", "dispatch", "unit"}, f.Name) || arg == "dispatch"
			if made := strings.HasPrefix(cmd.CommandPath(), "vexa init") || cmd.CommandPath() == "vexa model add"; !known || made {
				return
			}
			if _, ok := cmd.GetFlagCompletionFunc(f.Name); !ok {
				t.Errorf("%s --%s completes nothing", cmd.CommandPath(), f.Name)
			}
		})
	})
}

// The fields of a command complete, one behind the other, and each once.
func TestJSONFieldsComplete(t *testing.T) {
	t.Parallel()
	seen := 0
	walk(cli.New(processFactory()), func(cmd *cobra.Command) {
		f := cmd.Flags().Lookup(output.FlagJSON)
		if f == nil || f.Value.Type() == "bool" {
			return
		}
		seen++
		complete, ok := cmd.GetFlagCompletionFunc(output.FlagJSON)
		if !ok {
			t.Errorf("%s --json completes nothing", cmd.CommandPath())
			return
		}
		fields := strings.Split(cmd.Annotations[output.AnnotationFields], ",")
		const directive = cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
		if got, d := complete(cmd, nil, ""); !slices.Equal(got, fields) || d != directive {
			t.Errorf("%s --json completes with %q, %d", cmd.CommandPath(), got, d)
		}
		first := fields[0]
		var rest []string
		for _, name := range fields[1:] {
			rest = append(rest, first+","+name)
		}
		if got, d := complete(cmd, nil, first+",x"); !slices.Equal(got, rest) || d != directive {
			t.Errorf("%s --json %s, completes with %q, %d", cmd.CommandPath(), first, got, d)
		}
	})
	if seen < 40 {
		t.Errorf("%d commands have fields", seen)
	}
}

// The fields that scripts rely on. A field may be added here, never removed.
func TestJSONFieldsAreSpelledOut(t *testing.T) {
	t.Parallel()
	want := map[string]string{
		"vexa ps":                "id,state,subject,launcher,runner,model,trigger,workspaces,container,session,startedAt,endedAt,stopReason,detail,busy,turns,requests,tokens",
		"vexa show":              "id,state,subject,launcher,runner,model,trigger,workspaces,container,session,startedAt,endedAt,stopReason,detail,busy,turns,requests,tokens,unit,commits",
		"vexa web":               "url,address,expiresAt",
		"vexa session rename":    "id,title,runner,unit,updatedAt",
		"vexa session list":      "id,title,runner,unit,updatedAt",
		"vexa workspace create":  "name,id,head,createdAt,updatedAt,files,encrypted,unmerged,bucket,generation,writeOnly,problem",
		"vexa workspace list":    "name,id,head,createdAt,updatedAt,files,encrypted,unmerged,bucket,generation,writeOnly,problem",
		"vexa workspace show":    "name,id,head,createdAt,updatedAt,files,encrypted,unmerged,bucket,generation,writeOnly,problem,commits",
		"vexa workspace log":     "sha,subject,launcher,unit,session,runner,message,author,time,parents,workspace,undoes",
		"vexa workspace files":   "path,mode,size,sha",
		"vexa workspace diff":    "from,to,patch",
		"vexa workspace undo":    "sha,reverted,conflicts,proposal",
		"vexa workspace add":     "name,id,head,createdAt,updatedAt,files,encrypted,unmerged,bucket,generation,writeOnly,problem",
		"vexa workspace backup":  "bucket,generation,objects,bytes,present,replaced,damaged",
		"vexa workspace repair":  "actions,generation,moved,broken,offered,left",
		"vexa workspace restore": "bucket,generation,objects,bytes,present,replaced,damaged",
		"vexa workspace verify":  "healthy,generation,newest,seen,manifests,packs,refs,bytes,findings",
		"vexa workspace inbox":   "id,time,size,member,refs,state,why",
		"vexa workspace join":    "name,id,bucket,generation,inviter,key,roots",
		"vexa workspace blame":   "line,text,sha,subject,launcher,unit,session,author,time,message",
		"vexa workspace status":  "name,bucket,generation,updatedAt,open,behind,ahead,unmerged,proposals,inbox,members,policy,epoch,packs,unverified,backup",
		"vexa workspace rotate":  "generation,epoch,packs",

		"vexa workspace member add":    "id,name,recipients,signers,fingerprints,rights,recovery,until,self",
		"vexa workspace member list":   "id,name,recipients,signers,fingerprints,rights,recovery,until,self",
		"vexa workspace member remove": "name,id,until,generation,epoch,bucket,short",
		"vexa workspace member set":    "id,name,recipients,signers,fingerprints,rights,recovery,until,self",

		"vexa workspace commands": "name,arguments,help,path,template,problem",

		"vexa workspace policy show": "version,approvals",
		"vexa workspace policy set":  "version,approvals",

		"vexa proposal accept":  "id,title,status,target,branch,from,source,result,merge,subject,unit,undoes,body,conflicts,open,needed,approved,approvals,stale,problem,updatedAt,by,openedBy,events",
		"vexa proposal approve": "id,title,status,target,branch,from,source,result,merge,subject,unit,undoes,body,conflicts,open,needed,approved,approvals,stale,problem,updatedAt,by,openedBy,events",
		"vexa proposal comment": "id,title,status,target,branch,from,source,result,merge,subject,unit,undoes,body,conflicts,open,needed,approved,approvals,stale,problem,updatedAt,by,openedBy,events",
		"vexa proposal create":  "id,title,status,target,branch,from,source,result,merge,subject,unit,undoes,body,conflicts,open,needed,approved,approvals,stale,problem,updatedAt,by,openedBy,events",
		"vexa proposal list":    "id,title,status,target,branch,from,source,result,merge,subject,unit,undoes,body,conflicts,open,needed,approved,approvals,stale,problem,updatedAt,by,openedBy,events",
		"vexa proposal refresh": "id,title,status,target,branch,from,source,result,merge,subject,unit,undoes,body,conflicts,open,needed,approved,approvals,stale,problem,updatedAt,by,openedBy,events",
		"vexa proposal reject":  "id,title,status,target,branch,from,source,result,merge,subject,unit,undoes,body,conflicts,open,needed,approved,approvals,stale,problem,updatedAt,by,openedBy,events",
		"vexa proposal resolve": "id,title,status,target,branch,from,source,result,merge,subject,unit,undoes,body,conflicts,open,needed,approved,approvals,stale,problem,updatedAt,by,openedBy,events",
		"vexa proposal show":    "id,title,status,target,branch,from,source,result,merge,subject,unit,undoes,body,conflicts,open,needed,approved,approvals,stale,problem,updatedAt,by,openedBy,events",
		"vexa proposal diff":    "from,to,patch",

		"vexa runner build":  "runner,image,digest,arch,bytes,downloaded,cached,freed,fetchSec,makeSec,loadSec,warmSec",
		"vexa runner list":   "name,title,image,digest,dialect,protocols,resumes",
		"vexa runner show":   "name,title,image,argv,prompt,stream,session,inference,mcp,permissions,env,files,signals,exit,limits,package,knownLimits",
		"vexa runner test":   "runner,image,package,ok,checks,firstSec,warmSec,tailSec,peakMb,events",
		"vexa model add":     "name,protocol,url,models,cassette,hasKey,default,also,prices",
		"vexa model list":    "name,protocol,url,models,cassette,hasKey,default,also,prices",
		"vexa model price":   "model,input,output,cacheRead,cacheWrite",
		"vexa model record":  "inference",
		"vexa model test":    "ok,model,reply,error,streaming,elapsedMs,provider,hint,checks,protocols,runners,contextTokens,requests,inputTokens,outputTokens",
		"vexa tool list":     "name,title,description,transport,mcpServer,inputSchema,effect,grant,scope,barriers,limits",
		"vexa tool show":     "name,title,description,transport,mcpServer,inputSchema,effect,grant,scope,barriers,limits",
		"vexa contract list": "name",
		"vexa daemon status": "pid,runtimePid,version,socket,home,installId,startedAt,locked,live",
		"vexa key show":      "recipient,postQuantum,signingKey,fingerprint,protection,file,added,recovery",
		"vexa doctor":        "name,status,detail,why,fix,blocking",
		"vexa version":       "version,commit,date,go",
	}
	got := map[string]string{}
	walk(cli.New(processFactory()), func(cmd *cobra.Command) {
		if fields := cmd.Annotations[output.AnnotationFields]; fields != "" {
			got[cmd.CommandPath()] = fields
		}
	})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

// Requests that were recorded are printed whole: the members of each are fields,
// too, and the help names them.
func TestRecordedRequestsAreSpelledOut(t *testing.T) {
	t.Parallel()
	const want = "number,turn,provider,model,protocol,client,url,headers,sentAt,endedAt,outcome,status,error,attempts,inputTokens,outputTokens,estimated,request,answer,reply"
	if got := members(reflect.TypeFor[api.Exchange]()); got != want {
		t.Errorf("a request has %s, not %s", got, want)
	}
	if got := members(reflect.TypeFor[api.ExchangeBody]()); got != "bytes,cut,redacted,text,base64" {
		t.Errorf("a body has %s", got)
	}
	if got := members(reflect.TypeFor[api.Attempt]()) + " " + members(reflect.TypeFor[api.ReplyPart]()); got != "at,status,error kind,text,tool" {
		t.Errorf("attempts and replies have %s", got)
	}
	logs, _, err := cli.New(processFactory()).Find([]string{"logs"})
	if err != nil {
		t.Fatal(err)
	}
	if help := strings.Join(strings.Fields(logs.Long), ""); !strings.Contains(help, want) {
		t.Errorf("vexa logs --help does not name %s", want)
	}
}

// members lists the JSON names of a type's fields.
func members(t reflect.Type) string {
	var names []string
	for field := range t.Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		names = append(names, name)
	}
	return strings.Join(names, ",")
}

// The commands that issues and scripts name.
func TestTheCommandsAreThere(t *testing.T) {
	t.Parallel()
	var got []string
	walk(cli.New(processFactory()), func(cmd *cobra.Command) { got = append(got, strings.TrimPrefix(cmd.CommandPath(), "vexa ")) })
	for name := range strings.SplitSeq("init,unlock,lock,chat,run,ps,show,logs,stop,session list,workspace create,workspace list,workspace show,"+
		"workspace log,workspace diff,workspace undo,workspace files,workspace cat,workspace commands,runner list,runner show,model add,model list,model test,model price,model record,"+
		"model remove,key show,key add,key protect,key export,key recovery,contract list,contract show,contract validate,contract check,contract seal,daemon start,daemon stop,daemon status,"+
		"daemon logs,doctor,version,completion bash,completion zsh,completion fish,completion powershell,environment,exit-codes,json,files,security", ",") {
		if !slices.Contains(got, name) {
			t.Errorf("there is no vexa %s", name)
		}
	}
}
