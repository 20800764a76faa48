/** The commands about who may do what: the policy of a domain, the gates that it keeps closed, and what it signs of outputs. Their code is loaded only when they are called. */

import type { Command } from "commander";
import { type Action, several, withOwner, withTarget } from "./command-parts.ts";
import type { GateOptions } from "./commands/gate.ts";
import type { IssuerOptions } from "./commands/issuer.ts";
import type { InitOptions } from "./commands/own-domain.ts";
import type { RevokeOptions } from "./commands/revoke.ts";
import type { ProvenanceOptions } from "./commands/provenance.ts";
import type { SignOptions } from "./commands/sign.ts";
import type { OwnerOptions } from "./owner.ts";
import type { TargetOptions } from "./target.ts";

export function addTrustCommands(otto: Command, action: Action): void {
  addPolicyCommands(otto, action);
  addGateCommands(otto, action);
  withOwner(otto.command("revoke [peer]"))
    .description(
      "a machine or a person is no member any more: by name, id or key; without one, list those that are not",
    )
    .option("--because <text>", "what to remember with it")
    .action(
      action(async (peer: string | undefined, options: RevokeOptions) =>
        (await import("./commands/revoke.ts")).revoke(peer, options),
      ),
    );
  addDomainCommands(otto, action);
  addProvenance(otto, action);
}

function addProvenance(otto: Command, action: Action): void {
  withTarget(otto.command("provenance <run> <step> <output>"))
    .description(
      "write what an output was made of and by whom, signed by the control peers (SLSA, Sigstore bundles)",
    )
    .option("-o, --output <file>", "the file (default: RUN.OUTPUT.sigstore.jsonl)")
    .action(
      action(async (run: string, step: string, output: string, options: ProvenanceOptions) =>
        (await import("./commands/provenance.ts")).provenance(run, step, output, options),
      ),
    );
}

function addDomainCommands(otto: Command, action: Action): void {
  const domain = otto
    .command("domain")
    .description("a domain of your own, and other domains in the mesh, whose word counts here");
  const own = () => import("./commands/own-domain.ts");
  domain
    .command("init <name>")
    .description("found a domain, run its first control peer, and print the codes with which others join")
    .option("--control <count>", "how many control peers it will have", "1")
    .option(
      "--owner-key <file>",
      "where the domain's key is made (default: owner.key in the data folder); of several owners each that is here",
      several,
    )
    .option("--owner <key>", "another owner, whose key is elsewhere: what `domain key` printed", several)
    .option("--threshold <count>", "how many of several owners it takes (default: more than half)")
    .option("--data <folder>", "data folder of the control peer (default: ~/.local/state/otto/node)")
    .option("--name <name>", "what the control peer is called")
    .option("--listen <address>", "HOST:PORT where others reach it (default: 127.0.0.1:4105)")
    .option("--lease <seconds>", "how long a worker may be silent before its steps go elsewhere")
    .option("--no-start", "make the folder, and start nothing")
    .action(action(async (name: string, options: InitOptions) => (await own()).initDomain(name, options)));
  const signing = () => import("./commands/sign.ts");
  domain
    .command("key <file>")
    .description("make the key of one who is to own a domain with others, and print whose it is")
    .action(action(async (file: string) => (await signing()).makeKey(file)));
  withOwner(domain.command("sign <file>"))
    .description("sign as an owner what another one has begun; complete, the domain is asked to take it")
    .option("--show", "say what it is and who has signed, and sign nothing")
    .action(action(async (file: string, options: SignOptions) => (await signing()).sign(file, options)));
  withTarget(domain.command("show"))
    .description("say who the domain is: its id, owner, control peers, and when certificates end")
    .option("--json", "as JSON")
    .action(action(async (options: TargetOptions & { json?: boolean }) => (await own()).showDomain(options)));
  const load = () => import("./commands/domain.ts");
  withTarget(domain.command("card"))
    .description("print what another domain's owner needs to trust this one")
    .action(action(async (options: TargetOptions) => (await load()).printCard(options)));
  withOwner(domain.command("trust <card>"))
    .description(
      "take steps of another domain's plans, and release steps to it: by its card, or a file that holds it",
    )
    .action(action(async (card: string, options: OwnerOptions) => (await load()).trustDomain(card, options)));
  withOwner(domain.command("distrust <name>"))
    .description("take nothing more of another domain")
    .action(
      action(async (name: string, options: OwnerOptions) => (await load()).distrustDomain(name, options)),
    );
  withOwner(domain.command("oidc"))
    .description("sign tokens for steps by a key of the domain, and write what others verify them by")
    .option("--issuer <url>", "where others find the files: needed once")
    .requiredOption("--out <folder>", "where to write .well-known/openid-configuration and jwks.json")
    .option("--burn", "sign by a new key, and have tokens by the former ones count no more")
    .option(
      "--rotate",
      "sign by a new key from now on; the former one stays in jwks.json while its tokens count",
    )
    .action(
      action(async (options: IssuerOptions) => (await import("./commands/issuer.ts")).issueTokens(options)),
    );
  withTarget(domain.command("ls"))
    .description("list the domains that are trusted")
    .option("--json", "as JSON lines")
    .action(
      action(async (options: TargetOptions & { json?: boolean }) => (await load()).listDomains(options)),
    );
}

function addGateCommands(otto: Command, action: Action): void {
  const gate = otto.command("gate").description("steps that wait for what a domain's policy demands");
  const load = () => import("./commands/gate.ts");
  withTarget(gate.command("ls"))
    .description("list the steps that wait, and what each of them lacks")
    .option("--json", "as JSON lines")
    .action(action(async (options: GateOptions) => (await load()).listGates(options)));
  withTarget(gate.command("why <run> [step]"))
    .description("say what one of them lacks, who approved, and what an approval is for")
    .option("--json", "as JSON")
    .action(
      action(async (run: string, step: string | undefined, options: GateOptions) =>
        (await load()).whyGate(run, step, options),
      ),
    );
}

function addPolicyCommands(otto: Command, action: Action): void {
  const policy = otto.command("policy").description("what a domain demands of plans, and before a deploy");
  const load = () => import("./commands/policy.ts");
  withTarget(policy.command("show"))
    .description("print the domain's policy as its owner wrote it")
    .action(action(async (options: TargetOptions) => (await load()).showPolicy(options)));
  policy
    .command("check <file>")
    .description("say what is wrong with a policy; changes nothing")
    .action(action(async (file: string) => (await load()).checkPolicy(file)));
  withOwner(policy.command("set <file>"))
    .description("sign a policy as the domain's owner: it counts from now on")
    .action(action(async (file: string, options: OwnerOptions) => (await load()).setPolicy(file, options)));
}
