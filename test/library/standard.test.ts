/** The step libraries that Otto brings itself, each as a worker runs it: a program, a workspace and what it is given. */

import { execFileSync, spawn } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { loadPlan } from "../../cli/load-plan.ts";
import type { Scalar } from "../../protocol/plan.ts";
import { errorOf } from "../cli/error-of.ts";

const libraries = join(import.meta.dirname, "../../cli/library");
let folder = "";
let workspace = "";
let server: Server | null = null;

beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), "otto-library-")));
  workspace = join(folder, "workspace");
  mkdirSync(workspace);
});

afterEach(() => {
  server?.closeAllConnections();
  server?.close();
  server = null;
  rmSync(folder, { recursive: true });
});

type Ended = { readonly code: number | null; readonly text: string; readonly values: string };

/** What a plan gives the library, with the defaults of its manifest. */
async function givenTo(
  name: string,
  given: Readonly<Record<string, Scalar>>,
): Promise<Record<string, Scalar>> {
  writeFileSync(
    join(folder, "otto.yaml"),
    `otto: 1\nsteps: { a: { uses: otto/${name}, with: ${JSON.stringify(given)} } }`,
  );
  const { action } = (await loadPlan({ folder })).plan.steps[0] ?? {};
  return action?.kind === "uses" ? action.with : {};
}

async function run(
  name: string,
  given: Readonly<Record<string, Scalar>>,
  variables: Readonly<Record<string, string>> = {},
): Promise<Ended> {
  const [withFile, valuesFile] = [join(folder, "with.json"), join(folder, "values")];
  const value = { otto: "with/1", with: await givenTo(name, given), run: "abc", step: "a", attempt: 1 };
  writeFileSync(withFile, JSON.stringify(value));
  writeFileSync(valuesFile, "");
  const child = spawn(process.execPath, [join(libraries, name, "step.ts")], {
    cwd: workspace,
    env: {
      PATH: process.env["PATH"],
      HOME: folder,
      OTTO_WITH: withFile,
      OTTO_VALUES: valuesFile,
      ...variables,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let text = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (more: string) => (text += more));
  const code = await new Promise<number | null>((done) => child.once("close", done));
  return { code, text, values: readFileSync(valuesFile, "utf8") };
}

function git(path: string, ...words: string[]): string {
  const identity = ["-c", "user.name=A", "-c", "user.email=a@example.org"];
  return execFileSync("git", [...identity, ...words], { cwd: path, encoding: "utf8" }).trim();
}

type Asked = { readonly method: string; readonly headers: IncomingMessage["headers"]; readonly body: string };

/** A server that answers with these statuses, one after another, the last one for ever. */
async function serve(
  ...statuses: readonly number[]
): Promise<{ readonly url: string; readonly asked: Asked[] }> {
  const asked: Asked[] = [];
  const made = createServer((request, response) => {
    let body = "";
    request.setEncoding("utf8").on("data", (more: string) => (body += more));
    request.on("end", () => {
      asked.push({ method: request.method ?? "", headers: request.headers, body });
      response.writeHead(statuses[Math.min(asked.length, statuses.length) - 1] ?? 200).end("the answer");
    });
  });
  server = made;
  await new Promise<void>((done) => made.listen(0, "127.0.0.1", done));
  return { url: `http://127.0.0.1:${(made.address() as AddressInfo).port}/path`, asked };
}

describe("otto/git-checkout", () => {
  it("brings a revision into a folder of the workspace, and tells its commit", async () => {
    const other = join(folder, "other");
    mkdirSync(other);
    git(other, "init", "-q", "-b", "main");
    writeFileSync(join(other, "file"), "one");
    git(other, "add", "--all");
    git(other, "commit", "-q", "-m", "one");
    const commit = git(other, "rev-parse", "HEAD");
    git(other, "tag", "v1");
    writeFileSync(join(other, "file"), "two");
    git(other, "commit", "-q", "-a", "-m", "two");
    const repository = `file://${other}`;
    for (const revision of ["v1", commit]) {
      rmSync(join(workspace, "tools"), { recursive: true, force: true });
      const ended = await run("git-checkout", { repository, revision, path: "tools" });
      expect(ended).toMatchObject({ code: 0, values: `commit=${commit}\n` });
      expect(readFileSync(join(workspace, "tools/file"), "utf8")).toBe("one");
    }
    await run("git-checkout", { repository });
    expect(readFileSync(join(workspace, "checkout/file"), "utf8")).toBe("two");
    expect(await run("git-checkout", { repository, revision: "v9" })).toMatchObject({ code: 1 });
  });

  it("stays in the workspace, and takes no option for an address", async () => {
    const outside = await run("git-checkout", { repository: "file:///x", path: "../out" });
    expect(outside).toMatchObject({ code: 1, text: "../out is outside of the workspace.\n" });
    expect((await run("git-checkout", { repository: "--upload-pack=touch x" })).code).toBe(1);
    expect(readdirSync(workspace)).toEqual([]);
  });
});

describe("otto/archive and otto/unarchive", () => {
  it("bring a folder into an archive and out of it again", async () => {
    mkdirSync(join(workspace, "site/deep"), { recursive: true });
    writeFileSync(join(workspace, "site/deep/file"), "text");
    for (const to of ["out/site.tar.gz", "site.tgz", "site.tar"]) {
      expect((await run("archive", { from: "site", to })).code).toBe(0);
      const ended = await run("unarchive", { archive: to, to: "again" });
      expect(ended.code).toBe(0);
      expect(readFileSync(join(workspace, "again/deep/file"), "utf8")).toBe("text");
      rmSync(join(workspace, "again"), { recursive: true });
    }
    await run("unarchive", { archive: "site.tar", to: "again", strip: 2 });
    expect(readdirSync(join(workspace, "again"))).toEqual(["file"]);
  });

  it("make the same bytes of the same files, and leave the archive itself out", async () => {
    mkdirSync(join(workspace, "site"));
    for (const name of ["b", "a"]) writeFileSync(join(workspace, "site", name), name);
    utimesSync(join(workspace, "site/a"), 1, 1);
    await run("archive", { from: "site", to: "one.tar.gz" });
    rmSync(join(workspace, "site"), { recursive: true });
    mkdirSync(join(workspace, "site"));
    for (const name of ["a", "b"]) writeFileSync(join(workspace, "site", name), name);
    await run("archive", { from: "site", to: "two.tar.gz" });
    const bytes = (name: string): Buffer => readFileSync(join(workspace, name));
    expect(bytes("one.tar.gz").equals(bytes("two.tar.gz"))).toBe(true);
    expect((await run("archive", {})).code).toBe(0);
    expect((await run("archive", {})).code).toBe(0);
    const listed = execFileSync("tar", ["-tf", join(workspace, "archive.tar.gz")], { encoding: "utf8" });
    expect(listed).not.toContain("./archive.tar.gz");
  });

  it("say what is not there, and stay in the workspace", async () => {
    expect((await run("archive", { from: "gone" })).text).toBe("There is no folder gone.\n");
    expect((await run("archive", { to: "x.zip" })).text).toContain("ends in none of");
    expect((await run("unarchive", { archive: "gone.tar" })).text).toBe("There is no file gone.tar.\n");
    writeFileSync(join(workspace, "bad.tar"), "no archive");
    expect((await run("unarchive", { archive: "bad.tar" })).code).toBe(1);
    for (const given of [{ from: "../.." }, { to: "/tmp/x.tar" }])
      expect((await run("archive", given)).text).toContain("is outside of the workspace");
  });
});

describe("otto/http", () => {
  it("makes a request, tells the status and keeps the answer", async () => {
    const { url, asked } = await serve(201);
    const ended = await run("http", {
      url,
      method: "POST",
      headers: "X-One: 1\nX-Two: two words",
      body: "hello",
      to: "out/answer",
    });
    expect(ended).toMatchObject({ code: 0, values: "status=201\n" });
    expect(asked).toMatchObject([
      { method: "POST", body: "hello", headers: { "x-one": "1", "x-two": "two words" } },
    ]);
    expect(readFileSync(join(workspace, "out/answer"), "utf8")).toBe("the answer");
  });

  it("fails at another status than the wanted one, and when nobody answers", async () => {
    const { url } = await serve(500);
    const other = await run("http", { url });
    expect(other).toMatchObject({ code: 1, values: "status=500\n" });
    expect(other.text).toContain("answered 500, and 200 to 299 was wanted");
    expect((await run("http", { url, status: 500 })).code).toBe(0);
    server?.closeAllConnections();
    await new Promise((done) => server?.close(done));
    expect((await run("http", { url })).text).toContain(
      "was not answered: fetch failed: connect ECONNREFUSED",
    );
    expect((await run("http", { url, headers: "no header" })).text).toContain("is no header");
  });
});

describe("otto/wait-for-port", () => {
  it("passes as soon as somebody listens, and fails when nobody does in time", async () => {
    const { url } = await serve(200);
    const port = Number(new URL(url).port);
    expect((await run("wait-for-port", { port })).text).toContain("takes connections");
    server?.closeAllConnections();
    await new Promise((done) => server?.close(done));
    const gone = await run("wait-for-port", { port, within: 0.2, every: 0.1 });
    expect(gone.code).toBe(1);
    expect(gone.text).toContain(`127.0.0.1:${port} took no connection`);
  });
});

describe("notifications", () => {
  const about = { OTTO_PIPELINE: "web<app>", OTTO_NOTIFIES: "failed", OTTO_BRANCH: "main" };

  it("tell a webhook as JSON", async () => {
    const { url, asked } = await serve(204);
    expect((await run("notify-webhook", { url, message: "Look!" }, about)).code).toBe(0);
    expect(JSON.parse(asked[0]?.body ?? "")).toEqual({
      otto: "notification/1",
      pipeline: "web<app>",
      run: "abc",
      step: "a",
      outcome: "failed",
      branch: "main",
      commit: null,
      message: "Look!",
    });
  });

  it("tell a channel in the words of Slack's webhooks, at an address that no plan has", async () => {
    const { url, asked } = await serve(200);
    const ended = await run("notify-slack", { channel: "#deploys" }, { ...about, SLACK_WEBHOOK_URL: url });
    expect(ended).toMatchObject({ code: 0, text: "The channel was told.\n" });
    expect(JSON.parse(asked[0]?.body ?? "")).toEqual({
      channel: "#deploys",
      text: "web&lt;app&gt; failed on main (run abc)",
    });
  });

  it("are tried again when the other side fails, and not when it refuses", async () => {
    const failing = await serve(503, 200);
    expect((await run("notify-slack", { url: failing.url })).code).toBe(0);
    expect(failing.asked).toHaveLength(2);
    server?.close();
    const refusing = await serve(404);
    const ended = await run("notify-slack", { url: refusing.url });
    expect(ended).toMatchObject({ code: 1, text: "The webhook refused it: 404\n" });
    expect(refusing.asked).toHaveLength(1);
  });

  it("say that they have no address", async () => {
    for (const name of ["notify-slack", "notify-webhook"])
      expect((await run(name, {})).text).toContain("No address: give `url`, or start the worker with --pass");
  });
});

describe("each of them", () => {
  const names = readdirSync(libraries, { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? [entry.name] : [],
  );

  it("is on the page, and has a digest in the plan and words for what it may do", async () => {
    const page = readFileSync(join(libraries, "README.md"), "utf8");
    expect(names.length).toBeGreaterThan(6);
    for (const name of names) {
      expect(page).toContain(`| [${name}](${name}/otto-step.yaml)`);
      const needed: Record<string, Record<string, Scalar>> = {
        "git-checkout": { repository: "file:///x" },
        unarchive: { archive: "x.tar" },
        http: { url: "http://x" },
        "wait-for-port": { port: 1 },
      };
      await givenTo(name, needed[name] ?? {});
      const { uses } = (await loadPlan({ folder })).plan;
      expect(uses).toMatchObject([
        { name: `otto/${name}`, source: `otto/${name}`, commit: null, kind: "library" },
      ]);
      expect(uses?.[0]?.may?.length).toBeGreaterThan(0);
      expect(existsSync(join(libraries, name, uses?.[0]?.entry?.["any"] ?? ""))).toBe(true);
    }
  });

  it("is found by its name alone", async () => {
    writeFileSync(join(folder, "otto.yaml"), "otto: 1\nsteps: { a: { uses: otto/htp } }");
    expect((await errorOf(loadPlan({ folder }))).message).toContain("= did you mean `otto/http`?");
  });
});
