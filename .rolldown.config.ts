import { defineConfig } from "rolldown";

export default defineConfig({
  input: {
    otto: "cli/otto.ts",
    control: "node/edge/control-process.ts",
    worker: "node/edge/worker-process.ts",
    runner: "node/edge/execution/runner-process.ts",
    vault: "node/edge/broker/vault-process.ts",
    image: "node/edge/execution/images/image-process.ts",
    attack: "node/edge/execution/sandbox/attack-process.ts",
    listen: "node/edge/execution/sandbox/listen-process.ts",
  },
  platform: "node",
  // The addon finds its prebuilt binary from its own folder.
  external: ["classic-level"],
  output: {
    dir: "dist",
    format: "esm",
    cleanDir: true,
    entryFileNames: "[name].js",
    chunkFileNames: "chunk-[name]-[hash].js",
  },
});
