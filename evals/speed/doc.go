// Package speed measures what a person waits for, end to end, against a floor
// measured in the same run. The floors of single parts are beside those parts.
package speed
