// Judges histories of registers, as `simulations/export-history.ts` writes them, by a model of its own.
//
//	node simulations/export-history.ts 1 200 | ./histories
//
// A world's history ends with a line that says what Otto's own search found; here is said what this one finds.
// Exit codes: 0 both say the same of every world, 1 they do not, 2 the input cannot be read.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"sort"
)

// Input is the union of all inputs; which fields count depends on Kind.
type Input struct {
	Kind      string `json:"kind"`
	Token     int64  `json:"token"`
	Nonce     string `json:"nonce"`
	Worker    string `json:"worker"`
	Again     bool   `json:"again"`
	Held      bool   `json:"held"`
	By        string `json:"by"`
	Outcome   string `json:"outcome"`
	Order     string `json:"order"`
	Revision  int64  `json:"revision"`
	SinceMs   int64  `json:"sinceMs"`
	ThroughMs int64  `json:"throughMs"`
}

// Operation is one line of a history. A nil Return: it may have happened at any time since its call, or never.
type Operation struct {
	Register string `json:"register"`
	Call     int64  `json:"call"`
	Return   *int64 `json:"return"`
	Input    Input  `json:"input"`
}

type line struct {
	Operation
	Seed    json.RawMessage `json:"seed"`
	Verdict string          `json:"verdict"`
}

func main() {
	input := bufio.NewScanner(os.Stdin)
	input.Buffer(make([]byte, 1<<20), 1<<26)
	registers := map[string][]Operation{}
	worlds, operations, differ, violated := 0, 0, 0, 0
	for input.Scan() {
		var next line
		if err := json.Unmarshal(input.Bytes(), &next); err != nil {
			fmt.Fprintln(os.Stderr, "not a history:", err)
			os.Exit(2)
		}
		if next.Seed == nil {
			registers[next.Register] = append(registers[next.Register], next.Operation)
			operations++
			continue
		}
		verdict, where := judge(registers)
		registers = map[string][]Operation{}
		worlds++
		if verdict == "violated" {
			violated++
			fmt.Printf("seed %s: %s is not linearizable\n", next.Seed, where)
		}
		if verdict != next.Verdict {
			differ++
			fmt.Printf("seed %s: %s here, %s there\n", next.Seed, verdict, next.Verdict)
		}
	}
	if err := input.Err(); err != nil {
		fmt.Fprintln(os.Stderr, "not a history:", err)
		os.Exit(2)
	}
	fmt.Printf("%s: %d worlds, %d operations, %d violated, %d told differently\n", checkerName, worlds, operations, violated, differ)
	if differ > 0 {
		os.Exit(1)
	}
}

func judge(registers map[string][]Operation) (verdict, where string) {
	names := make([]string, 0, len(registers))
	for name := range registers {
		names = append(names, name)
	}
	sort.Strings(names)
	verdict = "linearizable"
	for _, name := range names {
		switch isLinearizable(name, registers[name]) {
		case "violated":
			return "violated", name
		case "unknown":
			verdict, where = "unknown", name
		}
	}
	return verdict, where
}
