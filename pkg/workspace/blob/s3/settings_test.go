package s3_test

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace/blob/s3"
)

// home is a home with AWS's two files.
func home(t *testing.T, credentials, config string) string {
	t.Helper()
	dir := t.TempDir()
	must(t, os.Mkdir(filepath.Join(dir, ".aws"), 0o700))
	must(t, os.WriteFile(filepath.Join(dir, ".aws", "credentials"), []byte(credentials), 0o600))
	must(t, os.WriteFile(filepath.Join(dir, ".aws", "config"), []byte(config), 0o600))
	return dir
}

// env is an environment of "NAME=value" words.
func env(words string) func(string) string {
	all := map[string]string{}
	for word := range strings.FieldsSeq(words) {
		name, value, _ := strings.Cut(word, "=")
		all[name] = value
	}
	return func(name string) string { return all[name] }
}

const keys = "AWS_ACCESS_KEY_ID=id AWS_SECRET_ACCESS_KEY=secret "

func TestEndpointAndRegion(t *testing.T) {
	t.Parallel()
	config := `
# written by hand
[default]
region = eu-central-1
endpoint_url = https://default.example.com
[profile work]
region=eu-west-1
services = work-services
s3 =
    addressing_style = path
    endpoint_url = https://not.this.example.com
[services work-services]
dynamodb =
  endpoint_url = https://dynamo.example.com
s3 =
  endpoint_url = https://s3.work.example.com:8443
`
	dir := home(t, "", config)
	for _, c := range []struct {
		env, home        string
		endpoint, region string
		path             bool
	}{
		{keys, "", "https://s3.amazonaws.com", "", false},
		{keys + "AWS_REGION=eu-north-1 AWS_DEFAULT_REGION=us-east-2", "", "https://s3.amazonaws.com", "eu-north-1", false},
		{keys + "AWS_DEFAULT_REGION=us-east-2", "", "https://s3.amazonaws.com", "us-east-2", false},
		{keys + "AWS_ENDPOINT_URL=http://127.0.0.1:9000/", "", "http://127.0.0.1:9000", "us-east-1", true},
		{keys + "AWS_ENDPOINT_URL=http://a.example AWS_ENDPOINT_URL_S3=http://b.example", "", "http://b.example", "us-east-1", true},
		{keys + "AWS_ENDPOINT_URL=https://s3.eu-west-3.amazonaws.com", "", "https://s3.eu-west-3.amazonaws.com", "", false},
		{keys, dir, "https://default.example.com", "eu-central-1", true},
		{keys + "AWS_PROFILE=work", dir, "https://s3.work.example.com:8443", "eu-west-1", true},
		{keys + "AWS_DEFAULT_PROFILE=work AWS_REGION=auto", dir, "https://s3.work.example.com:8443", "auto", true},
		{keys + "AWS_PROFILE=work AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=true", dir, "https://s3.amazonaws.com", "eu-west-1", false},
		{keys + "AWS_CONFIG_FILE=" + filepath.Join(dir, ".aws", "config"), "", "https://default.example.com", "eu-central-1", true},
	} {
		endpoint, region, path, err := s3.Resolve(s3.Options{Env: env(c.env), Home: c.home})
		if err != nil || endpoint != c.endpoint || region != c.region || path != c.path {
			t.Errorf("%s: %s, %q, %v, %v", c.env, endpoint, region, path, err)
		}
	}
}

func TestCredentials(t *testing.T) {
	t.Parallel()
	dir := home(t, `
[default]
aws_access_key_id = file-id
aws_secret_access_key = file=secret==
[work]
aws_access_key_id=work-id
aws_secret_access_key=work-secret
aws_session_token=work-token
`, `
[profile only-here]
aws_access_key_id=config-id
aws_secret_access_key=config-secret
[profile sso]
sso_session = corp
[profile assumed]
role_arn = arn:aws:iam::1:role/x
source_profile = default
[profile process]
credential_process = /bin/false
`)
	for _, c := range []struct{ env, home, want string }{
		{keys, "", "id secret "},
		{keys + "AWS_SESSION_TOKEN=t", dir, "id secret t"},
		{keys + "AWS_PROFILE=work", dir, "id secret "},
		{"", dir, "file-id file=secret== "},
		{"AWS_PROFILE=work", dir, "work-id work-secret work-token"},
		{"AWS_PROFILE=only-here", dir, "config-id config-secret "},
		{"AWS_PROFILE=work AWS_SHARED_CREDENTIALS_FILE=" + filepath.Join(dir, ".aws", "credentials"), "", "work-id work-secret work-token"},
	} {
		id, secret, token, err := s3.Keys(s3.Options{Env: env(c.env), Home: c.home})
		if got := id + " " + secret + " " + token; err != nil || got != c.want {
			t.Errorf("%q: %q, %v", c.env, got, err)
		}
	}
	for _, c := range []struct {
		env, home string
		kind      fault.Kind
		hint      string
	}{
		{"", "", fault.Denied, "AWS_PROFILE"},
		{"", t.TempDir(), fault.Denied, "AWS_ACCESS_KEY_ID"},
		{"AWS_PROFILE=absent", dir, fault.NotFound, "list-profiles"},
		{"AWS_ACCESS_KEY_ID=id", dir, fault.Invalid, "both"},
		{"AWS_SECRET_ACCESS_KEY=very-secret", dir, fault.Invalid, "both"},
		{"AWS_PROFILE=sso", dir, fault.Denied, "export-credentials --profile sso"},
		{"AWS_PROFILE=assumed", dir, fault.Denied, "export-credentials"},
		{"AWS_PROFILE=process", dir, fault.Denied, "export-credentials"},
	} {
		_, err := s3.Open("s3://bucket", s3.Options{Env: env(c.env), Home: c.home})
		if !fault.Is(err, c.kind) || !strings.Contains(fault.HintOf(err), c.hint) || strings.Contains(err.Error(), "secret ") {
			t.Errorf("%q: %v (%s)", c.env, err, fault.HintOf(err))
		}
	}
}

// TestMalformedFiles are told by their line, not by what is in it.
func TestMalformedFiles(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"[default]\naws_access_key_id = a\nvery-secret\n",
		"aws_secret_access_key = very-secret\n",
		"[default\nvery-secret\n",
		"[default]\nkey = " + strings.Repeat("very-secret", 200_000),
	} {
		_, err := s3.Open("s3://bucket", s3.Options{Home: home(t, text, "")})
		if !fault.Is(err, fault.Invalid) || strings.Contains(err.Error(), "very-secret") || !strings.Contains(err.Error(), "line ") {
			t.Errorf("%.40q: %v", text, err)
		}
	}
	_, err := s3.Open("s3://bucket", s3.Options{Env: env("AWS_CONFIG_FILE=" + t.TempDir())})
	if !fault.Is(err, fault.Denied) {
		t.Errorf("a directory: %v", err)
	}
}

func TestURLs(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"s3://bucket":              "s3://bucket",
		"s3://bucket/":             "s3://bucket",
		"s3://my.bucket-1/a/b_c.d": "s3://my.bucket-1/a/b_c.d",
		"s3://bucket/prefix/":      "s3://bucket/prefix",
	} {
		s, err := s3.Open(raw, s3.Options{Env: env(keys)})
		if err != nil || s.URL() != want {
			t.Errorf("%s: %v, %v", raw, s, err)
		}
	}
	for _, raw := range []string{
		"", "bucket", "http://bucket", "s3:bucket", "s3://", "s3:///a", "s3://Ab", "s3://ab", "s3://under_score", "s3://1.2.3.4", "s3://bucket:80/x",
		"s3://bucket//a", "s3://bucket/a//b", "s3://bucket/../a", "s3://bucket/.a", "s3://bucket/a b", "s3://bucket/" + strings.Repeat("a", 201),
		"s3://id:very-secret@bucket/a", "s3://bucket/a?secret=very-secret", "s3://bucket/a#very-secret", "very-secret://bucket", "s3://bucket/very-secret!",
	} {
		_, err := s3.Open(raw, s3.Options{Env: env(keys)})
		if !fault.Is(err, fault.Invalid) || strings.Contains(err.Error(), "very-secret") || fault.HintOf(err) == "" {
			t.Errorf("%q: %v", raw, err)
		}
	}
	for _, endpoint := range []string{"example.com", "ftp://example.com", "http://", "https://id:very-secret@example.com", "https://example.com/path", "https://example.com/?x=very-secret", "://", "http://a.example:port"} {
		_, err := s3.Open("s3://bucket", s3.Options{Env: env(keys + "AWS_ENDPOINT_URL=" + endpoint)})
		if !fault.Is(err, fault.Invalid) || strings.Contains(err.Error(), "very-secret") {
			t.Errorf("%q: %v", endpoint, err)
		}
	}
	if _, err := s3.Open("s3://bucket", s3.Options{Env: env(keys + "AWS_CA_BUNDLE=/dev/null")}); !fault.Is(err, fault.Invalid) {
		t.Errorf("no certificates: %v", err)
	}
}

// FuzzFiles: no file of AWS's crashes the reader, and no error tells of it.
func FuzzFiles(f *testing.F) {
	f.Add("[default]\nregion = x\ns3 =\n  a = b\n")
	f.Add("[profile 'a']\nx")
	f.Fuzz(func(t *testing.T, text string) {
		sections, line := s3.ParseSections([]byte(text))
		if (sections == nil) != (line > 0) {
			t.Errorf("%v, line %d", sections, line)
		}
		for section := range maps.Values(sections) {
			for key := range section {
				if key != strings.ToLower(key) {
					t.Errorf("key %q", key)
				}
			}
		}
	})
}
