package main

import (
	"strings"
)

// State is what one register holds, whatever kind it is. It is comparable, so that equal states are found again.
type State struct {
	Phase string
	Token int64
	// Who holds the lease, and by which pull.
	Worker, Nonce string
	// Results that ended an attempt: "token worker;" each.
	Finished string
	// People who said yes: "name;" each.
	Said string
	// Who cancelled a run, or how it ended.
	Word string
	// Of a schedule.
	Order    string
	Revision int64
	Settled  int64
}

// Step says whether an operation fits a state, and what it makes of it.
func Step(register string, state State, input Input) (bool, State) {
	switch {
	case strings.HasPrefix(register, "step/"):
		return stepOfStep(state, input)
	case strings.HasPrefix(register, "run/"):
		return stepOfRun(state, input)
	default:
		return stepOfSchedule(state, input)
	}
}

func (state State) holds(input Input) bool {
	return state.Phase == "leased" && state.Token == input.Token && state.Worker == input.Worker
}

func stepOfStep(state State, input Input) (bool, State) {
	next := state
	switch input.Kind {
	case "claim":
		next.Phase, next.Token, next.Worker, next.Nonce = "leased", input.Token, input.Worker, input.Nonce
		return (state.Phase == "" || state.Phase == "queued") && input.Token == state.Token+1, next
	case "finish":
		next.Finished += ended(input)
		next = next.end(input.Again, false)
		if input.Held {
			next.Phase = "held"
		}
		return state.holds(input), next
	case "expire":
		return state.Phase == "leased" && state.Token == input.Token, next.end(input.Again, true)
	case "await":
		next.Phase, next.Token = "waiting", 1
		return state.Phase == "", next
	case "answer":
		next.Said += input.By + ";"
		return state.Phase == "waiting" && !strings.Contains(";"+state.Said, ";"+input.By+";"), next
	case "settle":
		next.Phase, next.Token = "done", state.Token+1
		return state.Phase == "" || state.Phase == "queued" || state.Phase == "held" || state.Phase == "waiting", next
	case "permit":
		next.Phase = "done"
		return state.Phase == "held", next
	case "told-stale":
		return !state.holds(input), state
	case "told-duplicate":
		// Somebody's result counted under this token; a worker that claims another's is told no more than that.
		input.Worker = ""
		return strings.Contains(";"+state.Finished, ";"+strings.TrimSuffix(ended(input), ";")), state
	}
	return false, state
}

// end takes the lease away. A new attempt has a new token, and so has a step whose worker was given up.
func (state State) end(again, raised bool) State {
	state.Phase, state.Worker, state.Nonce = "done", "", ""
	if again {
		state.Phase = "queued"
	}
	if again || raised {
		state.Token++
	}
	return state
}

func ended(input Input) string {
	digits := ""
	for left := input.Token; left > 0; left /= 10 {
		digits = string(rune('0'+left%10)) + digits
	}
	return digits + " " + input.Worker + ";"
}

func stepOfRun(state State, input Input) (bool, State) {
	next := state
	switch input.Kind {
	case "admit":
		next.Phase = "open"
		return state.Phase == "", next
	case "cancel":
		next.Phase, next.Word = "cancelled", input.By
		return state.Phase == "open", next
	case "close":
		next.Phase, next.Word = "closed", input.Outcome
		return state.Phase == "open" || (state.Phase == "cancelled" && input.Outcome == "cancelled"), next
	case "told-closed":
		return state.Phase == "closed", state
	case "told-absent":
		return state.Phase == "", state
	}
	return false, state
}

func stepOfSchedule(state State, input Input) (bool, State) {
	next := state
	switch input.Kind {
	case "set":
		next.Order, next.Revision, next.Settled = input.Order, input.Revision, input.SinceMs
		return input.Revision > state.Revision && (state.Order == "" || input.SinceMs >= state.Settled), next
	case "remove":
		next.Order = ""
		return state.Order != "", next
	case "fire":
		next.Settled = input.ThroughMs
		return state.Order == input.Order && input.ThroughMs > state.Settled, next
	}
	return false, state
}
