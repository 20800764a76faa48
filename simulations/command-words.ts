/** What a program of this folder was asked. Who asks for help, or for what there is not, is told how it is used. */

import { parseArgs, type ParseArgsConfig } from "node:util";

/** The process ends here, with 0, when help was asked for, and with 3 when nobody can tell what was meant. */
export function wordsOf<Config extends ParseArgsConfig>(
  usage: string,
  config: Config,
): ReturnType<typeof parseArgs<Config>> {
  if (process.argv.slice(2).includes("--help")) {
    console.log(usage);
    process.exit(0);
  }
  try {
    return parseArgs(config);
  } catch (error) {
    return endWith(usage, error instanceof Error ? error.message : String(error));
  }
}

/** Ends the process, which could not be run as it was asked to. */
export function endWith(usage: string, why: string): never {
  console.error(`${why.split(". ")[0]?.replace(/\.$/u, "") ?? ""}. Nothing was run. ${usage}`);
  process.exit(3);
}
