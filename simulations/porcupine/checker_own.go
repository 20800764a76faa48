//go:build !porcupine

package main

import "fmt"

const checkerName = "own search"

const triedMax = 1_000_000

// isLinearizable tries every order, and remembers which operations were placed and what they made.
func isLinearizable(register string, operations []Operation) string {
	placed := make([]bool, len(operations))
	tried := map[string]bool{}
	left := 0
	for _, operation := range operations {
		if operation.Return != nil {
			left++
		}
	}
	var search func(state State, left int) bool
	search = func(state State, left int) bool {
		if left == 0 {
			return true
		}
		key := fmt.Sprint(placed, state)
		if tried[key] || len(tried) > triedMax {
			return false
		}
		tried[key] = true
		for index, operation := range operations {
			if placed[index] || !mayBeNext(operations, placed, operation) {
				continue
			}
			fits, next := Step(register, state, operation.Input)
			if !fits {
				continue
			}
			still := left
			if operation.Return != nil {
				still--
			}
			placed[index] = true
			if search(next, still) {
				return true
			}
			placed[index] = false
		}
		return false
	}
	if search(State{}, left) {
		return "linearizable"
	}
	if len(tried) > triedMax {
		return "unknown"
	}
	return "violated"
}

// mayBeNext is false for what was called after another, which is not placed, had returned.
func mayBeNext(operations []Operation, placed []bool, next Operation) bool {
	for index, other := range operations {
		if !placed[index] && other.Return != nil && *other.Return < next.Call {
			return false
		}
	}
	return true
}
