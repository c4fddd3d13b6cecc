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
		add := api.AddProvider{
			Name: f.Provider.Name, Protocol: string(f.Provider.Protocol), URL: f.Provider.URL,
			Models: f.Provider.Models, Key: string(f.Key),
		}
		for _, protocol := range f.Provider.Also {
			add.Also = append(add.Also, string(protocol))
		}
		out = append(out, factory.FoundModel{Provider: add, From: f.From})
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

// testModel asks a provider with its own key.
func testModel(table *inference.Table, up *inference.Upstream) func(context.Context, inference.Provider) api.ModelTest {
	return func(ctx context.Context, p inference.Provider) api.ModelTest {
		var key []byte
		if p.HasKey {
			var err error
			if key, err = table.Key(p.Name); err != nil {
				return api.ModelTest{Error: err.Error()}
			}
		}
		t := up.Test(ctx, p, key)
		return api.ModelTest{
			OK: t.OK, Model: t.Model, Reply: t.Reply, Error: t.Error, Streaming: t.Streaming, ElapsedMS: t.ElapsedMS,
		}
	}
}
