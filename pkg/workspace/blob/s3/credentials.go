package s3

import (
	"net/http"
	"time"

	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/workspace/blob"
)

const (
	// fresh is for how long credentials count before they are looked up again:
	// other programs renew them in the files.
	fresh = time.Minute
	// instanceTimeout bounds one answer of the machine's metadata service.
	instanceTimeout = 5 * time.Second
)

// credentials finds the credentials once, so that it fails early, and returns
// what finds them again while the store is in use.
func (e environment) credentials() (*credentials.Credentials, error) {
	_, err := e.keys()
	if err == nil {
		return credentials.New(&provider{from: e}), nil
	}
	if e.instance && fault.Is(err, fault.Denied) {
		return credentials.New(&credentials.IAM{Client: &http.Client{Timeout: instanceTimeout}}), nil
	}
	return nil, err
}

// keys looks for credentials: variables, then the profile of .aws/credentials,
// then that of .aws/config. It fails with fault.Denied where there are none.
func (e environment) keys() (credentials.Value, error) {
	v := credentials.Value{
		AccessKeyID: e.get("AWS_ACCESS_KEY_ID"), SecretAccessKey: e.get("AWS_SECRET_ACCESS_KEY"),
		SessionToken: e.get("AWS_SESSION_TOKEN"), SignerType: credentials.SignatureV4,
	}
	switch {
	case v.AccessKeyID != "" && v.SecretAccessKey != "":
		return v, nil
	case v.AccessKeyID != "" || v.SecretAccessKey != "":
		return credentials.Value{}, fault.New(fault.Invalid, "one of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY is set without the other", "set both, or neither and AWS_PROFILE")
	}
	p, err := e.profile()
	if err != nil {
		return credentials.Value{}, err
	}
	for _, from := range []map[string]string{p.credentials, p.config} {
		v.AccessKeyID, v.SecretAccessKey, v.SessionToken = from["aws_access_key_id"], from["aws_secret_access_key"], from["aws_session_token"]
		if v.AccessKeyID != "" && v.SecretAccessKey != "" {
			return v, nil
		}
	}
	return credentials.Value{}, none(p)
}

// none says that there are no credentials, and where a profile gets them in a
// way that Vexa does not go, how to export them.
func none(p profile) error {
	denied := &fault.Error{
		Kind: fault.Denied, Err: blob.ErrDenied, Msg: "there are no credentials for S3",
		Hint: "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE to a profile that has them",
	}
	for _, key := range []string{"credential_process", "sso_session", "sso_start_url", "role_arn"} {
		if p.credentials[key]+p.config[key] != "" {
			denied.Msg = "the profile " + p.name + " gets its credentials by " + key + ", which Vexa does not run"
			denied.Hint = `eval "$(aws configure export-credentials --profile ` + p.name + ` --format env)" and try again`
		}
	}
	return denied
}

// provider looks the credentials up anew each minute. The client that uses it
// calls it one at a time.
type provider struct {
	from  environment
	until time.Time
}

// RetrieveWithCredContext looks the credentials up.
func (p *provider) RetrieveWithCredContext(*credentials.CredContext) (credentials.Value, error) {
	return p.Retrieve()
}

// Retrieve looks the credentials up.
func (p *provider) Retrieve() (credentials.Value, error) {
	v, err := p.from.keys()
	if err != nil {
		return credentials.Value{}, err
	}
	p.until = time.Now().Add(fresh)
	return v, nil
}

// IsExpired reports whether they are to be looked up again.
func (p *provider) IsExpired() bool { return time.Now().After(p.until) }
