// Package doctor says what a machine lacks to run Vexa, why that matters, and
// puts it right.
//
// A check looks at the machine through the System port and returns a finding;
// a finding that can be repaired carries the steps that do so. Looking changes
// nothing. A step is shown before it is taken and is safe to take again.
package doctor
