package main

import (
	"context"
	"os"
	"path/filepath"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/cli/factory"
	"github.com/vexa-ai/vexa/pkg/home"
	"github.com/vexa-ai/vexa/pkg/inference"
	"github.com/vexa-ai/vexa/pkg/inference/rehearsal"
)

// findModels looks for local servers and for keys in the environment.
func findModels(ctx context.Context) ([]factory.FoundModel, error) {
	var out []factory.FoundModel
	for _, f := range inference.Detect(ctx, os.Getenv, nil) {
		out = append(out, factory.FoundModel{
			Provider: api.AddProvider{
				Name: f.Provider.Name, Protocol: string(f.Provider.Protocol), URL: f.Provider.URL,
				Models: f.Provider.Models, Key: string(f.Key),
			},
			From: f.From,
		})
	}
	return out, nil
}

// writeCassette puts the shipped cassette where the person can change it,
// unless one is there.
func writeCassette(h home.Home) (string, error) {
	path := filepath.Join(h.Config, "rehearsal.yaml")
	_, err := rehearsal.Install(path)
	return path, err
}
