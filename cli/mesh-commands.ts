/** The commands about machines: which are in the mesh, and which of them vote. Their code is loaded only when they are called. */

import type { Command } from "commander";
import { type Action, several, withAskedNode, withOwner, withTarget } from "./command-parts.ts";
import type { BackupOptions, ControlOptions, RestoreOptions } from "./commands/control.ts";
import type { JoinOptions, UpOptions } from "./commands/up.ts";
import type { InviteOptions } from "./commands/invite.ts";
import type { OwnerOptions } from "./owner.ts";
import type { TargetOptions } from "./target.ts";

export function addMeshCommands(otto: Command, action: Action): void {
  withNode(otto.command("up"), ownFolder)
    .description("run this machine's node; with --control, found a domain first")
    .option("--control", "found a domain, with this node as its first control peer")
    .option("--of <count>", "how many control peers the domain will have", "1")
    .option("--domain <name>", "what the domain is called", "dev")
    .option("--lease <seconds>", "after how long a silent worker loses its steps (default: 30)")
    .action(action(async (options: UpOptions) => (await import("./commands/up.ts")).up(options)));
  withNode(otto.command("join <code>"), ownFolder)
    .description(
      "join a domain with a code of `otto invite`, and run the node; a person's code makes a member and runs none",
    )
    .option("--no-start", "only join; `otto up` starts the node")
    .action(
      action(async (code: string, options: JoinOptions) =>
        (await import("./commands/up.ts")).join(code, options),
      ),
    );
  withTarget(otto.command("invite"))
    .description("make an invite: one machine or person can join with it, once")
    .option("--role <role>", "worker, control or person", "worker")
    .option("--minutes <minutes>", "how long it is good", "15")
    .option(
      "--label <label>",
      "the only labels that the worker may have, besides its machine's; may be repeated",
      several,
    )
    .option("--sandbox <level>", "the highest sandbox level that counts at the worker")
    .option("--machine-only", "nobody at the machine becomes a person of the domain")
    .action(action(async (options: InviteOptions) => (await import("./commands/invite.ts")).invite(options)));
  addControlCommands(otto, action);
  withTarget(otto.command("peers"))
    .description("show who is in the mesh")
    .option("--json", "as JSON")
    .action(
      action(async (options: TargetOptions & { json?: boolean }) =>
        (await import("./commands/peers.ts")).peers(options),
      ),
    );
  otto
    .command("down")
    .description("stop the processes that `otto run` keeps warm, or a node, and wait until they are gone")
    .option("--node <folder>", "data folder of the node to stop (default: only what `otto run` keeps warm)")
    .action(action(async (options: { node?: string }) => (await import("./commands/down.ts")).down(options)));
}

function addControlCommands(otto: Command, action: Action): void {
  const control = otto
    .command("control")
    .description("the control peers of a domain, and others in their place");
  const load = () => import("./commands/control.ts");
  withTarget(control.command("ls"))
    .description("show who votes, and who could")
    .option("--json", "as JSON")
    .action(action(async (options: ControlOptions) => (await load()).listControls(options)));
  withOwner(control.command("add <peer>"))
    .description(
      "give a vote to a control peer that has joined with a code of `otto invite --role control`: by its name, or the beginning of its id",
    )
    .action(action(async (peer: string, options: OwnerOptions) => (await load()).addControl(peer, options)));
  withOwner(control.command("remove <peer>"))
    .description("take a control peer's vote")
    .action(
      action(async (peer: string, options: OwnerOptions) => (await load()).removeControl(peer, options)),
    );
  withOwner(control.command("replace <peer> [by]"))
    .description(
      "have another one that has joined take its place; without another, the same peer, whose database was lost",
    )
    .action(
      action(async (peer: string, by: string | undefined, options: OwnerOptions) =>
        (await load()).replaceControl(peer, by, options),
      ),
    );
  withAskedNode(control.command("backup"))
    .description(
      "write all that a control peer keeps, but its keys, to one file, while it runs; on its own machine",
    )
    .option("-o, --output <file>", "the file (default: DOMAIN.otto-backup)")
    .action(action(async (options: BackupOptions) => (await load()).backUp(options)));
  withNode(control.command("restore <backup>"), "data folder to make for the new control peer (required)")
    .description(
      "bring a domain back from a backup as one new control peer, when all of its control peers are lost; workers join it anew",
    )
    .option("--owner-key <file>", "the owner's key (required); of several owners each that it takes", several)
    .option("--others-are-lost", "say that no control peer of the domain will ever be back (required)")
    .action(action(async (file: string, options: RestoreOptions) => (await load()).restore(file, options)));
}

const ownFolder = "data folder of the node (default: this user's node)";

function withNode(command: Command, folder: string): Command {
  return command
    .option("--data <folder>", folder)
    .option("--name <name>", "what the others see it called (default: a random name)")
    .option(
      "--listen <host:port>",
      "address that other peers can reach (default: 127.0.0.1:4105 for a control peer; a worker needs none)",
    )
    .option("--slots <count>", "steps that run at once (default: one a core)")
    .option("--label <label>", "what steps can ask for; may be repeated", several)
    .option("--pass <variable>", "environment variable that steps get; may be repeated", several)
    .option("--sandbox <level>", "isolate steps at most so far: S0, S1, S2, S3 (default: as far as possible)")
    .option("--sandbox-default <level>", "isolation of steps that ask for none (default: S0)")
    .option("--visible <path>", "what isolated steps may read besides the system; may be repeated", several);
}
