package link

import (
	"bufio"
	"net/http"
	"strings"
	"time"

	"github.com/vexa-ai/vexa/pkg/fault"
)

// Accept upgrades the request and takes the connection over from the HTTP
// server. The caller has checked the token, and closes the Conn. Where the
// request is no upgrade to Protocol the client is told so with 426 and the
// error is fault.Invalid.
func Accept(w http.ResponseWriter, r *http.Request) (*Conn, error) {
	if r.Method != http.MethodGet || !strings.EqualFold(r.Header.Get("Upgrade"), Protocol) {
		w.Header().Set("Upgrade", Protocol)
		w.Header().Set("Connection", "Upgrade")
		http.Error(w, "this address speaks "+Protocol+" only", http.StatusUpgradeRequired)
		return nil, fault.New(fault.Invalid, "request for the link is no upgrade to "+Protocol, "")
	}
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, "the connection cannot be upgraded", http.StatusInternalServerError)
		return nil, fault.Wrap(fault.Internal, "take the connection over", err)
	}
	// The server's deadlines were for a request; this is a conversation.
	err = conn.SetDeadline(time.Time{})
	if err == nil {
		_, err = rw.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: " + Protocol + "\r\n\r\n")
	}
	if err == nil {
		err = rw.Flush()
	}
	if err != nil {
		_ = conn.Close()
		return nil, fault.Wrap(fault.Unreachable, "upgrade the link", err)
	}
	reader := rw.Reader
	if reader.Size() < bufferSize && reader.Buffered() == 0 {
		reader = bufio.NewReaderSize(conn, bufferSize)
	}
	return newConn(conn, reader), nil
}
