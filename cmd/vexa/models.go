package main

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"github.com/vexa-ai/vexa/pkg/api"
	"github.com/vexa-ai/vexa/pkg/cli/factory"
	"github.com/vexa-ai/vexa/pkg/home"
	"github.com/vexa-ai/vexa/pkg/inference"
	"github.com/vexa-ai/vexa/pkg/inference/probe"
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

// storedModels reads the table of providers without their keys.
func storedModels(h home.Home) ([]api.Provider, error) {
	table, err := inference.Open(inference.Options{Dir: h.Config})
	if err != nil {
		return nil, err
	}
	var out []api.Provider
	for _, p := range table.List() {
		out = append(out, api.Provider{Name: p.Name, Protocol: string(p.Protocol), URL: p.URL, Models: p.Models, Default: p.Default})
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

// testModel tries out a model of a provider, with the provider's key.
func testModel(table *inference.Table, up *inference.Upstream) func(context.Context, inference.Provider, string, func(probe.Name, inference.Protocol)) (probe.Report, error) {
	return func(ctx context.Context, p inference.Provider, model string, begin func(probe.Name, inference.Protocol)) (probe.Report, error) {
		key, err := table.Key(p.Name)
		if err != nil {
			return probe.Report{}, err
		}
		return probe.Run(ctx, probe.Options{Upstream: up, Provider: p, Model: model, Key: key, Now: time.Now, Begin: begin}), nil
	}
}
