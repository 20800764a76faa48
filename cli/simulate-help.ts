/** What follows the options in `otto simulate --help`: an example, which a test does as it is written. */

export const simulateExample = `
Example: what the loss of a site would do, on five machines on two sites

  $ cat > mesh.yaml <<'END'
  otto-mesh: 1
  lease: 30s
  latency: { within: 1, between: 20 }
  sites:
    a: { control: 2, workers: [{ count: 1, slots: 4, labels: [gpu] }] }
    b: { control: 1, workers: [{ count: 1, slots: 4, labels: [gpu] }] }
  durations: { build: 3m, test: 90s }
  END
  $ otto simulate --scenario site-loss --mesh mesh.yaml --compare 5x3

STALL: the run went on only when the fault was over. P50 and P95: half of the
runs that ended, and 95 in 100, took no longer; of fewer than 20 runs the
slowest is told instead. UNDISTURBED: the P50 of the same runs without a fault.

Latencies are milliseconds, one way. Exit codes: 0 answered, whatever the answer
is; 1 Otto broke a promise of its own; 8 a schedule that was replayed came to no
end.`;
