/** Preloaded into a command line by `loading.test.ts`: writes the packages that were loaded to the file named by `LOADED_PACKAGES`. */

import { writeFileSync } from "node:fs";
import { registerHooks } from "node:module";

const packages = new Set<string>();

registerHooks({
  load(url, context, nextLoad) {
    const [, name] = /node_modules\/((?:@[^/]+\/)?[^/]+)\//u.exec(url) ?? [];
    if (name !== undefined) packages.add(name);
    return nextLoad(url, context);
  },
});

process.on("exit", () => {
  const { LOADED_PACKAGES } = process.env;
  if (LOADED_PACKAGES !== undefined) writeFileSync(LOADED_PACKAGES, [...packages].toSorted().join("\n"));
});
