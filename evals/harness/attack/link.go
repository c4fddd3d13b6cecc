package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/vexa-ai/vexa/pkg/contract/wsv2"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/link"
)

// speak takes the worker's place on the broker's socket, again and again, since
// the worker comes back, until what was to be said is said or we are not let in
// any more.
func speak(ctx context.Context, what string, args []string) error {
	ignore()
	say("speaking as the worker")
	for range 100 {
		s, err := connect(ctx)
		if fault.Is(err, fault.Denied) {
			say("not let in any more: %v", err)
			return nil
		}
		if err != nil {
			continue // the worker was faster
		}
		done, err := s.say(what, args)
		s.conn.Close()
		if done || err != nil {
			return err
		}
	}
	return errors.New("the worker always was faster")
}

// speaker is a connection that has said hello, and knows its turn.
type speaker struct {
	conn *link.Conn
	turn string
	seq  uint64 // of the newest report that is stored or was sent
}

func connect(ctx context.Context) (*speaker, error) {
	token, err := ownToken()
	if err != nil {
		return nil, err
	}
	conn, err := link.Dial(ctx, dial, token)
	if err != nil {
		return nil, err
	}
	s := &speaker{conn: conn}
	if err := conn.Send(wsv2.Report{Type: wsv2.ReportHello}); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	// The host says what is stored, and sends the turn that hello does not name.
	for s.turn == "" || s.seq == 0 {
		if err := s.hear(); err != nil {
			return nil, errors.Join(err, conn.Close())
		}
	}
	return s, nil
}

// hear takes one line of the host.
func (s *speaker) hear() error {
	if err := s.conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return err
	}
	var in wsv2.Input
	err := s.conn.Receive(&in)
	switch in.Type {
	case wsv2.InputTurn:
		s.turn = in.Turn
	case wsv2.InputAck:
		s.seq = max(s.seq, in.AgentSeq)
	default:
	}
	return err
}

// say says it, and reports whether that was all.
func (s *speaker) say(what string, args []string) (bool, error) {
	commit := map[string]any{"type": "commit", "workspace": "w", "sha": strings.Repeat("0", 40), "branch": "main", "merged": true, "files": 1}
	switch {
	case what == "forge":
		s.hangUp(s.report(s.turn, commit))
	case what == "gap":
		s.seq += 100
		s.hangUp(s.report(s.turn, message("out of order")))
	case what == "strangers":
		for range 10 {
			if err := s.report("01JDQ8Z5T6K3M9W2R4X7Y1A0BC", message("of a turn that is not ours")); err != nil {
				return false, nil //nolint:nilerr // the worker is back: once more
			}
		}
		return s.hear() == nil, nil
	case what == "flood" && len(args) == 1:
		size, err := strconv.Atoi(args[0])
		if err != nil {
			return true, err
		}
		for text := message(strings.Repeat("x", size)); err == nil; {
			err = s.report(s.turn, text)
		}
		s.hangUp(nil)
	case what == "end" && len(args) == 1:
		s.seq++
		err := s.conn.Send(wsv2.Report{
			Type: wsv2.ReportTurnEnd, AgentSeq: s.seq, Turn: s.turn,
			End: &wsv2.TurnEnd{Outcome: wsv2.OutcomeCompleted, Reply: "I am done, believe me."},
		})
		return true, errors.Join(err, write(args[0]))
	default:
		return true, fmt.Errorf("nothing to say: %q %q", what, args)
	}
	return false, nil // the worker may have been back before it was heard
}

func message(text string) map[string]any { return map[string]any{"type": "message", "text": text} }

func (s *speaker) report(turn string, body map[string]any) error {
	frame, err := json.Marshal(body)
	if err != nil {
		return err
	}
	s.seq++
	return s.conn.Send(wsv2.Report{Type: wsv2.ReportFrame, AgentSeq: s.seq, Turn: turn, Frame: frame})
}

// hangUp waits until the host has ended the connection, for whatever reason.
func (s *speaker) hangUp(err error) {
	for err == nil {
		err = s.hear()
	}
}
