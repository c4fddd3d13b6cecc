// Package openapi writes the description of an HTTP API, an OpenAPI 3.1 document,
// from the Go types that its handlers read and write and from their comments. It is
// used by tests, which hold what is in docs to the code.
package openapi
