import { defineConfig } from "vitest/config";

/** Where a machine reads the counts from afterwards; see .ci/run. */
const results = process.env["OTTO_TEST_RESULTS"];

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    isolate: false,
    pool: "threads",
    testTimeout: 240_000,
    hookTimeout: 120_000,
    reporters: results === undefined ? ["default"] : ["default", ["json", { outputFile: results }]],
  },
});
