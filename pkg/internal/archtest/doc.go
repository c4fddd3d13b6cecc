// Package archtest holds the tests of the tree itself: who may depend on whom,
// how large a file may grow, what the documents say about the code. A rule
// lives here when the linter cannot see it, above all what is linked rather
// than imported. Each rule carries its reason, which is what a failure prints.
package archtest
