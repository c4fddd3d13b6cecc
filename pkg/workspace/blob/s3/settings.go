package s3

import (
	"crypto/x509"
	"net/url"
	"os"
	"path/filepath"

	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/minio/minio-go/v7/pkg/s3utils"

	"github.com/vexa-ai/vexa/pkg/fault"
)

// environment is where the settings of AWS's tools are: variables and two files.
type environment struct {
	env      func(string) string
	home     string
	instance bool
}

// settings are what the environment says about a server.
type settings struct {
	endpoint *url.URL
	amazon   bool   // it is AWS itself, whose buckets are hosts
	region   string // "" where AWS is to be asked
	roots    *x509.CertPool
	creds    *credentials.Credentials
}

// readSettings decides as AWS's tools do: variables before files, what is for S3
// before what is for all services.
func readSettings(e environment) (settings, error) {
	p, err := e.profile()
	if err != nil {
		return settings{}, err
	}
	var set settings
	if set.endpoint, err = e.endpoint(p); err != nil {
		return settings{}, err
	}
	set.amazon = s3utils.IsAmazonEndpoint(*set.endpoint)
	set.region = first(e.get("AWS_REGION"), e.get("AWS_DEFAULT_REGION"), p.config["region"], p.credentials["region"])
	if set.region == "" && !set.amazon {
		set.region = "us-east-1" // what servers that have no regions expect
	}
	if set.roots, err = e.roots(p); err != nil {
		return settings{}, err
	}
	set.creds, err = e.credentials()
	return set, err
}

// get looks up one variable.
func (e environment) get(name string) string {
	if e.env == nil {
		return ""
	}
	return e.env(name)
}

// first returns the first that is not empty.
func first(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

// profile is one profile of the two files.
type profile struct {
	name        string
	credentials map[string]string // of .aws/credentials
	config      map[string]string // of .aws/config
	services    map[string]string // what config names as its services
}

// profile reads the profile that AWS_PROFILE names, else "default". It fails
// with fault.NotFound where that variable names one that is in neither file.
func (e environment) profile() (profile, error) {
	asked := first(e.get("AWS_PROFILE"), e.get("AWS_DEFAULT_PROFILE"))
	p := profile{name: first(asked, "default")}
	secret, err := readSections(e.file("AWS_SHARED_CREDENTIALS_FILE", "credentials"))
	if err != nil {
		return profile{}, err
	}
	config, err := readSections(e.file("AWS_CONFIG_FILE", "config"))
	if err != nil {
		return profile{}, err
	}
	p.credentials = secret[p.name]
	p.config = config["profile "+p.name]
	if p.config == nil && p.name == "default" {
		p.config = config["default"]
	}
	if asked != "" && p.credentials == nil && p.config == nil {
		return profile{}, fault.New(fault.NotFound, "AWS_PROFILE names the profile "+asked+", which is neither in .aws/credentials nor in .aws/config", "aws configure list-profiles shows those there are")
	}
	p.services = config["services "+p.config["services"]]
	return p, nil
}

// file is the path that a variable names, else that of .aws in the home.
func (e environment) file(variable, name string) string {
	if path := e.get(variable); path != "" {
		return path
	}
	if e.home == "" {
		return ""
	}
	return filepath.Join(e.home, ".aws", name)
}

// endpoint is the URL of the server, AWS's own where nothing names another.
func (e environment) endpoint(p profile) (*url.URL, error) {
	raw := ""
	if e.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS") != "true" {
		raw = first(e.get("AWS_ENDPOINT_URL_S3"), e.get("AWS_ENDPOINT_URL"), p.services["s3.endpoint_url"], p.config["endpoint_url"])
	}
	if raw == "" {
		return &url.URL{Scheme: "https", Host: "s3.amazonaws.com"}, nil
	}
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" {
		return nil, invalidEndpoint()
	}
	if u.Path != "" && u.Path != "/" {
		return nil, fault.New(fault.Invalid, "the S3 endpoint at "+u.Host+" has a path", "set AWS_ENDPOINT_URL to the host alone; the bucket belongs into s3://BUCKET/PREFIX")
	}
	return &url.URL{Scheme: u.Scheme, Host: u.Host}, nil
}

// roots are the certificates that AWS_CA_BUNDLE names besides those of the
// machine, or nil.
func (e environment) roots(p profile) (*x509.CertPool, error) {
	path := first(e.get("AWS_CA_BUNDLE"), p.config["ca_bundle"])
	if path == "" {
		return nil, nil //nolint:nilnil // nil are the machine's own, as crypto/tls has it
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, "read the certificates of AWS_CA_BUNDLE", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(data) {
		return nil, fault.New(fault.Invalid, path+", which AWS_CA_BUNDLE names, holds no certificate", "it must be PEM")
	}
	return pool, nil
}
