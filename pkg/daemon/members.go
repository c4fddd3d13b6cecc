package daemon

import (
	"net/http"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/contract/manifestv1"
	"github.com/vexa-ai/vexa/pkg/internal/unixhttp"
	"github.com/vexa-ai/vexa/pkg/signature"
	"github.com/vexa-ai/vexa/pkg/workspace"
)

// listMembers says who the members of a workspace are, and were.
func (s *Server) listMembers(w http.ResponseWriter, r *http.Request) error {
	e, err := s.engine()
	if err != nil {
		return err
	}
	all, err := e.Workspaces.Members(r.Context(), r.PathValue("name"))
	if err != nil {
		return err
	}
	unixhttp.WriteJSON(w, http.StatusOK, membersRow(all))
	return nil
}

// addMember lets somebody in.
func (s *Server) addMember(w http.ResponseWriter, r *http.Request) error {
	e, err := s.engine()
	if err != nil {
		return err
	}
	var req api.AddMember
	if err := decode(r, &req); err != nil {
		return err
	}
	who, err := workspace.ParseIntroduction([]byte(req.Introduction))
	if err != nil {
		return err
	}
	if req.Name != "" {
		who.Name = req.Name
	}
	added, all, err := e.Workspaces.AddMember(r.Context(), r.PathValue("name"), workspace.NewMember{Introduction: who, Rights: rightsOf(req.Rights), WriteOnly: req.WriteOnly})
	if err != nil {
		return err
	}
	unixhttp.WriteJSON(w, http.StatusCreated, memberRow(added, all.Self))
	return nil
}

// setRights gives a member other rights.
func (s *Server) setRights(w http.ResponseWriter, r *http.Request) error {
	e, err := s.engine()
	if err != nil {
		return err
	}
	var req api.SetRights
	if err := decode(r, &req); err != nil {
		return err
	}
	m, all, err := e.Workspaces.SetRights(r.Context(), r.PathValue("name"), req.Member, rightsOf(req.Rights))
	if err != nil {
		return err
	}
	unixhttp.WriteJSON(w, http.StatusOK, memberRow(m, all.Self))
	return nil
}

// addKeys lets a member use more keys.
func (s *Server) addKeys(w http.ResponseWriter, r *http.Request) error {
	e, err := s.engine()
	if err != nil {
		return err
	}
	var req api.AddKeys
	if err := decode(r, &req); err != nil {
		return err
	}
	keys, err := workspace.ParseIntroduction([]byte(req.Introduction))
	if err != nil {
		return err
	}
	m, all, err := e.Workspaces.AddKeys(r.Context(), r.PathValue("name"), req.Member, keys)
	if err != nil {
		return err
	}
	unixhttp.WriteJSON(w, http.StatusOK, memberRow(m, all.Self))
	return nil
}

func rightsOf(rows []api.Right) []manifestv1.Right {
	out := make([]manifestv1.Right, 0, len(rows))
	for _, r := range rows {
		out = append(out, manifestv1.Right(r))
	}
	return out
}

// removeMember shuts somebody out.
func (s *Server) removeMember(w http.ResponseWriter, r *http.Request) error {
	e, err := s.engine()
	if err != nil {
		return err
	}
	var req api.RemoveMember
	if err := decode(r, &req); err != nil {
		return err
	}
	out, err := e.Workspaces.RemoveMember(r.Context(), r.PathValue("name"), req.Member)
	if err != nil {
		return err
	}
	unixhttp.WriteJSON(w, http.StatusOK, api.RemovedMember{
		Member: memberRow(out.Member, ""), Until: out.Until, Generation: out.Generation, Epoch: out.Epoch, Bucket: out.URL, Short: out.Short,
	})
	return nil
}

// rotate begins a new epoch, encrypts everything again, or both.
func (s *Server) rotate(w http.ResponseWriter, r *http.Request) error {
	e, err := s.engine()
	if err != nil {
		return err
	}
	var req api.Rotate
	if err := decode(r, &req); err != nil {
		return err
	}
	out, err := e.Workspaces.Rotate(r.Context(), r.PathValue("name"), req.Epoch, req.Reencrypt)
	if err != nil {
		return err
	}
	unixhttp.WriteJSON(w, http.StatusOK, api.Rotated(out))
	return nil
}

// invite writes an invitation for a member.
func (s *Server) invite(w http.ResponseWriter, r *http.Request) error {
	e, err := s.engine()
	if err != nil {
		return err
	}
	var req api.Invite
	if err := decode(r, &req); err != nil {
		return err
	}
	text, err := e.Workspaces.Invite(r.Context(), r.PathValue("name"), req.Member)
	if err != nil {
		return err
	}
	unixhttp.WriteJSON(w, http.StatusOK, api.Invitation{Text: string(text)})
	return nil
}

// join registers the workspace of an invitation.
func (s *Server) join(w http.ResponseWriter, r *http.Request) error {
	e, err := s.engine()
	if err != nil {
		return err
	}
	var req api.Join
	if err := decode(r, &req); err != nil {
		return err
	}
	out, err := e.Workspaces.Join(r.Context(), workspace.JoinRequest{Invitation: []byte(req.Invitation), Name: req.Name, Bucket: req.Bucket, Anew: req.Anew})
	if err != nil {
		return err
	}
	unixhttp.WriteJSON(w, http.StatusCreated, api.Joined{Workspace: workspaceRow(out.Info), Inviter: out.Inviter, Key: out.Key, Roots: out.Roots})
	return nil
}

func membersRow(m workspace.Members) api.Members {
	out := api.Members{Generation: m.Generation, Version: m.Version, Epoch: m.Epoch, PostQuantum: m.PostQuantum, Members: make([]api.Member, 0, len(m.All))}
	for _, x := range m.All {
		out.Members = append(out.Members, memberRow(x, m.Self))
	}
	return out
}

func memberRow(m manifestv1.Member, self string) api.Member {
	out := api.Member{
		ID: m.ID, Name: m.Name, Recipients: m.Recipients, Signers: m.Signers, Fingerprints: []string{}, Rights: []api.Right{},
		Recovery: m.Recovery, Until: m.Until, Self: m.ID == self && m.Until == 0,
	}
	for _, text := range m.Signers {
		if key, err := signature.ParseKey(text); err == nil {
			out.Fingerprints = append(out.Fingerprints, key.Fingerprint())
		}
	}
	for _, r := range m.Rights {
		out.Rights = append(out.Rights, api.Right(r))
	}
	return out
}
