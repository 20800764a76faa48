/**
 * Somebody who wants another artifact to pass for one that a domain has made: he changes files, statements, signatures and
 * signers. And the tools of Sigstore read what is signed.
 */

import { execFileSync } from "node:child_process";
import { createPublicKey, generateKeyPairSync } from "node:crypto";
import { chmodSync, cpSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { bundleFromJSON } from "@sigstore/bundle";
import { toSignedEntity, type TrustMaterial, Verifier } from "@sigstore/verify";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { identityOf, openIdentity } from "../../node/edge/identity.ts";
import { publicKeyOf } from "../../protocol/peer-id.ts";
import { decodeBundles, encodeBundles, type SignedStatement } from "../../protocol/provenance/bundle.ts";
import {
  decodeStatement,
  encodeStatement,
  type Statement,
  toBeSigned,
} from "../../protocol/provenance/statement.ts";
import { Mesh, type MeshNode } from "../mesh/mesh.ts";
import type { Ended } from "../mesh/program.ts";

let mesh: Mesh;
let run: string;
let file: string;
let site: string;
let signed: SignedStatement;
let commit: string;

const git = (folder: string, ...words: readonly string[]): string =>
  execFileSync("git", ["-c", "user.name=ada", "-c", "user.email=ada@example.org", ...words], {
    cwd: folder,
    encoding: "utf8",
  }).trim();

beforeAll(async () => {
  mesh = await Mesh.found({ controls: 3, workers: [[]] });
  const repository = mesh.repository(
    "shop",
    `  base:
    run: mkdir out && echo base > out/base
    outputs: { base: out }
  build:
    inputs: { base: base.base }
    run: |
      mkdir -p site/js && echo page > site/index.html && echo code > site/js/a.js
      echo run > site/start && chmod +x site/start && ln -s index.html site/link
    outputs: { site: "site/**" }
  broken:
    run: mkdir out && echo half > out/half && exit 1
    outputs: { half: out }
`,
  );
  git(repository, "add", ".");
  git(repository, "commit", "-q", "-m", "shop");
  commit = git(repository, "rev-parse", "HEAD");
  run = await mesh.submit(repository, mesh.workers[0] ?? []);
  expect(await first().watch(run).closed()).toBe("failed");
  file = join(mesh.folder, "site.sigstore.jsonl");
  const { stdout } = await mesh.succeed(provenance(mesh.workers[0], "build", "site", file));
  expect(stdout).toContain("signed by 3 of 3 control peers");
  signed = read(file);
});
afterAll(() => mesh?.end());

/** The artifact as somebody got it. */
beforeEach(() => {
  const folder = join(mesh.folder, "artifact");
  rmSync(folder, { recursive: true, force: true });
  site = join(folder, "site");
  mkdirSync(join(site, "js"), { recursive: true });
  writeFileSync(join(site, "index.html"), "page\n");
  writeFileSync(join(site, "js/a.js"), "code\n");
  writeFileSync(join(site, "start"), "run\n", { mode: 0o755 });
  execFileSync("ln", ["-s", "index.html", join(site, "link")]);
});

function first(): MeshNode {
  const [control] = mesh.controls;
  if (control === undefined) throw new Error("The mesh has no control peer.");
  return control;
}

function provenance(node: MeshNode | undefined, step: string, output: string, to: string): readonly string[] {
  return ["provenance", run, step, output, "-o", to, "--node", node?.folder ?? ""];
}

function read(path: string): SignedStatement {
  const decoded = decodeBundles(readFileSync(path));
  if (!decoded.ok) throw new Error(decoded.problem);
  return decoded.value;
}

function statementIn({ payload }: SignedStatement): Statement {
  const said = decodeStatement(payload);
  if (!said.ok) throw new Error(said.problem);
  return said.value;
}

/** `otto verify` where there is no node, no key and no network. */
function verify(
  words: readonly string[],
  artifact: string = join(mesh.folder, "artifact"),
  path = file,
): Promise<Ended> {
  return mesh.otto(["verify", path, "--artifact", artifact, ...words], { home: "a-stranger" });
}

async function expectRefused(
  words: readonly string[],
  why: RegExp,
  { artifact, path }: Where = {},
): Promise<void> {
  const told = await verify(words, artifact, path);
  expect(told.stdout).toMatch(/^Not verified\. /u);
  expect(told.stdout).toMatch(why);
  expect(told).toMatchObject({ code: 1, stderr: "" });
}
type Where = { readonly artifact?: string; readonly path?: string };

function written(forged: SignedStatement): Where {
  const path = join(mesh.folder, "forged.jsonl");
  writeFileSync(path, encodeBundles(forged));
  return { path };
}

/** What is said, changed, and signed anew by whoever. */
function changed(change: (statement: Statement) => unknown): Uint8Array {
  const statement = structuredClone(statementIn(signed));
  change(statement);
  return encodeStatement(statement);
}

describe("a provenance", () => {
  it("holds for the folder that was made, and for each file of it, without a node", async () => {
    const { domain } = JSON.parse((await verify(["--json"])).stdout) as { domain: { id: string } };
    const told = await verify(["--domain", domain.id, "--run", run, "--signers", "3"]);
    expect(told).toMatchObject({ code: 0, stderr: "" });
    expect(told.stdout).toContain(`output "site" of step "build" of pipeline shop, run ${run}, attempt 1`);
    expect(told.stdout).toContain("Signed by 3 of 3 control peers of domain dev");
    expect(told.stdout).toContain("SLSA Build L1, self-assessed.");
    const one = await verify([], join(site, "js/a.js"));
    expect(one).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('"site/js/a.js" of output') as string,
    });
  });

  it("says what it was made of", () => {
    const { subject, predicate } = statementIn(signed);
    expect(subject.map(({ name }) => name)).toEqual([
      "site/",
      "site/index.html",
      "site/js/a.js",
      "site/start",
    ]);
    const { resolvedDependencies, internalParameters } = predicate.buildDefinition;
    const sha256 = expect.stringMatching(/^[0-9a-f]{64}$/u) as string;
    expect(resolvedDependencies).toEqual([
      { name: "source", digest: { sha256, gitCommit: commit } },
      { name: "base.base/", digest: { sha256 } },
    ]);
    expect(internalParameters).toEqual({ run, attempt: 1, worker: mesh.workers[0]?.peer });
  });

  it("is read by the tools of Sigstore, line by line", () => {
    const trust: TrustMaterial = {
      certificateAuthorities: [],
      timestampAuthorities: [],
      tlogs: [],
      ctlogs: [],
      publicKey: (hint) => {
        const x = Buffer.from(publicKeyOf(hint) ?? []).toString("base64url");
        const publicKey = createPublicKey({ format: "jwk", key: { kty: "OKP", crv: "Ed25519", x } });
        return { publicKey, validFor: () => true };
      },
    };
    const verifier = new Verifier(trust, { tlogThreshold: 0, ctlogThreshold: 0, timestampThreshold: 0 });
    const lines = readFileSync(file, "utf8").trim().split("\n");
    expect(lines).toHaveLength(3);
    for (const line of lines) {
      const bundle = bundleFromJSON(JSON.parse(line));
      verifier.verify(toSignedEntity(bundle));
      if (bundle.content.$case !== "dsseEnvelope") throw new Error("It is no envelope.");
      bundle.content.dsseEnvelope.payload[20] = 0x20;
      expect(() => verifier.verify(toSignedEntity(bundle))).toThrow(/signature verification failed/u);
    }
  });

  it("is given for nothing that has not passed, and for nothing that is not there", async () => {
    for (const [step, output, why] of [
      ["broken", "half", /has not passed/u],
      ["build", "other", /made no output "other"/u],
      ["none", "site", /has no step "none"/u],
    ] as const) {
      const told = await mesh.otto(provenance(first(), step, output, join(mesh.folder, "none")));
      expect(told).toMatchObject({ code: 3, stderr: expect.stringMatching(why) as string });
      expect(told.stderr).toContain("Code: OTTO_NO_PROVENANCE");
    }
  });
});

describe("a tampered artifact", () => {
  it("is told by what was changed, added, renamed, or taken away", async () => {
    writeFileSync(join(site, "js/a.js"), "evil\n");
    await expectRefused([], /"site\/js\/a.js" is not as it was made: it was changed/u);
    await expectRefused([], /It is none of the files/u, { artifact: join(site, "js/a.js") });
    writeFileSync(join(site, "js/a.js"), "code\n");
    writeFileSync(join(site, "js/b.js"), "more\n");
    await expectRefused([], /"site\/js\/b.js" is none of the files/u);
    renameSync(join(site, "js/b.js"), join(site, ".git"));
    await expectRefused([], /"site\/.git" is none of the files/u);
    rmSync(join(site, ".git"));
    renameSync(join(site, "start"), join(site, "stop"));
    await expectRefused([], /"site\/stop" is none of the files/u);
    rmSync(join(site, "stop"));
    await expectRefused([], /"site\/start" is missing/u);
  });

  it("is told when a link leads elsewhere, or another file can be executed", async () => {
    chmodSync(join(site, "js/a.js"), 0o755);
    await expectRefused([], /which of them can be executed/u);
    chmodSync(join(site, "js/a.js"), 0o644);
    rmSync(join(site, "link"));
    execFileSync("ln", ["-s", "/etc/passwd", join(site, "link")]);
    await expectRefused([], /a link is not/u);
  });

  it("is not let through by two files that are swapped", async () => {
    cpSync(join(site, "index.html"), join(site, "swap"));
    renameSync(join(site, "js/a.js"), join(site, "index.html"));
    renameSync(join(site, "swap"), join(site, "js/a.js"));
    await expectRefused([], /"site\/index.html" is not as it was made/u);
  });
});

const thief = identityOf(generateKeyPairSync("ed25519").privateKey);

describe("a forged provenance", () => {
  it("does not hold with another subject, run, source or level under the signatures that there are", async () => {
    const digest = "ab".repeat(32);
    const { signatures } = signed;
    for (const change of [
      ({ subject }: Statement) => (subject[2] = { name: "site/js/a.js", digest: { sha256: digest } }),
      ({ predicate }: Statement) => (predicate.buildDefinition.internalParameters.run = "aaaaaaaaaaaa"),
      ({ predicate }: Statement) => (predicate.buildDefinition.resolvedDependencies = []),
      ({ predicate }: Statement) => (predicate.runDetails.metadata.otto_level = "Build L3"),
    ])
      await expectRefused(
        [],
        /It was changed after it was signed/u,
        written({ payload: changed(change), signatures }),
      );
  });

  it("does not hold by a signer who is no control peer, nor by one beside those who are", async () => {
    const { payload, signatures } = signed;
    const own = { peer: thief.peer, signature: thief.sign(toBeSigned(payload)) };
    const why = new RegExp(`It is signed by ${thief.peer}, who is no control peer of the domain dev`, "u");
    await expectRefused(["--signers", "1"], why, written({ payload, signatures: [own] }));
    await expectRefused([], why, written({ payload, signatures: [...signatures, own] }));
    // Under the name of one who is.
    const { peer = "" } = signatures[0] ?? {};
    const stolen = { peer, signature: own.signature };
    await expectRefused(
      ["--signers", "1"],
      /It was changed after it was signed/u,
      written({ payload, signatures: [stolen] }),
    );
  });

  it("does not hold by one control peer alone, however often it signs", async () => {
    const { payload, signatures } = signed;
    const [one] = signatures;
    if (one === undefined) throw new Error("Nobody signed.");
    const alone = /signed by 1 of the 3 control peers of the domain dev, and 2 must have/u;
    await expectRefused([], alone, written({ payload, signatures: [one] }));
    await expectRefused([], alone, written({ payload, signatures: [one, one, one] }));
    expect(
      (await verify(["--signers", "1"], undefined, written({ payload, signatures: [one] }).path)).code,
    ).toBe(0);
    // What one of them would say alone, and the others would not.
    const node = mesh.controls.find(({ peer }) => peer === one.peer);
    const key = openIdentity(join(node?.folder ?? "", "key"));
    expect(key.peer).toBe(one.peer);
    const lie = changed(
      ({ subject }) => (subject[2] = { name: "site/js/a.js", digest: { sha256: "ab".repeat(32) } }),
    );
    const lied = { peer: key.peer, signature: key.sign(toBeSigned(lie)) };
    await expectRefused([], alone, written({ payload: lie, signatures: [lied] }));
    const mixed =
      encodeBundles({ payload: lie, signatures: [lied] }) +
      encodeBundles({ payload, signatures: signatures.slice(1) });
    const path = join(mesh.folder, "mixed.jsonl");
    writeFileSync(path, mixed);
    const told = await verify([], undefined, path);
    expect(told).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/its lines speak of different things/u) as string,
    });
  });
});

describe("a provenance in the wrong place", () => {
  it("does not hold for another domain, nor with a charter that names the thief", async () => {
    await expectRefused(["--domain", "ops"], /It is of the domain dev, [0-9a-f]{32}, and not of ops/u);
    const { charter } = await charterOfAnother();
    const payload = changed(({ predicate }) => {
      predicate.runDetails.byproducts = [{ name: "charter", content: charter }];
    });
    const own = { peer: thief.peer, signature: thief.sign(toBeSigned(payload)) };
    await expectRefused(
      [],
      /the charter in it is not signed by that domain's owner/u,
      written({ payload, signatures: [own] }),
    );
  });

  it("does not hold for another run, whose provenance is a true one", async () => {
    await expectRefused(
      ["--run", "aaaaaaaaaaaa"],
      new RegExp(`It is of run ${run}, and not of aaaaaaaaaaaa`, "u"),
    );
    const old = join(mesh.folder, "base.jsonl");
    await mesh.succeed(provenance(first(), "base", "base", old));
    await expectRefused([], /is none of the files that this provenance is of/u, { path: old });
  });

  it("is no provenance with more than one signature in a bundle, or when it is something else", async () => {
    const bundle = JSON.parse(readFileSync(file, "utf8").split("\n")[0] ?? "") as {
      dsseEnvelope: { signatures: unknown[]; payloadType: string };
    };
    const path = join(mesh.folder, "odd.jsonl");
    for (const odd of [
      { ...bundle, mediaType: "application/json" },
      { ...bundle, dsseEnvelope: { ...bundle.dsseEnvelope, payloadType: "text/plain" } },
      {
        ...bundle,
        dsseEnvelope: {
          ...bundle.dsseEnvelope,
          signatures: [...bundle.dsseEnvelope.signatures, ...bundle.dsseEnvelope.signatures],
        },
      },
    ]) {
      writeFileSync(path, JSON.stringify(odd));
      expect(await verify([], undefined, path)).toMatchObject({
        code: 2,
        stderr: expect.stringContaining("Code: OTTO_EXPORT_INVALID") as string,
      });
    }
  });
});

/** A domain that the thief has founded himself, with the same name. */
async function charterOfAnother(): Promise<{ readonly charter: string }> {
  const { sealCharter, domainId } = await import("../../protocol/membership.ts");
  const owner = identityOf(generateKeyPairSync("ed25519").privateKey);
  const controls = [{ peer: owner.peer, store: "s", addresses: [] }];
  const sizes = { version: 1, configuration: 1, size: 1, leaseMs: 1_000 } as const;
  const own = {
    otto: "charter/1",
    domain: domainId("dev", owner.peer),
    name: "dev",
    owner: owner.peer,
  } as const;
  const charter = sealCharter({ ...own, ...sizes, controls, former: [] }, owner);
  return { charter: Buffer.from(charter).toString("base64") };
}

it("is signed by those who can be asked, and says who was not", async () => {
  const [, , last] = mesh.controls;
  await last?.kill();
  const path = join(mesh.folder, "two.jsonl");
  const { stdout, stderr } = await mesh.succeed(provenance(first(), "build", "site", path));
  expect(stdout).toContain("signed by 2 of 3 control peers");
  expect(stderr).toMatch(/control peer \S+ did not sign: /u);
  expect((await verify([], undefined, path)).code).toBe(0);
  await expectRefused(["--signers", "3"], /signed by 2 of the 3 control peers/u, { path });
});
