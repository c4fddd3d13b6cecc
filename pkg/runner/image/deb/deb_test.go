package deb_test

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/vexa-ai/vexa/pkg/runner/image/deb"
	"github.com/vexa-ai/vexa/pkg/runner/image/imagetest"
)

func TestData(t *testing.T) {
	t.Parallel()
	entries := []imagetest.Entry{{Name: "./usr/", Mode: 0o755}, {Name: "./usr/x", Data: strings.Repeat("x", 999)}}
	want := imagetest.Tar(t, entries...)
	for _, suffix := range []string{"", ".gz", ".xz", ".zst"} {
		r, err := deb.Data(bytes.NewReader(imagetest.Deb(t, suffix, entries...)))
		if err != nil {
			t.Fatalf("%q: %v", suffix, err)
		}
		if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%q: %d bytes, %v", suffix, len(got), err)
		}
	}
}

func TestWhatIsNoPackage(t *testing.T) {
	t.Parallel()
	good := string(imagetest.Deb(t, ".xz", imagetest.Entry{Name: "x"}))
	bomb := bytes.Clone(imagetest.Compress(t, ".xz", []byte("x")))
	bomb[16] = 0x28 // the dictionary's size: 4 GiB less one
	second := append(imagetest.Compress(t, ".xz", []byte("x")), imagetest.Compress(t, ".xz", []byte("y"))...)
	head := func(name string, size int) string {
		return fmt.Sprintf("%-16s%-12d%-6d%-6d%-8s%-10d`\n", name, 0, 0, 0, "100644", size)
	}
	begin := "!<arch>\n" + head("debian-binary", 4) + "2.0\n"
	for name, data := range map[string]string{
		"nothing":                "",
		"a tar":                  string(imagetest.Tar(t)),
		"cut off in a header":    good[:30],
		"cut off before data":    good[:100],
		"another format":         strings.Replace(good, "2.0\n", "3.0\n", 1),
		"no end mark":            strings.Replace(good, "`\n", "x\n", 1),
		"a negative size":        begin + head("data.tar.xz", -1),
		"a size that is no size": begin + strings.Replace(head("control.tar.gz", 0), "0         `", "ten       `", 1),
		"another member":         begin + head("evil.sh", 0),
		"no data":                begin + head("control.tar.gz", 0),
		"unknown compression":    begin + head("data.tar.lz4", 0),
		"a version of megabytes": "!<arch>\n" + head("debian-binary", 1<<20) + "2.0\n" + strings.Repeat("x", 1<<20),
		"a window of 4 GiB":      begin + head("data.tar.xz", len(bomb)) + string(bomb),
		"a second stream":        begin + head("data.tar.xz", len(second)) + string(second),
	} {
		r, err := deb.Data(strings.NewReader(data))
		if err == nil {
			_, err = io.ReadAll(r)
		}
		if err == nil {
			t.Errorf("%s: is taken for a package", name)
		}
	}
}

func TestCompare(t *testing.T) {
	t.Parallel()
	for _, c := range []string{
		"1.0~rc1 1.0", "1.0 1.0+b1", "1.0 1.1", "1.9 1.10", "2.0 1:1.0", "1.0-1 1.0-2", "1.0-1 1.0-1+deb12u1", "1.0-1+deb12u2 1.0-1+deb12u10",
		"1.0a 1.0+", "1 1a", "1~~ 1~", "1~ 1", "0009 10", "1.2-3 1.2.1-1", "20230311+deb12u1 20250419~deb12u2", "1.0-1~bpo 1.0-1",
	} {
		low, high, _ := strings.Cut(c, " ")
		if deb.Compare(low, high) >= 0 || deb.Compare(high, low) <= 0 || deb.Compare(low, low) != 0 {
			t.Errorf("%s: %d, %d", c, deb.Compare(low, high), deb.Compare(high, low))
		}
	}
	if deb.Compare("1.0", "1.00") != 0 || deb.Compare("0:1", "1") != 0 {
		t.Error("versions that are the same differ")
	}
}

const packages = `Package: app
Version: 1.0
Depends: liba (>= 1), b | c, virtual, left-out | other, shell:any
Pre-Depends: libc6 (>= 2.36)
Filename: pool/app.deb
Size: 10
SHA256: aa
Description: does things
 Depends: not-a-field

Package: liba
Version: 1.9
Depends: libc6, app

Package: liba
Version: 1.10
Depends: libc6

Package: liba
Version: 1.2

Package: c
Version: 1

Package: libc6
Version: 2.36-9

Package: impl-b
Version: 1
Provides: virtual (= 1)

Package: impl-a
Version: 1
Provides: something, virtual

Package: shell
Version: 1
`

func TestResolve(t *testing.T) {
	t.Parallel()
	var x deb.Index
	if err := x.Add("debian", strings.NewReader(packages)); err != nil {
		t.Fatal(err)
	}
	got, err := x.Resolve([]string{"app"}, []string{"left-out"})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, p := range got {
		names = append(names, p.Name+"="+p.Version)
	}
	if s := strings.Join(names, " "); s != "app=1.0 c=1 impl-a=1 liba=1.10 libc6=2.36-9 shell=1" {
		t.Errorf("got %s", s)
	}
	if got[0].File != "pool/app.deb" || got[0].Size != 10 || got[0].SHA256 != "aa" || got[0].Archive != "debian" {
		t.Errorf("%+v", got[0])
	}
	if _, err := x.Resolve([]string{"app"}, nil); err == nil || !strings.Contains(err.Error(), "left-out") {
		t.Errorf("a dependency that is not there: %v", err)
	}
	if _, err := x.Resolve([]string{"none"}, nil); err == nil {
		t.Error("a package that is not there is found")
	}
}

func FuzzData(f *testing.F) {
	f.Add([]byte("!<arch>\n"))
	f.Add([]byte("!<arch>\n" + fmt.Sprintf("%-16s%-12d%-6d%-6d%-8s%-10d`\n", "debian-binary", 0, 0, 0, "100644", 4) + "2.0\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := deb.Data(bytes.NewReader(data))
		if err == nil {
			_, _ = io.Copy(io.Discard, io.LimitReader(r, 1<<20))
		}
	})
}
