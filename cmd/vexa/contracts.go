package main

import (
	"context"

	"github.com/vexa-ai/vexa/pkg/contract"
)

// contracts gives the command line the contracts of this binary, or of a
// source tree.
type contracts struct{}

// Names implements factory.Contracts.
func (contracts) Names() []string { return contract.Names() }

// Source implements factory.Contracts.
func (contracts) Source(name string) ([]byte, error) { return contract.Source(name) }

// Validate implements factory.Contracts.
func (contracts) Validate(name string, data []byte) error { return contract.Validate(name, data) }
