package broker

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/vexa-ai/vexa/pkg/audit"
	"github.com/vexa-ai/vexa/pkg/contract/identityv1"
	"github.com/vexa-ai/vexa/pkg/contract/toolv1"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/identity"
	"github.com/vexa-ai/vexa/pkg/mcp"
)

// Tools knows the tools of the installation and runs them; *toolbox.Catalog is
// one. The broker asks it for what a dispatch was granted alone, and holds every
// call to the tool's grant, inputSchema and limits before it is run.
type Tools interface {
	// Get describes the tool of exactly that name, or fails with fault.NotFound.
	Get(name string) (toolv1.Tool, error)
	// Run runs a call of it and writes what the model gets to read, UTF-8. What
	// its error says, the model reads, too. It ends soon after the context, and
	// is called by several goroutines.
	Run(ctx context.Context, call toolv1.Call, out io.Writer) error
}

type noTools struct{}

func (noTools) Get(string) (toolv1.Tool, error) {
	return toolv1.Tool{}, fault.New(fault.NotFound, "there are no tools", "")
}

func (noTools) Run(context.Context, toolv1.Call, io.Writer) error {
	return fault.New(fault.NotFound, "there are no tools", "")
}

// callBody is how long the body of a request about tools may take to arrive, and
// no longer than Timeouts.Idle.
const callBody = 30 * time.Second

// tools serves MCP. Nothing is kept between two requests and no stream stays
// open, so that there are no sessions to steal or to fill the host with.
func (s *Socket) tools(w http.ResponseWriter, r *http.Request) {
	claims, err := s.verify(r, identityv1.AudienceBroker)
	if err != nil {
		s.refuseToken(w, r, audit.Tool, err)
		return
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		writeError(w, http.StatusMethodNotAllowed, "only POST is served here")
		return
	}
	body, status, err := s.callBody(w, r)
	if err != nil {
		s.deny(r.Context(), DeniedRequest, refusal{audit.Tool, "call", err.Error()})
		writeError(w, status, err.Error())
		return
	}
	s.broker.mcp.Serve(w, r, body, &offer{s, s.granted(claims)})
}

// callBody reads the body of a request, within its limits of size and time.
func (s *Socket) callBody(w http.ResponseWriter, r *http.Request) (body []byte, status int, err error) {
	control := http.NewResponseController(w)
	// A deadline that were left standing would look like a client that hangs up.
	if err := control.SetReadDeadline(time.Now().Add(min(callBody, s.broker.opts.Timeouts.Idle))); err != nil {
		return nil, http.StatusBadRequest, err
	}
	body, err = io.ReadAll(http.MaxBytesReader(w, r.Body, s.broker.opts.Rates.CallBytes))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, http.StatusRequestEntityTooLarge, tooMany(tooLarge.Limit)
	case err != nil:
		return nil, http.StatusBadRequest, errors.New("the request did not arrive whole")
	}
	return body, 0, control.SetReadDeadline(time.Time{})
}

// granted are the tools that the claims and the unit grant both, and that exist.
func (s *Socket) granted(claims identityv1.DispatchToken) []toolv1.Tool {
	var out []toolv1.Tool
	for _, name := range identity.Tools(claims) {
		if !slices.Contains(s.session.Unit.Tools, name) {
			continue
		}
		if t, err := s.broker.opts.Tools.Get(name); err == nil {
			out = append(out, t)
		}
	}
	return out
}

// offer is what one request may see and call.
type offer struct {
	socket *Socket
	tools  []toolv1.Tool
}

var _ mcp.Offer = (*offer)(nil)

// Tools returns what was granted.
func (o *offer) Tools() []toolv1.Tool { return o.tools }
