package s3_test

import (
	"testing"

	"github.com/vexa-ai/vexa/pkg/workspace/blob"
	"github.com/vexa-ai/vexa/pkg/workspace/blob/blobtest"
	"github.com/vexa-ai/vexa/pkg/workspace/blob/s3"
	"github.com/vexa-ai/vexa/pkg/workspace/blob/s3/s3test"
)

// open opens a store over a server, or over what stands before it, with what a
// test changes of the options.
func open(tb testing.TB, server *s3test.Server, url, endpoint string, change func(*s3.Options)) *s3.Store {
	tb.Helper()
	opt := s3.Options{Env: server.Env(endpoint), Spool: tb.TempDir()}
	if change != nil {
		change(&opt)
	}
	s, err := s3.Open(url, opt)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Error(err)
		}
	})
	return s
}

func TestConformance(t *testing.T) {
	server := s3test.Start(t)
	blobtest.Run(t, func(t *testing.T) (first, second blob.Store) {
		t.Helper()
		url := "s3://" + server.Bucket(t) + "/a/prefix"
		return open(t, server, url, "", nil), open(t, server, url, "", nil)
	})
}
