/** What the declarations of commands share: how one is called, and options that many have. */

import type { Command } from "commander";
import type { ExitCode } from "../protocol/errors.ts";

/** Calls a command; what it says is the program's exit code. */
export type Action = <Words extends unknown[]>(
  perform: (...words: Words) => Promise<ExitCode>,
) => (...words: Words) => Promise<void>;

/** An option that may be given several times. */
export function several(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}

/** What `--domain` is for where a file may be judged in place of a node's answer. */
export const fileOrPeer = "with --peer: in which domain; of a file: which one is expected";

export function withTarget(command: Command, domain = "with --peer: in which domain"): Command {
  return withAskedNode(command)
    .option("--peer <multiaddr>", "ask any peer over the network")
    .option("--domain <name>", domain);
}

/** For what nobody asks over the network. */
export function withAskedNode(command: Command): Command {
  return command.option("--node <folder>", "data folder of the node to ask (default: this user's node)");
}

export function withOwner(command: Command): Command {
  return withTarget(command).option(
    "--owner-key <file>",
    "the owner's key (default: owner.key of the node); of several owners each",
    several,
  );
}
