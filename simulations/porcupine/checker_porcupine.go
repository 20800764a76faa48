//go:build porcupine

package main

import (
	"math"
	"time"

	"github.com/anishathalye/porcupine"
)

const checkerName = "porcupine"

type asked struct {
	register string
	input    Input
	pending  bool
}

// What is pending is placed somewhere all the same, at the end if need be: where it does not fit it has not happened.
var model = porcupine.Model{
	Init: func() interface{} { return State{} },
	Step: func(state, input, _ interface{}) (bool, interface{}) {
		operation := input.(asked)
		fits, next := Step(operation.register, state.(State), operation.input)
		if !fits {
			return operation.pending, state
		}
		return true, next
	},
}

func isLinearizable(register string, operations []Operation) string {
	history := make([]porcupine.Operation, 0, len(operations))
	for client, operation := range operations {
		until := int64(math.MaxInt64)
		if operation.Return != nil {
			until = *operation.Return
		}
		input := asked{register, operation.Input, operation.Return == nil}
		history = append(history, porcupine.Operation{ClientId: client, Input: input, Call: operation.Call, Return: until})
	}
	switch porcupine.CheckOperationsTimeout(model, history, 20*time.Second) {
	case porcupine.Ok:
		return "linearizable"
	case porcupine.Illegal:
		return "violated"
	default:
		return "unknown"
	}
}
