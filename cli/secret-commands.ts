/** The commands about secrets. Their code is loaded only when they are called. */

import type { Command } from "commander";
import { type Action, fileOrPeer, several, withOwner, withTarget } from "./command-parts.ts";
import type {
  AuditOptions,
  ListOptions,
  RecoverOptions,
  RecoveryOptions,
  RotateOptions,
  SetOptions,
} from "./commands/secret.ts";
import type { TargetOptions } from "./target.ts";

const sources = `
The value comes from a prompt, from --from FILE, or from standard input with
--from -; never from an argument. No command prints it.`;

export function addSecretCommands(otto: Command, action: Action): void {
  const secret = otto.command("secret").description("what steps may use and never see");
  const load = () => import("./commands/secret.ts");
  withTarget(secret.command("set <name>"))
    .description("seal a value for a domain's control peers, and say where it may be sent")
    .option(
      "--to <url>",
      "host that it may be sent to, with its path; of ssh: USER@HOST; may be repeated",
      several,
    )
    .option("--kind <kind>", "http, git, npm, pip, oci, ssh or oidc", "http")
    .option("--method <method>", "that it may be used for (default: GET and HEAD); may be repeated", several)
    .option(
      "--path <template>",
      "that it may be used for: /apps/{}/releases, /v1/**; may be repeated",
      several,
    )
    .option("--header <header>", "how it is sent (default: 'Authorization: Bearer {}')")
    .option("--user <name>", "send it as the password of this user")
    .option("--network <cidr>", "private network that the host may be in; may be repeated", several)
    .option("--authority <file>", "who signs for the host, in PEM, in place of public authorities")
    .option("--push <ref>", "of git: what may be pushed to; may be repeated", several)
    .option(
      "--host-key <key>",
      "of ssh: 'ssh-ed25519 AAAA...', a key that the host is known by; may be repeated",
      several,
    )
    .option("--audience <name>", "of oidc: whom its tokens are for")
    .option(
      "--exchange <url>",
      "of oidc: where its tokens are exchanged for others (RFC 8693), which are sent",
    )
    .option("--exposable", "steps may be given the value itself, where pipeline and policy say so, too")
    .option("--from <file>", "read the value from here (`-`: standard input)")
    .addHelpText("after", sources)
    .action(action(async (name: string, options: SetOptions) => (await load()).setSecret(name, options)));
  withTarget(secret.command("ls"))
    .description("list the secrets, and what must be rotated")
    .option("--json", "as JSON lines")
    .action(action(async (options: ListOptions) => (await load()).listSecrets(options)));
  withTarget(secret.command("rotate <name>"))
    .description("give a secret a new value, for the same places")
    .option("--from <file>", "read the value from here (`-`: standard input)")
    .addHelpText("after", sources)
    .action(
      action(async (name: string, options: RotateOptions) => (await load()).rotateSecret(name, options)),
    );
  withTarget(secret.command("burn <name>"))
    .description("have nobody use a secret any more: somebody may have seen it")
    .action(action(async (name: string, options: TargetOptions) => (await load()).burnSecret(name, options)));
  withTarget(secret.command("rm <name>"))
    .description("remove a secret")
    .action(
      action(async (name: string, options: TargetOptions) => (await load()).removeSecret(name, options)),
    );
  withTarget(secret.command("audit [name]"), fileOrPeer)
    .description("show who used which secret for what")
    .option(
      "--verify [file]",
      "say instead whether each control peer's book of it is whole, and where it is not; of a file, without a node, what it proves",
    )
    .option("--export <file>", "write instead what each control peer signs of its book, and the charter")
    .option("--json", "as JSON lines")
    .action(
      action(async (name: string | undefined, options: AuditOptions) =>
        (await load()).auditSecrets(name, options),
      ),
    );
  withTarget(secret.command("recover"))
    .description("seal all secrets anew with the recovery key, when their control peers are lost")
    .requiredOption("--key <file>", "the recovery key (`-`: standard input)")
    .action(action(async (options: RecoverOptions) => (await load()).recoverSecrets(options)));
  withOwner(secret.command("recovery"))
    .description("make the key that opens secrets when all control peers are lost")
    .requiredOption("-o, --output <file>", "where to write it")
    .action(action(async (options: RecoveryOptions) => (await load()).makeRecovery(options)));
}
