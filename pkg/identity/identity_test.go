package identity_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vexa-ai/vexa/pkg/contract/identityv1"
	"github.com/vexa-ai/vexa/pkg/contract/unitv1"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/identity"
)

const (
	issuer = "vexa:0123456789ab"
	unitID = "01JDQ8Z5T6K3M9W2R4X7Y1A0BC"
	other  = "01JDQ8Z5T6K3M9W2R4X7Y1A0BD"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func clock(t time.Time) func() time.Time { return func() time.Time { return t } }

func key(seed byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))
}

func public(k ed25519.PrivateKey) ed25519.PublicKey { return k.Public().(ed25519.PublicKey) }

func unit() unitv1.Unit {
	return unitv1.Unit{
		ID:         unitID,
		Identity:   unitv1.Identity{Subject: "u_jane", Launcher: "user:u_jane"},
		Runner:     "vexa",
		Workspaces: []unitv1.Workspace{{ID: "01JDQ8Z5T6K3M9W2R4X7Y1A0W1", Mode: unitv1.ReadWrite}, {ID: "01JDQ8Z5T6K3M9W2R4X7Y1A0W2", Mode: unitv1.ReadOnly}},
		Tools:      []string{"gmail.read"},
		Trigger:    unitv1.TriggerMessage,
		Start:      unitv1.Start{Entrypoint: &unitv1.Entrypoint{Inline: "hello"}},
	}
}

func authority(opts identity.Options) *identity.Authority {
	if opts.Issuer == "" {
		opts.Issuer = issuer
	}
	if opts.Key == nil {
		opts.Key = key(1)
	}
	if opts.Now == nil {
		opts.Now = clock(start)
	}
	opts.NewID = func() string { return "tok-1" }
	return identity.NewAuthority(opts)
}

func mint(tb testing.TB, opts identity.Options, u unitv1.Unit) string {
	tb.Helper()
	token, err := authority(opts).Mint(u, []string{"local/llama"}, time.Hour)
	if err != nil {
		tb.Fatal(err)
	}
	return token
}

func verifier(at time.Time) *identity.Verifier {
	return identity.NewVerifier(issuer, public(key(1)), clock(at))
}

func TestMintAndVerify(t *testing.T) {
	t.Parallel()
	token := mint(t, identity.Options{}, unit())
	for _, audience := range []string{identityv1.AudienceRuntime, identityv1.AudienceBroker, identityv1.AudienceStream} {
		for _, u := range []string{unitID, ""} {
			claims, err := verifier(start).Verify(token, audience, u)
			if err != nil {
				t.Fatal(err)
			}
			if claims.Subject != "u_jane" || claims.Actor.Subject != "agent:vexa" || claims.Actor.Actor.Subject != "user:u_jane" ||
				claims.Unit != unitID || claims.Confirm.Socket != unitID || claims.Expires-claims.IssuedAt != 3600 {
				t.Fatalf("claims %+v", claims)
			}
		}
	}
}

// A token for some boundaries is none at the others.
func TestMintForAudiences(t *testing.T) {
	t.Parallel()
	token, err := authority(identity.Options{}).Mint(unit(), nil, time.Hour, identityv1.AudienceBroker, identityv1.AudienceStream)
	if err != nil {
		t.Fatal(err)
	}
	claims, err := verifier(start).Verify(token, identityv1.AudienceStream, unitID)
	if err != nil || claims.Scope != "infer stream" {
		t.Errorf("scope %q, %v", claims.Scope, err)
	}
	if _, err := verifier(start).Verify(token, identityv1.AudienceRuntime, unitID); identity.ReasonOf(err) != identity.WrongAudience {
		t.Errorf("at the runtime: %v", err)
	}
}

func TestAllows(t *testing.T) {
	t.Parallel()
	claims, err := verifier(start).Verify(mint(t, identity.Options{}, unit()), identityv1.AudienceRuntime, unitID)
	if err != nil {
		t.Fatal(err)
	}
	rw, ro := unit().Workspaces[0].ID, unit().Workspaces[1].ID
	for _, c := range []struct {
		id   string
		mode unitv1.Mode
		want bool
	}{
		{rw, unitv1.ReadWrite, true},
		{rw, unitv1.ReadOnly, true},
		{ro, unitv1.ReadOnly, true},
		{ro, unitv1.ReadWrite, false},
		{"01JDQ8Z5T6K3M9W2R4X7Y1A0W3", unitv1.ReadOnly, false},
		{"gmail.read", unitv1.ReadOnly, false}, // a tool is no workspace
		{"", unitv1.ReadOnly, false},
		{rw, "", false},
	} {
		if got := identity.AllowsMount(claims, c.id, c.mode); got != c.want {
			t.Errorf("AllowsMount(%q, %q) = %t", c.id, c.mode, got)
		}
	}
	for model, want := range map[string]bool{"local/llama": true, "local/llam": false, "": false, "gmail.read": false} {
		if got := identity.AllowsModel(claims, model); got != want {
			t.Errorf("AllowsModel(%q) = %t", model, got)
		}
	}
	if !identity.HasScope(claims, "infer") || identity.HasScope(claims, "in") {
		t.Errorf("scope %q", claims.Scope)
	}
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// forge signs any header and payload with a key.
func forge(header, payload string, k ed25519.PrivateKey) string {
	in := b64([]byte(header)) + "." + b64([]byte(payload))
	return in + "." + b64(ed25519.Sign(k, []byte(in)))
}

const goodHeader = `{"alg":"EdDSA","typ":"vexa-dispatch+jwt"}`

// payload returns the claims of a good token after a change.
func payload(tb testing.TB, change func(map[string]any)) string {
	tb.Helper()
	parts := strings.Split(mint(tb, identity.Options{}, unit()), ".")
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		tb.Fatal(err)
	}
	var claims map[string]any
	if err := json.Unmarshal(raw, &claims); err != nil {
		tb.Fatal(err)
	}
	if change != nil {
		change(claims)
	}
	out, err := json.Marshal(claims)
	if err != nil {
		tb.Fatal(err)
	}
	return string(out)
}

func with(name string, value any) func(map[string]any) {
	return func(m map[string]any) { m[name] = value }
}

func without(name string) func(map[string]any) {
	return func(m map[string]any) { delete(m, name) }
}

// The attacks: each differs from a good token in one thing.
func TestVerifyRefuses(t *testing.T) {
	t.Parallel()
	good := mint(t, identity.Options{}, unit())
	goodPayload := payload(t, nil)
	parts := strings.Split(good, ".")
	mac := func(secret []byte) string {
		in := b64([]byte(`{"alg":"HS256","typ":"vexa-dispatch+jwt"}`)) + "." + parts[1]
		h := hmac.New(sha256.New, secret)
		h.Write([]byte(in))
		return in + "." + b64(h.Sum(nil))
	}
	flipped := func(i int) string {
		raw, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil {
			t.Fatal(err)
		}
		raw[len(raw)/2] ^= 1
		changed := append([]string(nil), parts...)
		changed[i] = b64(raw)
		return strings.Join(changed, ".")
	}
	// The last character of a signature carries four bits that decoders ignore.
	respelled := func() string {
		const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
		i := strings.IndexByte(alphabet, good[len(good)-1])
		return good[:len(good)-1] + alphabet[i^1:i^1+1]
	}
	cases := map[string]struct {
		token string
		want  identity.Reason
	}{
		"empty":                       {"", identity.Malformed},
		"not a token":                 {"x", identity.Malformed},
		"two parts":                   {parts[0] + "." + parts[1], identity.Malformed},
		"four parts":                  {good + ".x", identity.Malformed},
		"no signature":                {parts[0] + "." + parts[1] + ".", identity.BadSignature},
		"trailing garbage":            {good + "A", identity.BadSignature},
		"trailing space":              {good + " ", identity.Malformed},
		"leading space":               {" " + good, identity.Malformed},
		"line break within":           {good[:50] + "\n" + good[50:], identity.Malformed},
		"padded":                      {good + "==", identity.Malformed},
		"signature spelled otherwise": {respelled(), identity.Malformed},
		"oversized":                   {good + strings.Repeat("A", identity.MaxToken), identity.Malformed},
		"JSON serialization":          {`{"payload":"` + parts[1] + `","protected":"` + parts[0] + `","signature":"` + parts[2] + `"}`, identity.Malformed},
		"signature changed":           {flipped(2), identity.BadSignature},
		"claims changed":              {flipped(1), identity.BadSignature},
		"another's key":               {mint(t, identity.Options{Key: key(2)}, unit()), identity.BadSignature},
		"signature of another token":  {parts[0] + "." + b64([]byte(payload(t, with("sub", "u_eve")))) + "." + parts[2], identity.BadSignature},
		"alg none":                    {b64([]byte(`{"alg":"none","typ":"vexa-dispatch+jwt"}`)) + "." + parts[1] + ".", identity.BadAlgorithm},
		"alg None":                    {b64([]byte(`{"alg":"None","typ":"vexa-dispatch+jwt"}`)) + "." + parts[1] + ".", identity.BadAlgorithm},
		"HS256 with the public key":   {mac(public(key(1))), identity.BadAlgorithm},
		"HS256 with its base64":       {mac([]byte(b64(public(key(1))))), identity.BadAlgorithm},
		"alg RS256":                   {forge(`{"alg":"RS256","typ":"vexa-dispatch+jwt"}`, goodPayload, key(1)), identity.BadAlgorithm},
		"alg missing":                 {forge(`{"x":"EdDSA","typ":"vexa-dispatch+jwt"}`, goodPayload, key(1)), identity.BadAlgorithm},
		"alg no string":               {forge(`{"alg":["EdDSA"],"typ":"vexa-dispatch+jwt"}`, goodPayload, key(1)), identity.BadAlgorithm},
		"alg twice":                   {forge(`{"alg":"none","alg":"EdDSA","typ":"vexa-dispatch+jwt"}`, goodPayload, key(1)), identity.Malformed},
		"typ JWT":                     {forge(`{"alg":"EdDSA","typ":"JWT"}`, goodPayload, key(1)), identity.BadType},
		"typ missing":                 {forge(`{"alg":"EdDSA"}`, goodPayload, key(1)), identity.Malformed},
		"typ in other case":           {forge(`{"alg":"EdDSA","typ":"VEXA-dispatch+jwt"}`, goodPayload, key(1)), identity.BadType},
		"an embedded key":             {forge(`{"alg":"EdDSA","typ":"vexa-dispatch+jwt","jwk":{"kty":"OKP","crv":"Ed25519","x":"`+b64(public(key(2)))+`"}}`, goodPayload, key(2)), identity.Malformed},
		"a key id":                    {forge(`{"alg":"EdDSA","typ":"vexa-dispatch+jwt","kid":"../../etc/passwd"}`, goodPayload, key(1)), identity.Malformed},
		"unencoded payload":           {forge(`{"alg":"EdDSA","typ":"vexa-dispatch+jwt","b64":false,"crit":["b64"]}`, goodPayload, key(1)), identity.Malformed},
		"header after header":         {forge(goodHeader+`{}`, goodPayload, key(1)), identity.Malformed},
		"claims are no JSON":          {forge(goodHeader, `{`, key(1)), identity.Malformed},
		"claims are an array":         {forge(goodHeader, `[]`, key(1)), identity.Malformed},
		"claims after claims":         {forge(goodHeader, goodPayload+`{}`, key(1)), identity.Malformed},
		"a claim twice":               {forge(goodHeader, `{"sub":"u_eve",`+goodPayload[1:], key(1)), identity.Malformed},
		"a claim twice, nested":       {forge(goodHeader, strings.Replace(goodPayload, `"cnf":{`, `"cnf":{"socket":"`+other+`",`, 1), key(1)), identity.Malformed},
		"a claim in other case":       {forge(goodHeader, payload(t, with("SUB", "u_eve")), key(1)), identity.Malformed},
		"an unknown claim":            {forge(goodHeader, payload(t, with("admin", true)), key(1)), identity.Malformed},
		"expired":                     {mint(t, identity.Options{Now: clock(start.Add(-time.Hour))}, unit()), identity.Expired},
		"expired long ago":            {mint(t, identity.Options{Now: clock(start.Add(-9999 * time.Hour))}, unit()), identity.Expired},
		"not yet":                     {mint(t, identity.Options{Now: clock(start.Add(identity.Leeway + time.Second))}, unit()), identity.NotYet},
		"issued in the future":        {forge(goodHeader, payload(t, with("iat", start.Add(time.Minute).Unix())), key(1)), identity.NotYet},
		"expires before it is issued": {forge(goodHeader, payload(t, with("exp", start.Unix()-1)), key(1)), identity.Malformed},
		"another issuer":              {mint(t, identity.Options{Issuer: "vexa:fedcba987654"}, unit()), identity.WrongIssuer},
		"another audience":            {forge(goodHeader, payload(t, with("aud", []string{identityv1.AudienceRuntime})), key(1)), identity.WrongAudience},
		"audience that holds it":      {forge(goodHeader, payload(t, with("aud", []string{identityv1.AudienceBroker + "-x"})), key(1)), identity.WrongAudience},
		"another unit":                {mint(t, identity.Options{}, otherUnit()), identity.WrongUnit},
		"bound to another socket":     {forge(goodHeader, payload(t, with("cnf", map[string]any{"socket": other})), key(1)), identity.WrongUnit},
		"not bound":                   {forge(goodHeader, payload(t, without("cnf")), key(1)), identity.WrongUnit},
		"expiry as a string":          {forge(goodHeader, payload(t, with("exp", "4102444800")), key(1)), identity.Malformed},
		"expiry as a fraction":        {forge(goodHeader, strings.Replace(goodPayload, `"exp":`, `"exp":0.5e1`, 1), key(1)), identity.Malformed},
		"audience as a string":        {forge(goodHeader, payload(t, with("aud", identityv1.AudienceBroker)), key(1)), identity.Malformed},
		"a mode that does not exist":  {forge(goodHeader, strings.Replace(goodPayload, `"mode":"ro"`, `"mode":"rwx"`, 1), key(1)), identity.Malformed},
	}
	for _, claim := range []string{"iss", "sub", "act", "aud", "scope", "authorization_details", "unit", "trig", "iat", "nbf", "exp", "jti", "epoch"} {
		cases["without "+claim] = struct {
			token string
			want  identity.Reason
		}{forge(goodHeader, payload(t, without(claim)), key(1)), identity.Malformed}
	}
	for name := range maps.Keys(cases) {
		c := cases[name]
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			claims, err := verifier(start).Verify(c.token, identityv1.AudienceBroker, unitID)
			if err == nil {
				t.Fatalf("accepted: %+v", claims)
			}
			var refused *identity.Refused
			if !errors.As(err, &refused) || refused.Reason != c.want || identity.ReasonOf(err) != c.want {
				t.Errorf("refused as %v; want %s", err, c.want)
			}
			if !fault.Is(err, fault.Denied) {
				t.Errorf("kind %s; want denied", fault.KindOf(err))
			}
			if claims.Subject != "" || claims.Details != nil {
				t.Errorf("claims of a refused token: %+v", claims)
			}
		})
	}
}

func otherUnit() unitv1.Unit {
	u := unit()
	u.ID = other
	return u
}

// The edges of a token's life: leeway at its beginning, none at its end.
func TestLife(t *testing.T) {
	t.Parallel()
	token := mint(t, identity.Options{}, unit())
	for _, c := range []struct {
		at   time.Duration
		want identity.Reason
	}{
		{-identity.Leeway - time.Second, identity.NotYet},
		{-identity.Leeway, ""},
		{0, ""},
		{time.Hour - time.Second, ""},
		{time.Hour, identity.Expired},
	} {
		_, err := verifier(start.Add(c.at)).Verify(token, identityv1.AudienceBroker, unitID)
		if got := identity.ReasonOf(err); got != c.want || (err == nil) != (c.want == "") {
			t.Errorf("after %s: %v; want %q", c.at, err, c.want)
		}
	}
}

// A token that was good once is judged anew each time, for where, for whom and when
// it is used; and so is one that differs from it in a single byte.
func TestVerifyAgain(t *testing.T) {
	t.Parallel()
	token := mint(t, identity.Options{}, unit())
	now := start
	v := identity.NewVerifier(issuer, public(key(1)), func() time.Time { return now })
	refused := func(token, audience, unit string, want identity.Reason) {
		t.Helper()
		if _, err := v.Verify(token, audience, unit); identity.ReasonOf(err) != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
	for range 2 {
		if claims, err := v.Verify(token, identityv1.AudienceBroker, unitID); err != nil || claims.Unit != unitID {
			t.Fatal(claims, err)
		}
		refused(token, "elsewhere", unitID, identity.WrongAudience)
		refused(token, identityv1.AudienceBroker, "01K5Q8Z3V4M7T2C9XW6B0NRHJB", identity.WrongUnit)
		for _, i := range []int{0, len(token) / 2, len(token) - 40} {
			changed := []byte(token)
			changed[i] ^= 1
			if _, err := v.Verify(string(changed), identityv1.AudienceBroker, unitID); err == nil {
				t.Errorf("a token that was changed at %d is good", i)
			}
		}
		refused(token+" ", identityv1.AudienceBroker, unitID, identity.Malformed)
	}
	now = start.Add(2 * time.Hour)
	refused(token, identityv1.AudienceBroker, unitID, identity.Expired)
	now = start.Add(-time.Hour)
	refused(token, identityv1.AudienceBroker, unitID, identity.NotYet)
	now = start
	for i := range 600 { // more than are remembered
		u := unit()
		u.ID = fmt.Sprintf("01K5Q8Z3V4M7T2C9XW6B0N%04d", i)
		if claims, err := v.Verify(mint(t, identity.Options{}, u), identityv1.AudienceBroker, u.ID); err != nil || claims.Unit != u.ID {
			t.Fatal(i, err)
		}
	}
	other := identity.NewVerifier(issuer, public(key(2)), clock(start))
	if _, err := other.Verify(token, identityv1.AudienceBroker, unitID); identity.ReasonOf(err) != identity.BadSignature {
		t.Errorf("another issuer's: %v", err)
	}
}

func TestVerifierWithoutKey(t *testing.T) {
	t.Parallel()
	v := identity.NewVerifier(issuer, nil, clock(start))
	if _, err := v.Verify(mint(t, identity.Options{}, unit()), identityv1.AudienceBroker, unitID); identity.ReasonOf(err) != identity.BadSignature {
		t.Fatalf("without a key: %v", err)
	}
}

func TestMintRefuses(t *testing.T) {
	t.Parallel()
	manyModels := make([]string, 1000)
	for i := range manyModels {
		manyModels[i] = strings.Repeat("m", 100) + string(rune('a'+i%26)) + strings.Repeat("x", i%90)
	}
	nobody := unit()
	nobody.Identity.Subject = ""
	unnamed := unit()
	unnamed.ID = "not-a-ulid"
	for name, c := range map[string]struct {
		opts   identity.Options
		unit   unitv1.Unit
		models []string
		ttl    time.Duration
	}{
		"no life":      {unit: unit()},
		"negative":     {unit: unit(), ttl: -time.Hour},
		"no key":       {opts: identity.Options{Key: ed25519.PrivateKey("short")}, unit: unit(), ttl: time.Hour},
		"no subject":   {unit: nobody, ttl: time.Hour},
		"no unit":      {unit: unnamed, ttl: time.Hour},
		"no model":     {unit: unit(), models: []string{""}, ttl: time.Hour},
		"far too much": {unit: unit(), models: manyModels, ttl: time.Hour},
	} {
		if token, err := authority(c.opts).Mint(c.unit, c.models, c.ttl); err == nil {
			t.Errorf("%s: minted %d bytes", name, len(token))
		}
	}
}

// No error repeats the token or a claim of it.
func TestErrorsAreSilent(t *testing.T) {
	t.Parallel()
	token := forge(goodHeader, payload(t, with("sub", "canary subject")), key(1))
	_, err := verifier(start).Verify(token, identityv1.AudienceBroker, unitID)
	if err == nil || strings.Contains(err.Error(), "canary") || strings.Contains(err.Error(), token[:20]) {
		t.Fatalf("error %v", err)
	}
}

func FuzzVerify(f *testing.F) {
	good := mint(f, identity.Options{}, unit())
	f.Add(good)
	f.Add(forge(goodHeader, payload(f, with("sub", "u_eve")), key(2)))
	f.Add(b64([]byte(`{"alg":"none"}`)) + "..")
	f.Fuzz(func(t *testing.T, token string) {
		claims, err := verifier(start).Verify(token, identityv1.AudienceBroker, unitID)
		if err == nil && token != good {
			t.Fatalf("accepted %q: %+v", token, claims)
		}
		if err != nil && identity.ReasonOf(err) == "" {
			t.Fatalf("no reason: %v", err)
		}
	})
}

// BenchmarkVerify is measured against its floor, the signature alone.
func BenchmarkVerify(b *testing.B) {
	token := mint(b, identity.Options{}, unit())
	cut := strings.LastIndexByte(token, '.')
	sig, err := base64.RawURLEncoding.DecodeString(token[cut+1:])
	if err != nil {
		b.Fatal(err)
	}
	pub := public(key(1))
	const rounds = 200
	begin := time.Now()
	for range rounds {
		if !ed25519.Verify(pub, []byte(token[:cut]), sig) {
			b.Fatal("the floor does not verify")
		}
	}
	floor := float64(time.Since(begin)) / rounds
	for name, of := range map[string]func() *identity.Verifier{
		"first": func() *identity.Verifier { return verifier(start) },
		"again": sync.OnceValue(func() *identity.Verifier { return verifier(start) }),
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := of().Verify(token, identityv1.AudienceBroker, unitID); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed())/float64(b.N)/floor, "x-floor")
		})
	}
}

func BenchmarkMint(b *testing.B) {
	a := authority(identity.Options{})
	for b.Loop() {
		if _, err := a.Mint(unit(), []string{"local/llama"}, time.Hour); err != nil {
			b.Fatal(err)
		}
	}
}
