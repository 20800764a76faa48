/**
 * The attacker writes a pipeline, or has a worker or a broker, and wants the value of a secret itself. It is given only where three have
 * said so: the signed plan, whoever set the secret, and the owner of the domain; and then only to that step.
 */

import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { readPolicy } from "../../planner/policy/read-policy.ts";
import { whyNotAdmitted } from "../../planner/policy/judge.ts";
import { makeMemoryFolder } from "../../node/edge/execution/memory-folder.ts";
import { identityOf } from "../../node/edge/execution/processes.ts";
import { StreamDuplex } from "../../node/edge/broker/stream-duplex.ts";
import { decodeAnswer, encodeHello } from "../../protocol/credentials/hello.ts";
import { encodeFrame } from "../../protocol/frames.ts";
import { limits } from "../../protocol/limits.ts";
import { sealSecret } from "../../node/edge/broker/sealing.ts";
import type { SecretHeader } from "../../protocol/credentials/secret.ts";
import type { StepCredential } from "../../protocol/plan.ts";
import { planOf, plannedStep } from "../node/view/example.ts";
import { makeSurroundings, type Surroundings } from "../node/execution/surroundings.ts";
import { canary, destinationOf, Mesh, Upstream } from "./brokered.ts";
import { isolated, missing } from "./isolated.ts";

let upstream: Upstream;
let mesh: Mesh;

beforeAll(async () => {
  upstream = await Upstream.start();
  mesh = await Mesh.start();
});
afterAll(async () => {
  await mesh?.end();
  await upstream?.stop();
});
afterEach(() => mesh.reset());

const own = (): string => `https://localhost:${upstream.port}`;

/** What a step is told whose plan asks for the secret itself. */
async function asks(
  more: Partial<SecretHeader> = { class: "exposed" },
  credential: Partial<StepCredential> = { expose: "file" },
): Promise<Readonly<Record<string, string>>> {
  const header = await mesh.header(destinationOf(upstream), more);
  mesh.records.set("token", { version: header.version, bytes: await mesh.seal(header) });
  return mesh.runs([{ name: "token", kind: "http", to: own(), ...credential }]);
}

describe("the value of a secret that a step is given", () => {
  const left = (worker: Surroundings): readonly string[] => {
    const own = `otto-${identityOf(join(worker.folder, "execution")).slice(0, 16)}`;
    return readdirSync("/dev/shm").filter((name) => name.startsWith(own));
  };
  const show =
    'echo "$OTTO_CREDENTIAL_TOKEN_FILE"; cat "$OTTO_CREDENTIAL_TOKEN_FILE" | wc -c; stat -f -c %T "$OTTO_CREDENTIAL_TOKEN_FILE"';

  it.skipIf(process.platform !== "linux").each(["S0", "S1", "S2"] as const)(
    "is on no disk, and nowhere when the step is over: %s (skipped where there is no such level)",
    async (level) => {
      if (level !== "S0" && missing(level) !== null) return;
      const credentials = mesh.gateway();
      const worker = await (level === "S0"
        ? makeSurroundings({ credentials })
        : isolated(level, { credentials }));
      try {
        mesh.exposable = ["token"];
        const header = await mesh.header(destinationOf(upstream), { class: "exposed" });
        mesh.records.set("token", { version: header.version, bytes: await mesh.seal(header) });
        const leased = mesh.leases([{ name: "token", kind: "http", to: own(), expose: "file" }]);
        const report = await worker.run([show, 'test ! -w "$OTTO_CREDENTIAL_TOKEN_FILE" || id -u'], leased);
        expect(report, report.problem).toMatchObject({ outcome: "passed" });
        expect(report.tail).toContain(`${canary.length}\ntmpfs\n`);
        expect(report.tail).toMatch(/^\/dev\/shm\/otto-/mu);
        expect(left(worker)).toEqual([]);
      } finally {
        await worker.close();
      }
    },
  );

  it.skipIf(process.platform !== "linux")(
    "is not there any more when a worker comes back that died with it",
    async () => {
      const folder = mkdtempSync(join(tmpdir(), "otto-exposed-"));
      mkdirSync(join(folder, "execution"));
      const lost = makeMemoryFolder(identityOf(join(folder, "execution"))) ?? "";
      writeFileSync(join(lost, "exposed-0"), canary);
      const worker = await makeSurroundings({ folder });
      try {
        expect(existsSync(lost)).toBe(false);
      } finally {
        await worker.close();
      }
    },
  );
});

describe("a secret itself", () => {
  it("is given where all three say so: in a file of the step's own, in no variable, and it is in the book", async () => {
    mesh.exposable = ["token"];
    const told = await asks();
    const file = told["OTTO_CREDENTIAL_TOKEN_FILE"] ?? "";
    expect(readFileSync(file, "utf8")).toBe(canary);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(JSON.stringify(told)).not.toContain(canary);
    expect(mesh.uses).toMatchObject([{ what: "used", method: "EXPOSE", template: "file", secret: "token" }]);
    mesh.reset();
    expect(existsSync(file)).toBe(false);
  });

  it("is in a variable only where the plan asks for that", async () => {
    mesh.exposable = ["token"];
    expect(await asks({ class: "exposed" }, { expose: "variable" })).toMatchObject({
      OTTO_CREDENTIAL_TOKEN: canary,
    });
  });

  it("is not given that nobody set as one to be given, whatever plan and policy say", async () => {
    mesh.exposable = ["token"];
    await expect(asks({})).rejects.toThrow("whoever set it has not said `--exposable`");
  });

  it("is not given that the owner of the domain does not name", async () => {
    await expect(asks()).rejects.toThrow("the domain's policy does not name it in `expose`");
    mesh.exposable = ["tokens", "other"];
    await expect(asks()).rejects.toThrow("the domain's policy does not name it in `expose`");
  });

  it("is not given to a step whose plan says that it uses it: it gets a broker", async () => {
    mesh.exposable = ["token"];
    const told = await asks({ class: "exposed" }, {});
    expect(told).toHaveProperty("OTTO_CREDENTIAL_TOKEN_URL");
    expect(JSON.stringify(told)).not.toContain(canary);
    expect(mesh.uses).toEqual([]);
  });

  it("is not given to a worker that asks for it in the name of a step that only uses it", async () => {
    mesh.exposable = ["token"];
    await asks({ class: "exposed" }, {});
    const { run = "", index = 0, attempt = 0, token = 0 } = mesh.leased ?? {};
    const stream = new StreamDuplex(await mesh.worker.network.openBroker(mesh.control.id));
    const hello = { otto: "broker/1", run, index, attempt, token, credential: "token", host: null } as const;
    stream.write(encodeFrame(encodeHello(hello)));
    const answer = await stream.firstFrame(limits.brokerAnswerBytesMax);
    stream.destroy();
    expect(decodeAnswer(answer)).toEqual({ why: null, hostKeys: [] });
    expect(Buffer.from(answer).includes(canary)).toBe(false);
  });

  it("is not given for another place than it is for, nor before the gate is open, nor to a lease that has passed on", async () => {
    mesh.exposable = ["token"];
    await expect(
      asks({ class: "exposed" }, { expose: "file", to: "https://evil.example.org" }),
    ).rejects.toThrow("may be sent to");
    mesh.unpermitted = "nobody approved";
    await expect(asks().finally(() => (mesh.unpermitted = null))).rejects.toThrow("has not passed its gate");
    mesh.isLed = false;
    await expect(asks()).rejects.toThrow("does not know who is home now");
  });

  it("is never a key for SSH, whatever a plan that was made by hand says", async () => {
    mesh.exposable = ["token"];
    const logins = [{ user: "deploy", host: "host.example.org", port: 22, hostKeys: ["ssh-ed25519 AAAA"] }];
    await expect(
      asks(
        { class: "exposed", kind: "ssh", logins, destinations: [] },
        { expose: "file", kind: "ssh", to: "deploy@host.example.org" },
      ),
    ).rejects.toThrow(
      "The plan wants token for deploy@host.example.org, which is no place that it can be sent to.",
    );
    const ssh = await mesh.header(destinationOf(upstream), { class: "exposed", kind: "ssh", logins });
    const { header, sealed: body } = await sealSecret(ssh, Buffer.from(canary));
    expect(await mesh.vault.open({ header, body, origin: null })).toEqual({
      why: "an SSH key signs, and is sent nowhere",
    });
  });

  it("does not leave the vault for a broker that was taken over, unless it was set as one to be given", async () => {
    const { header, sealed: body } = await sealSecret(
      await mesh.header(destinationOf(upstream)),
      Buffer.from(canary),
    );
    expect(await mesh.vault.open({ header, body, origin: null })).toEqual({
      why: "whoever set it has not said that steps may be given it",
    });
  });
});

describe("a plan that wants a secret itself", () => {
  it("is not admitted before the owner's policy names it", () => {
    const credentials = [
      { name: "legacy", kind: "http", to: "https://h.example.org", expose: "file" },
    ] as const;
    const plan = planOf([plannedStep("deploy", [], { credentials })]);
    const judged = (text: string): readonly string[] => {
      const read = readPolicy(text);
      if (!read.ok) throw new Error(JSON.stringify(read.mistakes));
      return whyNotAdmitted(read.policy, plan, { peer: "p", domain: "ops" });
    };
    const refused = [
      "deploy wants to be given the secret legacy itself, which the policy does not let steps have",
    ];
    expect(judged("otto-policy: 1\n")).toEqual(refused);
    expect(judged("otto-policy: 1\nexpose: [other, legacy2]\n")).toEqual(refused);
    expect(judged("otto-policy: 1\nexpose: [legacy]\n")).toEqual([]);
  });
});
