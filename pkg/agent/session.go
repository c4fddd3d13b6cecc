package agent

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/vexa-ai/vexa/pkg/agent/model"
	"github.com/vexa-ai/vexa/pkg/fault"
	"github.com/vexa-ai/vexa/pkg/internal/textform"
)

const maxSession = 256 << 20 // bytes of a session file

// sessionID is what may name a session file: UUIDs and the like.
var sessionID = textform.Name{First: textform.Alnum, Rest: textform.Alnum + "_-", Max: 128}

// session is a conversation and its file: one model.Message a line, appended
// and synced before the loop goes on. A process uses it alone.
type session struct {
	file     *os.File
	messages []model.Message
	ids      map[string]bool // of all calls
}

// openSession opens the conversation, which must exist if resume is set and
// must not otherwise.
func openSession(state, id string, resume bool) (*session, error) {
	if !sessionID.MatchString(id) {
		return nil, fault.Newf(fault.Usage, "%q is no session id", id)
	}
	dir := filepath.Join(state, "sessions")
	path := filepath.Join(dir, id+".jsonl")
	if !resume {
		return newSession(dir, path)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0o600)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fault.Newf(fault.NotFound, "session %s does not exist here", id)
	}
	if err != nil {
		return nil, fault.Wrap(fault.Internal, "open the session", err)
	}
	s := &session{file: f, ids: map[string]bool{}}
	if err := s.load(); err != nil {
		f.Close()
		return nil, fault.Wrap(fault.Invalid, "session "+id, err)
	}
	if err := s.repair(); err != nil {
		f.Close()
		return nil, err
	}
	return s, nil
}

func newSession(dir, path string) (*session, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fault.Wrap(fault.Internal, "make the session directory", err)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil, fault.New(fault.Conflict, "the session exists already", "resume it instead")
	}
	if err != nil {
		return nil, fault.Wrap(fault.Internal, "make the session", err)
	}
	if err := syncDir(dir); err != nil {
		f.Close()
		return nil, fault.Wrap(fault.Internal, "make the session", err)
	}
	return &session{file: f, ids: map[string]bool{}}, nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// load reads the file. A last line that is torn, as a kill in the middle of a
// write leaves it, is cut off; a bad line anywhere else is an error, since what
// comes after it would be a conversation nobody had.
func (s *session) load() error {
	data, err := io.ReadAll(io.LimitReader(s.file, maxSession+1))
	if err != nil {
		return err
	}
	if len(data) > maxSession {
		return fmt.Errorf("it is over %d bytes", maxSession)
	}
	good := 0
	for number := 1; good < len(data); number++ {
		end := bytes.IndexByte(data[good:], '\n')
		if end < 0 {
			break
		}
		line := data[good : good+end]
		var m model.Message
		if err := json.Unmarshal(line, &m); err != nil {
			if good+end+1 == len(data) {
				break
			}
			return fmt.Errorf("line %d is no message: %w", number, err)
		}
		if err := s.keep(m); err != nil {
			return fmt.Errorf("line %d: %w", number, err)
		}
		good += end + 1
	}
	if good < len(data) {
		if err := s.file.Truncate(int64(good)); err != nil {
			return err
		}
	}
	_, err = s.file.Seek(int64(good), io.SeekStart)
	return err
}

func (s *session) keep(m model.Message) error {
	switch m.Role {
	case model.RoleUser, model.RoleAssistant, model.RoleTool:
	default:
		return fmt.Errorf("there is no role %q", m.Role)
	}
	for _, c := range m.Calls {
		s.ids[c.ID] = true
	}
	s.messages = append(s.messages, m)
	return nil
}

// repair answers the calls of a turn that was killed before it kept their
// results: every protocol refuses a conversation with an unanswered call.
func (s *session) repair() error {
	if len(s.messages) == 0 {
		return nil
	}
	last := s.messages[len(s.messages)-1]
	if len(last.Calls) == 0 {
		return nil
	}
	m := model.Message{Role: model.RoleTool}
	for _, c := range last.Calls {
		m.Results = append(m.Results, model.Result{
			ID: c.ID, Name: c.Name,
			Output: "error: the turn was interrupted here; the call may or may not have taken effect",
		})
	}
	return s.append(m)
}

// name gives every call an id of its own: some servers send none, some send the
// same again in the next turn, and a conversation needs each to be unique.
func (s *session) name(calls []model.Call) {
	for i := range calls {
		for n := 0; calls[i].ID == "" || s.ids[calls[i].ID]; n++ {
			calls[i].ID = fmt.Sprintf("call_%d_%d_%d", len(s.messages), i, n)
		}
		s.ids[calls[i].ID] = true
	}
}

// append keeps a message; when it returns the message is on disk.
func (s *session) append(m model.Message) error {
	line, err := json.Marshal(m)
	if err == nil {
		_, err = s.file.Write(append(line, '\n'))
	}
	if err == nil {
		err = s.file.Sync()
	}
	if err == nil {
		err = s.keep(m)
	}
	return fault.Wrap(fault.Internal, "keep the conversation", err)
}

func (s *session) close() { s.file.Close() }
