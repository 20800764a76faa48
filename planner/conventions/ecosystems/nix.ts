/**
 * Nix flakes: `nix flake check` builds and checks what the flake declares. Beside another ecosystem a flake is there
 * for its tools, and only counts where nothing else is tested. The store is the machine's, so nothing is cached.
 */

import { describe } from "../describe.ts";

const file = "flake.nix";

export const nix = describe({
  ecosystem: "Nix",
  slug: "nix",
  signals: [file],
  isRunner: true,
  toolchains: [],
  lock: { files: ["flake.lock"] },
  variables: { NIX_CONFIG: "experimental-features = nix-command flakes" },
  test: [
    {
      on: { file, says: /\bchecks\b/ },
      run: "nix flake check --print-build-logs",
      lockedRun: "nix flake check --print-build-logs --no-update-lock-file",
      reason: "declares checks",
    },
  ],
  build: [
    {
      on: { file, says: /\bpackages\b|\bdefaultPackage\b/ },
      run: "nix build --print-build-logs",
      lockedRun: "nix build --print-build-logs --no-update-lock-file",
      reason: "declares packages",
    },
  ],
  untested: "declares no checks",
  standing: { tested: "fallback", untested: "last" },
});
