/** An image of this machine's own programs, as tests and benchmarks take one. */

import { type LayerFile, machinePrograms } from "./registry-fixture.ts";

/** Programs of `/usr/bin`, with their libraries, and `/bin` as most systems have it. */
export function machineSystem(...names: readonly string[]): Readonly<Record<string, LayerFile>> {
  const programs = machinePrograms(...names.map((name) => `/usr/bin/${name}`));
  return {
    bin: { type: "SymbolicLink", link: "usr/bin" },
    ...(programs as Readonly<Record<string, LayerFile>>),
  };
}
