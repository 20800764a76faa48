/** Tags of images: `otto lock` asks which image each is now, and plans carry what it pinned, without a network. */

import { existsSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { lock, type LockOptions } from "../../cli/commands/lock.ts";
import { loadPlan } from "../../cli/load-plan.ts";
import { type RegistryFixture, startRegistry } from "../node/images/registry-fixture.ts";
import { unsupportedIn } from "../../protocol/unsupported.ts";
import { errorOf } from "./error-of.ts";

let folder = "";
let registry: RegistryFixture;
/** Two images, the first of which is tagged. */
let first = "";
let second = "";

beforeEach(async () => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), "otto-lock-images-")));
  registry = await startRegistry({ asksForToken: true });
  const images = ["a", "b"].map((content) => registry.add([{ content }]).name);
  const [one, other] = images;
  if (one === undefined || other === undefined) throw new Error("no images");
  [first, second] = [one.sha256, other.sha256];
  registry.tag("24", one);
});
afterEach(async () => {
  await registry.close();
  rmSync(folder, { recursive: true });
});

const name = (): string => `${registry.host}/team/app:24`;

function write(more = ""): void {
  const steps = `  build: { requires: { image: "${name()}" }, run: make }\n${more}`;
  writeFileSync(join(folder, "otto.yaml"), `otto: 1\nsteps:\n${steps}`);
}

async function locked(options: Partial<LockOptions> = {}): Promise<{ exitCode: number; text: string }> {
  let text = "";
  const output = { write: (words: string) => (text += words) };
  const exitCode = await lock({ folder, output, ...options });
  return { exitCode, text };
}

const lockText = (): string => readFileSync(join(folder, "otto.lock"), "utf8");

async function planned(): Promise<readonly (string | undefined)[]> {
  return (await loadPlan({ folder })).plan.steps.map(({ image }) => image?.name);
}

describe("a tag that is not locked", () => {
  it("is planned as it is, and not run: that is said with what to do", async () => {
    write();
    const { plan } = await loadPlan({ folder });
    expect(plan.steps[0]?.image?.name).toBe(name());
    const [refused] = unsupportedIn(plan, "dev");
    expect(refused?.why).toBe(
      `its image ${name()} may be another one tomorrow: pin it with \`otto lock\`, or name it by its digest, ${name()}@sha256:...`,
    );
    expect(registry.asked).toEqual([]);
  });

  it("is what makes a lock file stale", async () => {
    write();
    expect(await locked({ check: true })).toEqual({
      exitCode: 1,
      text: `otto.lock is stale:\n  otto.lock does not pin the image \`${name()}\`\nNext: run \`otto lock\` and commit otto.lock.\n`,
    });
    expect(existsSync(join(folder, "otto.lock"))).toBe(false);
  });
});

describe("otto lock", () => {
  it("pins a tag as the registry says, and plans carry that without asking anybody", async () => {
    write('  test: { requires: { image: "node:24@sha256:' + "0".repeat(64) + '" }, run: make }\n');
    const { text } = await locked();
    expect(text).toBe(
      `+ ${name()}: digest sha256:${first.slice(0, 12)}\notto.lock pins 0 sources and 1 image.\n`,
    );
    expect(JSON.parse(lockText())).toEqual({
      "otto-lock": 1,
      uses: {},
      images: { [name()]: `sha256:${first}` },
    });
    registry.asked.splice(0);
    expect(await planned()).toEqual([`${name()}@sha256:${first}`, `node:24@sha256:${"0".repeat(64)}`]);
    expect(unsupportedIn((await loadPlan({ folder })).plan, "dev")).toEqual([]);
    expect(await locked({ check: true })).toMatchObject({ exitCode: 0 });
    expect(registry.asked).toEqual([]);
  });

  it("leaves what it pinned when the tag has moved on, until it is asked to upgrade, and says what changes", async () => {
    write();
    await locked();
    registry.tag("24", registry.name(second));
    expect((await locked()).text).toBe("otto.lock is as it was: 0 sources and 1 image.\n");
    expect(await planned()).toEqual([`${name()}@sha256:${first}`]);
    const { text } = await locked({ upgrade: true });
    expect(text).toContain(
      `~ ${name()}: digest sha256:${first.slice(0, 12)} -> digest sha256:${second.slice(0, 12)}`,
    );
    expect(text).toContain("what changed since the old otto.lock");
    expect(await planned()).toEqual([`${name()}@sha256:${second}`]);
  });

  it("forgets what nobody names any more", async () => {
    write();
    await locked();
    writeFileSync(join(folder, "otto.yaml"), "otto: 1\nsteps:\n  build: { run: make }\n");
    expect((await locked({ check: true })).text).toContain(`\`${name()}\` is not used any more`);
    expect((await locked()).text).toContain(`- ${name()}`);
    expect(JSON.parse(lockText())).toEqual({ "otto-lock": 1, uses: {} });
  });

  it("pins a tag that a template names, too", async () => {
    writeFileSync(join(folder, "otto.yaml"), "otto: 1\nsteps:\n  all: { pipeline: ./part.yaml }\n");
    const part = `otto: 1\nsteps:\n  build: { requires: { image: "${name()}", or: host }, run: make }\n`;
    writeFileSync(join(folder, "part.yaml"), part);
    await locked();
    expect(await planned()).toContain(`${name()}@sha256:${first}`);
  });

  it("leaves the lock file as it is when the registry does not say", async () => {
    write();
    await locked();
    const before = lockText();
    write(`  test: { requires: { image: "${registry.host}/team/app:gone" }, run: make }\n`);
    const error = await errorOf(locked());
    expect(error).toMatchObject({ code: "OTTO_IMAGE_UNKNOWN" });
    expect(error.message).toMatch(
      /team\/app:gone cannot be pinned, since its registry .* does not have it\./,
    );
    expect(lockText()).toBe(before);
  });

  it("takes nothing for an image that is none", async () => {
    write();
    registry.tag("24", registry.name(registry.put(Buffer.from("{}"))));
    expect((await errorOf(locked())).message).toContain("it is neither an index nor a manifest of an image");
  });
});

describe("a lock file", () => {
  it.each([
    [
      "a digest for a name that has one",
      (text: string) => text.replace(":24", `:24@sha256:${"0".repeat(64)}`),
    ],
    ["a digest of another kind", (text: string) => text.replace(': "sha256:', ': "sha512:')],
    ["no digest", (text: string) => text.replace(/"sha256:[0-9a-f]*"/, "7")],
    ["something else besides", (text: string) => text.replace('"images"', '"pictures"')],
  ])("is not believed with %s", async (_, changed) => {
    write();
    await locked();
    const text = lockText();
    expect(changed(text)).not.toBe(text);
    writeFileSync(join(folder, "otto.lock"), changed(text));
    expect(await errorOf(planned())).toMatchObject({ code: "OTTO_LOCK_INVALID" });
  });
});
