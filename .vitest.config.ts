import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

/** Where a machine reads the counts from afterwards; see .ci/run. */
const results = process.env["OTTO_TEST_RESULTS"];

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    globalSetup: "test/built-otto.ts",
    isolate: false,
    pool: "threads",
    // Tests of whole meshes wait for other processes most of the time: a third of the time is saved on two cores.
    maxWorkers: availableParallelism() + 1,
    testTimeout: 240_000,
    hookTimeout: 240_000,
    reporters: results === undefined ? ["default"] : ["default", ["json", { outputFile: results }]],
  },
});
