/**
 * The command line, on one page: words in, a command called, an exit code out.
 *
 * Every command's code is loaded only when it is called, so that help and explain stay fast.
 */

import { Command, CommanderError } from "commander";
import { exitCodes, type ExitCode, OttoError } from "../protocol/errors.ts";
import type { ApproveOptions } from "./commands/answer.ts";
import type { CallbacksOptions } from "./commands/callbacks.ts";
import { fileOrPeer, several, withTarget } from "./command-parts.ts";
import type { AddOptions, ListOptions } from "./commands/schedule.ts";
import type { ExplainOptions } from "./commands/explain.ts";
import type { ExportOptions } from "./commands/export.ts";
import type { InitOptions } from "./commands/init.ts";
import type { LockOptions } from "./commands/lock.ts";
import type { LogsOptions } from "./commands/logs.ts";
import type { StatusOptions } from "./commands/status.ts";
import type { SimulateOptions } from "./commands/simulate.ts";
import type { SubmitOptions } from "./commands/submit.ts";
import type { RunOptions } from "./commands/run.ts";
import type { VerifyOptions } from "./commands/verify.ts";
import { simulateExample } from "./simulate-help.ts";
import type { TargetOptions } from "./target.ts";
import { addMeshCommands } from "./mesh-commands.ts";
import { addTrustCommands } from "./trust-commands.ts";
import { addSecretCommands } from "./secret-commands.ts";

const version = "0.1.0";

const closing = `
Exit codes: 0 passed, 1 the run failed, 2 usage or a mistake in the pipeline,
3 refused, 4 this machine cannot (port, disk, folder), 5 a node cannot be
reached, 8 not ended yet, 70 a bug in Otto, 130 cancelled.

Without otto.yaml the pipeline is detected from the repository's own files;
\`otto explain\` shows what was found, and \`otto init\` writes it down.`;

let exitCode: ExitCode = exitCodes.passed;

/** Wraps a command's action: its exit code is the program's. */
function action<Words extends unknown[]>(perform: (...words: Words) => Promise<ExitCode>) {
  return async (...words: Words): Promise<void> => {
    exitCode = await perform(...words);
  };
}

function withFile(command: Command): Command {
  return command
    .option("-C, --folder <folder>", "folder of the repository", ".")
    .option("-f, --file <file>", "pipeline file (default: otto.yaml)")
    .option("-p, --parameters <name=value>", "value of a parameter; may be repeated", several)
    .option("--base <revision>", "what changed, for steps that ask: since this revision");
}

function withPlan(command: Command): Command {
  return withFile(command)
    .option(
      "--event <file>",
      "what happened, as a file says it (`-`: standard input); see `otto schema event`",
    )
    .option("--priority <priority>", "high, normal or low, in place of what the file says");
}

function withSnapshot(command: Command): Command {
  return command
    .option("--commit <revision>", "run this commit instead of the working tree")
    .option("--repository <url>", "with --commit: workers fetch it from here themselves");
}

function withSource(command: Command): Command {
  return withSnapshot(withPlan(command))
    .option("--json", "events as JSON lines")
    .option("--plain", "plain lines, even on a terminal");
}

function program(): Command {
  const otto = new Command("otto")
    .description(
      "Continuous delivery without a hub: plans ahead, runs on peers, nobody's server in the middle.",
    )
    .version(version)
    .addHelpText("after", closing)
    .configureHelp({ showGlobalOptions: false })
    .exitOverride()
    .configureOutput({
      outputError: (text, write) =>
        write(`${text.replace(/^error: /u, "otto: ").trimEnd()}\nNext: otto --help\nCode: OTTO_USAGE\n`),
    });
  addPlanCommands(otto);
  withTarget(withSource(otto.command("submit")))
    .description("submit this folder's pipeline to the mesh, through any peer")
    .option("-w, --watch", "watch it to its end")
    .action(action(async (options: SubmitOptions) => (await import("./commands/submit.ts")).submit(options)));
  withTarget(otto.command("status [run]"))
    .description("list the runs, or show one of them, step by step")
    .option("--json", "as JSON")
    .action(
      action(async (run: string | undefined, options: StatusOptions) =>
        (await import("./commands/status.ts")).status(run, options),
      ),
    );
  withTarget(otto.command("logs <run> [step]"))
    .description("show what the steps of a run wrote")
    .option("-f, --follow", "go on until the run is over")
    .option("--offset <bytes>", "begin so far into the log of each attempt")
    .option("--json", "as JSON lines")
    .action(
      action(async (run: string, step: string | undefined, options: LogsOptions) =>
        (await import("./commands/logs.ts")).logs(run, step, options),
      ),
    );
  withTarget(otto.command("verify <run-or-file>"), fileOrPeer)
    .description(
      "check that a run, or an exported one, kept to its plan; or that a provenance holds, offline",
    )
    .option("--json", "as JSON")
    .option("--artifact <path>", "of a provenance: the file or folder that it must be of")
    .option("--run <run>", "of a provenance: the run that it must be of")
    .option(
      "--signers <count>",
      "of a provenance: how many control peers must have signed (default: more than half)",
    )
    .action(
      action(async (what: string, options: VerifyOptions) =>
        (await import("./commands/verify.ts")).verify(what, options),
      ),
    );
  withTarget(otto.command("export <run>"))
    .description("write a run with all that proves it to one file")
    .option("-o, --output <file>", "the file (default: RUN.otto-run)")
    .action(
      action(async (run: string, options: ExportOptions) =>
        (await import("./commands/export.ts")).exportRun(run, options),
      ),
    );
  withTarget(otto.command("cancel <run>"))
    .description("cancel a run: its steps are stopped")
    .action(
      action(async (run: string, options: TargetOptions) =>
        (await import("./commands/cancel.ts")).cancel(run, options),
      ),
    );
  addAnswerCommands(otto);
  addScheduleCommands(otto);
  addMeshCommands(otto, action);
  addTrustCommands(otto, action);
  addSecretCommands(otto, action);
  return otto;
}

function addAnswerCommands(otto: Command): void {
  withTarget(otto.command("approve <run> [step]"))
    .description("say yes to a step that asks people; without a step, to the only one that waits")
    .option("--reject", "say no: the step ends as failed")
    .option("--provenance <file...>", "show where what it is given comes from, to a gate that demands it")
    .option("--given <digest>", "only for this, of which `otto gate why` shows the beginning")
    .option("--comment <text>", "what to remember with it")
    .action(
      action(async (run: string, step: string | undefined, options: ApproveOptions) =>
        (await import("./commands/answer.ts")).approve(run, step, options),
      ),
    );
  withTarget(otto.command("settle <run> <step> <verdict>"))
    .description("settle a step that waits for a callback: passed, failed or inconclusive")
    .option("--comment <text>", "what to remember with it")
    .action(
      action(async (run: string, step: string, verdict: string, options: ApproveOptions) =>
        (await import("./commands/answer.ts")).settle(run, step, verdict, options),
      ),
    );
  withTarget(otto.command("callback <run> <step>"))
    .description("print a token with which an outside system settles one step of one run")
    .action(
      action(async (run: string, step: string, options: TargetOptions) =>
        (await import("./commands/answer.ts")).callback(run, step, options),
      ),
    );
  withTarget(otto.command("callbacks"))
    .description("take callbacks of outside systems over HTTP: POST /callback/TOKEN")
    .option("--listen <host:port>", "where", "127.0.0.1:8480")
    .action(
      action(async (options: CallbacksOptions) =>
        (await import("./commands/callbacks.ts")).callbacks(options),
      ),
    );
}

/** What needs no mesh that is there already. */
function addPlanCommands(otto: Command): void {
  withSource(otto.command("run"))
    .description("run this folder's pipeline on this machine")
    .action(action(async (options: RunOptions) => (await import("./commands/run.ts")).run(options)));
  withTarget(withPlan(otto.command("explain")))
    .description("show everything that a run can do, before anything runs")
    .option("--step <name>", "the whole reasoning for one step, or for every cell of a matrix")
    .option("--graph <kind>", "the plan as a picture: mermaid or svg")
    .option(
      "--diff <base>",
      "only what differs, and why, from a commit's plan, or from one that ran: its id, `last`, `environment:NAME`",
    )
    .option("--exit-code", "with --diff: exit code 1 when there is a difference, else always 0")
    .option("--policy [file]", "with what a policy demands: of a file, or of the domain of the asked node")
    .option("-o, --output <file>", "write to a file instead of standard output")
    .option("--json", "as JSON")
    .action(
      action(async (options: ExplainOptions) => (await import("./commands/explain.ts")).explain(options)),
    );
  addSimulate(otto);
  withFile(otto.command("lock"))
    .description(
      "pin the templates and step libraries of other repositories, and the tags of images, in otto.lock",
    )
    .option("--check", "only say whether it is up to date: exit code 1 when it is not")
    .option("--upgrade", "pin what every revision and tag is now, and show what that changes in the plan")
    .action(action(async (options: LockOptions) => (await import("./commands/lock.ts")).lock(options)));
  otto
    .command("init")
    .description("write otto.yaml from what is detected")
    .option("-C, --folder <folder>", "folder of the repository", ".")
    .option("--force", "replace the file that is there")
    .option("--print", "only print it")
    .action(action(async (options: InitOptions) => (await import("./commands/init.ts")).init(options)));
  otto
    .command("schema [of]")
    .description(
      "print the JSON Schema of otto.yaml, of a step `library`, of an `event`, or of what `explain --json` prints",
    )
    .action(
      action(async (of: string | undefined) =>
        (await import("./commands/schema.ts")).schema(of ?? "pipeline"),
      ),
    );
}

function addSimulate(otto: Command): void {
  otto
    .command("simulate")
    .description("say what faults would do to this folder's pipeline, from many runs in virtual time")
    .option("-C, --folder <folder>", "folder of the repository", ".")
    .option("--pipeline <file>", "pipeline file (default: otto.yaml, or what is detected)")
    .option("-p, --parameters <name=value>", "value of a parameter; may be repeated", several)
    .option(
      "--mesh <file>",
      "which machines there are (default: this user's node's domain, or 3 control peers, and 2 workers)",
    )
    .option(
      "--scenario <name>",
      "site-loss, rolling-upgrade, slow-worker, key-revoked or flaky-network (default: each)",
    )
    .option(
      "--compare <mesh>",
      "the loss of a site with other control peers too: 5x3 are five on three sites",
    )
    .option("--seeds <count>", "how many runs of each scenario", "40")
    .option("--seed <number>", "only the run of this seed")
    .option("--seconds <seconds>", "at most so much of a processor's time for each mesh", "20")
    .option("--report <file>", "write the run that was harmed most, or is replayed, as a page (HTML)")
    .option("--replay <file>", "only run a schedule that a simulation wrote")
    .option("--json", "as JSON")
    .addHelpText("after", simulateExample)
    .action(
      action(async (options: SimulateOptions) => (await import("./commands/simulate.ts")).simulate(options)),
    );
}

function addScheduleCommands(otto: Command): void {
  const schedule = otto.command("schedule").description("pipelines that the mesh starts at set times");
  withTarget(withSnapshot(withFile(schedule.command("add"))))
    .description("have the mesh run this folder's pipeline, as it is now, at each slot of its schedules")
    .option("--json", "as JSON")
    .action(
      action(async (options: AddOptions) => (await import("./commands/schedule.ts")).addSchedule(options)),
    );
  withTarget(schedule.command("ls"))
    .description("list the schedules, when each is next, and what was missed")
    .option("--json", "as JSON lines")
    .action(
      action(async (options: ListOptions) => (await import("./commands/schedule.ts")).listSchedules(options)),
    );
  withTarget(schedule.command("rm <pipeline>"))
    .description("remove the schedule of a pipeline")
    .action(
      action(async (pipeline: string, options: TargetOptions) =>
        (await import("./commands/schedule.ts")).removeSchedule(pipeline, options),
      ),
    );
}

/** A reader that has seen enough (`otto logs | head`) is no failure. */
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(exitCode);
  throw error;
});

try {
  await program().parseAsync();
} catch (error) {
  exitCode = await explainFailure(error);
}
// libp2p leaves timers behind; what was written has been handed over when the callback comes.
process.stdout.write("", () => process.stderr.write("", () => process.exit(exitCode)));

async function explainFailure(error: unknown): Promise<ExitCode> {
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.passed : exitCodes.usage;
  const { formatBug, formatError } = await import("./words.ts");
  const { wantsColor } = await import("./render/renderer.ts");
  const color = wantsColor(process.stderr);
  const isOtto = error instanceof OttoError;
  const text = isOtto
    ? formatError(error, color)
    : formatBug(error, { color, debug: process.env["OTTO_DEBUG"] === "1" });
  process.stderr.write(text.endsWith("\n") ? text : `${text}\n`);
  return isOtto ? error.exitCode : exitCodes.bug;
}
