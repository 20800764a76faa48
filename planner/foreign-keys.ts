/** Keys that the language does not have: as other tools call them, written nearly right, or in the wrong place. */

import { type KeyOf, keysOf, type RecordName, recordNames, records } from "./language.ts";
import { closest, suggestion } from "./suggestions.ts";

/** How a person calls such a map, and where it stands. */
const recordWords: Readonly<Record<RecordName, string>> = {
  file: "the file itself, not indented",
  step: "a step, under its name in `steps`",
  approve: "`approve`",
  wait: "`wait`",
  poll: "`poll`, in `wait`",
  cache: "a cache, under its name in `caches`",
  cacheKey: "`key`, in a cache",
  credential: "a credential, under its name in `credentials`",
  reports: "`reports`",
  requires: "`requires`",
  trigger: "a trigger, in `triggers`",
  notification: "an entry of `notify`",
  environment: "an environment, under its name in `environments`",
  parameter: "a parameter, under its name in `parameters`",
  retry: "`retry`",
  matrix: "`matrix`",
  library: "otto-step.yaml, the manifest of a step library",
  libraryEntry: "`entry`, in the manifest of a step library",
};

/** What other tools call it. */
const foreignKeys: Readonly<Record<RecordName, Readonly<Record<string, string>>>> = {
  file: {
    name: "pipeline",
    version: "otto",
    jobs: "steps",
    stages: "steps",
    tasks: "steps",
    variables: "env",
    on: "triggers",
    include: "uses",
    imports: "uses",
    notifications: "notify",
  },
  step: {
    script: "run",
    command: "run",
    commands: "run",
    cmd: "run",
    depends_on: "needs",
    "depends-on": "needs",
    dependsOn: "needs",
    after: "needs",
    if: "when",
    only: "when",
    strategy: "matrix",
    variables: "env",
    artifacts: "outputs",
    tags: "labels",
    "runs-on": "labels",
    agents: "labels",
    "timeout-minutes": "timeout",
    retries: "retry",
    cache: "caches",
    secrets: "credentials",
    changes: "paths",
    approval: "approve",
    manual: "approve",
    trigger: "pipeline",
    workflow: "pipeline",
    template: "pipeline",
    container: "requires",
    image: "requires",
    os: "requires",
    allow_failure: "needs",
  },
  approve: { message: "question", prompt: "question", approvers: "by", users: "by", timeout: "within" },
  wait: { timeout: "within", until: "poll", http: "poll" },
  poll: { url: "http", interval: "every", condition: "until" },
  cache: { path: "paths", folders: "paths", files: "key" },
  cacheKey: {},
  credential: { url: "http", token: "oidc", exposed: "expose", file: "expose", env: "expose" },
  reports: {},
  requires: { platform: "os", cpu: "cores", cpus: "cores", ram: "memory", container: "image" },
  trigger: { cron: "schedule", branch: "push", branches: "push", pull_request: "pull-request", tags: "tag" },
  notification: { when: "on", parameters: "with" },
  environment: { env: "settings", variables: "settings" },
  parameter: { options: "enum", choices: "enum", values: "enum" },
  retry: { attempts: "max", limit: "max", when: "on" },
  matrix: {},
  library: { inputs: "parameters", run: "entry", main: "entry", command: "entry", permissions: "may" },
  libraryEntry: { macos: "darwin", windows: "win32", all: "any" },
} satisfies { readonly [Name in RecordName]: Readonly<Record<string, KeyOf<Name>>> };

/**
 * What to write instead of a key that such a map does not have: the same thing as Otto calls it, a key that is
 * written nearly so, or where the key belongs.
 */
export function keyHelp(written: string, record: RecordName): string {
  const foreign = foreignKeys[record];
  if (Object.hasOwn(foreign, written)) return `did you mean \`${foreign[written]}\`?`;
  const near = closest(written, keysOf(record));
  const owner = recordNames.find((other) => Object.hasOwn(records[other], written));
  if (near === null && owner !== undefined) return `\`${written}\` belongs to ${recordWords[owner]}`;
  return suggestion(written, keysOf(record), "key");
}
