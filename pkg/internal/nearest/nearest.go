// Package nearest finds the name that a misspelt one was probably meant to be.
package nearest

import "strings"

// To returns the candidate that word was probably meant to be: one it
// begins, or one within two edits. It is empty where there is none.
func To(word string, candidates []string) string {
	best, bestDistance := "", 3
	for _, c := range candidates {
		d := distance(word, c)
		if len(word) > 1 && strings.HasPrefix(c, word) {
			d = 1
		}
		if d < bestDistance && d < len(c) {
			best, bestDistance = c, d
		}
	}
	return best
}

// Hint asks whether the nearest candidate was meant, where there is one, and goes on
// with otherwise.
func Hint(word string, candidates []string, otherwise string) string {
	if near := To(word, candidates); near != "" {
		return "did you mean " + near + "? " + otherwise
	}
	return otherwise
}

// distance counts the edits (insert, remove, replace, swap neighbours) from a
// to b: the optimal string alignment distance.
func distance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
