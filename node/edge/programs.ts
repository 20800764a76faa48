/**
 * Where Otto's own programs are: the sources while developing, the bundle in `dist/` for everyone else.
 */

import { basename, dirname, join } from "node:path";

export type Program = "otto" | "control" | "worker" | "runner" | "vault" | "image" | "attack" | "listen";

const sources: Record<Program, string> = {
  otto: "../../cli/otto.ts",
  control: "./control-process.ts",
  worker: "./worker-process.ts",
  runner: "./execution/runner-process.ts",
  vault: "./broker/vault-process.ts",
  image: "./execution/images/image-process.ts",
  attack: "./execution/sandbox/attack-process.ts",
  listen: "./execution/sandbox/listen-process.ts",
};

/** The file to start with this very Node for a program of Otto's. */
export function programPath(program: Program): string {
  const here = import.meta.filename;
  if (basename(here) === "programs.ts") return join(dirname(here), sources[program]);
  return join(dirname(here), `${program}.js`);
}
