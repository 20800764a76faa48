#!/usr/bin/env bash
# usage: simulations/porcupine/check.sh [first seed] [last seed]
# Exports the histories of these worlds and has them judged in Go: by a search of its own and, where there is a checkout of
# github.com/anishathalye/porcupine (PORCUPINE=folder, or Debian's /usr/share/gocode), by Porcupine. Then histories that are
# known to be wrong. Without Go nothing is judged, and that is said. Exit codes: 0 all agree, 1 they do not.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
first=${1:-1} last=${2:-200}
command -v go > /dev/null || { echo "Go is not here (Debian: golang-go): nothing was judged."; exit 0; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$here"/*.go "$here"/go.mod "$work"
export GOFLAGS=-mod=mod GOPROXY=off GOCACHE="$work/cache"
(cd "$work" && go vet . && go build -o own .)
checkers=(own)
porcupine=${PORCUPINE:-/usr/share/gocode/src/github.com/anishathalye/porcupine}
if [ -f "$porcupine/porcupine.go" ]; then
  cp -r "$porcupine" "$work/porcupine-module"
  (cd "$work" && go mod edit -replace github.com/anishathalye/porcupine=./porcupine-module \
    -require github.com/anishathalye/porcupine@v0.0.0 && go build -tags porcupine -o porcupine .)
  checkers+=(porcupine)
else
  echo "No checkout of Porcupine (PORCUPINE=folder): judged by the search in Go alone."
fi
node "$here/../export-history.ts" "$first" "$last" > "$work/histories.jsonl"
if grep -q '"verdict":"[^l]' "$work/histories.jsonl"; then
  echo "The search here found what is not linearizable, or gave up:"
  grep '"verdict":"[^l]' "$work/histories.jsonl"
  exit 1
fi
for checker in "${checkers[@]}"; do
  "$work/$checker" < "$work/histories.jsonl"
  "$work/$checker" < "$here/wrong.jsonl"
done
