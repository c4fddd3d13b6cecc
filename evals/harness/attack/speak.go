package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	ossignal "os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	socket    = "/.vexa/run/broker.sock"
	tokenFile = "/.vexa/run/token"
)

func ignore() {
	ossignal.Ignore(syscall.SIGHUP, syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT)
}

func ownToken() (string, error) {
	data, err := os.ReadFile(tokenFile)
	return strings.TrimSpace(string(data)), err
}

func dial(ctx context.Context) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, "unix", socket)
}

// fetch asks the broker for a path.
func fetch(ctx context.Context, path string) error {
	token, err := ownToken()
	if err != nil {
		return err
	}
	return ask(ctx, path, "GET "+path+" HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "+token+"\r\nConnection: close\r\n\r\n")
}

// ask sends a request as it is, and says what it was answered with.
func ask(ctx context.Context, name, request string) error {
	conn, err := dial(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		return err
	}
	sent := make(chan error, 1)
	go func() {
		_, err := io.WriteString(conn, request)
		sent <- err
	}()
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		say("%s: cut off", name)
		return nil
	}
	defer resp.Body.Close()
	say("%s: %d", name, resp.StatusCode)
	return nil
}

// huge sends a header and a body that are too large.
func huge(ctx context.Context) error {
	token, err := ownToken()
	if err != nil {
		return err
	}
	start := "POST /v1/messages HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nAuthorization: Bearer " + token + "\r\n"
	return errors.Join(
		ask(ctx, "a header of 8 MB", start+"X: "+strings.Repeat("x", 8<<20)+"\r\n\r\n"),
		ask(ctx, "a body of 1 TB", start+"Content-Length: "+strconv.Itoa(1<<40)+"\r\n\r\n{}"),
		ask(ctx, "a body that nests", start+"Content-Length: 200000\r\n\r\n"+strings.Repeat("[", 200000)),
	)
}

// hold opens connections and says half a request on each, until all are cut.
func hold(ctx context.Context, n int) error {
	var held []net.Conn
	for range n {
		conn, err := dial(ctx)
		if err != nil {
			break
		}
		defer conn.Close()
		held = append(held, conn)
		if _, err := io.WriteString(conn, "GET /v1/models HTTP/1.1\r\nX: "); err != nil {
			break
		}
	}
	say("holding %d connections", len(held))
	cut := 0
	for _, conn := range held {
		if err := conn.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
			return err
		}
		if _, err := io.Copy(io.Discard, conn); !errors.Is(err, os.ErrDeadlineExceeded) {
			cut++
		}
	}
	say("%d of them were cut", cut)
	return nil
}
