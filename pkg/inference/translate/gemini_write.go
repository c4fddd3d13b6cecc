package translate

import (
	"net/http"
	"strings"
)

// geminiWriter encodes a streamed answer. A call is one event, once its arguments are
// complete. Opaque reasoning is the signature of the part that comes next.
type geminiWriter struct {
	head
	items     []Item
	arguments map[int]*strings.Builder // of calls
	signature string
}

func (gemini) writer(h head) writer {
	return &geminiWriter{head: h, arguments: map[int]*strings.Builder{}}
}

func (g *geminiWriter) write(dst []byte, e Event) []byte {
	switch e.Kind {
	case Start:
		g.started(e)
	case Begin:
		g.items = append(g.items, e.Item)
		if e.Item.Kind == Call {
			g.arguments[e.Index] = &strings.Builder{}
		}
	case Delta:
		switch g.items[e.Index].Kind {
		case Call:
			g.arguments[e.Index].WriteString(e.Text)
		case Reasoning:
			return g.part(dst, geminiPart{Text: &e.Text, Thought: true})
		case Text, Image, File, Result:
			return g.part(dst, g.signed(geminiPart{Text: &e.Text}))
		}
	case End:
		return g.close(dst, e)
	case Finish:
		a := g.answer(g.signed(geminiText("")))
		a.Candidates[0].FinishReason = geminiStop(e.Stop)
		a.Usage = geminiUsageOf(e.Usage)
		return send(dst, "", a)
	case Failure:
		return append(append(dst, GeminiError(http.StatusInternalServerError, e.Text)...), "\n\n"...)
	case Spent:
	}
	return dst
}

func (g *geminiWriter) close(dst []byte, e Event) []byte {
	item := g.items[e.Index]
	switch item.Kind {
	case Call:
		c := item.Call
		return g.part(dst, g.signed(geminiPart{Call: &geminiCall{c.ID, c.Name, arguments(g.arguments[e.Index].String())}}))
	case Reasoning:
		if g.signature != "" { // of reasoning that nothing came after
			dst = g.part(dst, g.signed(geminiText("")))
		}
		o := item.Opaque
		if e.Item.Opaque != (Opaque{}) {
			o = e.Item.Opaque
		}
		g.signature = geminiSignature(o)
	case Text, Image, File, Result:
	}
	return dst
}

func (g *geminiWriter) signed(p geminiPart) geminiPart {
	p.Signature, g.signature = g.signature, ""
	return p
}

func (g *geminiWriter) answer(parts ...geminiPart) *geminiAnswer {
	return &geminiAnswer{Candidates: []geminiCandidate{{Content: geminiContent{"model", parts}}}, Model: g.model, ID: g.id}
}

func (g *geminiWriter) part(dst []byte, p geminiPart) []byte {
	return send(dst, "", g.answer(p))
}

// GeminiError is an error of gemini's. In a stream it stands as it is: the clients look for
// it where no event is, and take one for an answer of nothing.
func GeminiError(status int, message string) []byte {
	name := "INVALID_ARGUMENT"
	if status >= http.StatusInternalServerError {
		name = "INTERNAL"
	}
	return marshal(object{"error": object{"code": status, "message": message, "status": name}})
}

func (gemini) encodeAnswer(a *Answer, h head) ([]byte, error) {
	h.started(Event{ID: a.ID, Model: a.Model})
	var s signer
	for _, i := range a.Items {
		switch i.Kind {
		case Reasoning:
			s.reason(i.Text, geminiSignature(i.Opaque), i.Opaque.Closes)
		case Call:
			s.add(geminiPart{Call: &geminiCall{i.Call.ID, i.Call.Name, arguments(i.Call.Arguments)}})
		case Text:
			s.add(geminiText(i.Text))
		case Image, File, Result:
		}
	}
	parts := s.end()
	if len(parts) == 0 {
		parts = []geminiPart{geminiText("")}
	}
	w := geminiWriter{head: h}
	out := w.answer(parts...)
	out.Candidates[0].FinishReason = geminiStop(a.Stop)
	out.Usage = geminiUsageOf(a.Usage)
	return encode(out)
}
