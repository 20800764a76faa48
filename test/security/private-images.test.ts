/**
 * The attacker has a worker, or a step on one, and wants an image that its registry gives to few. A step that has a credential for that
 * registry runs in it: the worker is given the image by way of the broker, never the credential, and nobody else is given it.
 */

import { existsSync, readdirSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { StepCredential } from "../../protocol/plan.ts";
import type { StepReport } from "../../protocol/report.ts";
import { machineSystem } from "../node/images/machine-system.ts";
import { type RegistryFixture, startRegistry } from "../node/images/registry-fixture.ts";
import type { Surroundings } from "../node/execution/surroundings.ts";
import { canary, destinationOf, Mesh, Upstream } from "./brokered.ts";
import { isolated, missing } from "./isolated.ts";

const programs = ["sh", "cat"];
const isPossible = missing("S3") === null && programs.every((name) => existsSync(`/usr/bin/${name}`));
const password = `Basic ${Buffer.from(`robot:${canary}`).toString("base64")}`;
const token = "token-of-the-registry-1234";

let content: RegistryFixture;
let upstream: Upstream;
let mesh: Mesh;
let worker: Surroundings;
let image = "";
/** Whether it sends on whoever wants a layer. */
let sendsOn = false;
/** What the registry was asked for, and by whom. */
let asked: { readonly url: string; readonly by: string | undefined }[] = [];

beforeAll(async () => {
  if (!isPossible) return;
  [content, upstream, mesh] = await Promise.all([
    startRegistry(),
    Upstream.start({ streams: true, tls: false }),
    Mesh.start(),
  ]);
  worker = await isolated("S3", { credentials: mesh.gateway() }, { byDefault: "S0" });
});
afterAll(async () => {
  await worker?.close();
  await Promise.all([content?.close(), upstream?.stop(), mesh?.end()]);
});
let made = 0;
beforeEach(() => {
  if (!isPossible) return;
  made += 1;
  sendsOn = false;
  asked = [];
  const files = { ...machineSystem(...programs), "opt/marker": "of the private image\n", made: String(made) };
  image = content.add([files]).text.replace(content.host, `localhost:${upstream.port}`);
  upstream.answering = (request, response) => {
    const { url = "", headers } = request;
    asked.push({ url, by: headers.authorization });
    if (url.startsWith("/token"))
      return void response
        .writeHead(headers.authorization === password ? 200 : 401)
        .end(JSON.stringify({ token, expires_in: 300 }));
    if (headers.authorization !== `Bearer ${token}`) {
      const realm = `Bearer realm="http://localhost:${upstream.port}/token",service="registry"`;
      return void response.writeHead(401, { "www-authenticate": realm }).end();
    }
    if (sendsOn && url.includes("/blobs/"))
      return void response.writeHead(307, { location: `http://${content.host}${url}` }).end();
    void answerOf(request).then(async (answer) => {
      response.writeHead(answer.status, Object.fromEntries(answer.headers));
      response.end(Buffer.from(await answer.arrayBuffer()));
    });
  };
});
afterEach(() => mesh?.reset());

function answerOf({ url = "" }: IncomingMessage): Promise<Response> {
  return url === "/v2/" ? Promise.resolve(new Response("{}")) : fetch(`http://${content.host}${url}`);
}

async function credential(): Promise<StepCredential> {
  const slot = { header: "authorization", before: "Basic ", user: "robot" };
  const destination = destinationOf(upstream, {
    methods: ["GET", "HEAD"],
    paths: ["/v2/**"],
    slot,
    scheme: "http",
  });
  return mesh.sets(destination, { kind: "oci", to: `http://localhost:${upstream.port}` });
}

function run(credentials: readonly StepCredential[], name = image): Promise<StepReport> {
  const own = { image: { name, orHost: false }, sandbox: "S3" } as const;
  return worker.run(["cat /opt/marker"], { ...mesh.leases(credentials), ...own });
}

const layersAsked = (): number => asked.filter(({ url }) => url.includes("/blobs/")).length;

describe.skipIf(!isPossible)(
  "an image that its registry gives to few (skipped without bubblewrap and the machine's own programs in /usr/bin)",
  () => {
    it("is brought for a step that has a credential for it, by the broker, and each use is in the book", async () => {
      const report = await run([await credential()]);
      expect(report, report.problem).toMatchObject({ outcome: "passed" });
      expect(report.tail).toContain("of the private image");
      expect(report.tail).not.toContain(canary);
      // The registry heard the password where it gives tokens, and from nobody but the broker.
      expect(new Set(asked.map(({ by }) => by))).toEqual(new Set([undefined, password, `Bearer ${token}`]));
      expect(mesh.uses.map(({ what, secret }) => ({ what, secret }))).toContainEqual({
        what: "used",
        secret: "token",
      });
      expect(mesh.uses.length).toBeGreaterThanOrEqual(4);
    });

    it("is not there for a step without, though this worker has it, and that step is to blame", async () => {
      expect(await run([await credential()])).toMatchObject({ outcome: "passed" });
      const report = await run([]);
      expect(report).toMatchObject({ outcome: "failed", commands: [] });
      expect(report.problem).toMatch(/its registry localhost:\d+ .*(?:password|everybody)/);
      expect(report.unprepared).toBeUndefined();
    });

    it("is not there for a step whose credential is not for that registry", async () => {
      const other = { ...(await credential()), to: "registry.example.org" };
      expect(await run([other])).toMatchObject({ outcome: "failed", commands: [] });
      const exposed = { ...(await credential()), expose: "file" } as const;
      expect(await run([exposed])).toMatchObject({ outcome: "failed", commands: [] });
      expect(asked.every(({ by }) => by === undefined)).toBe(true);
    });

    it("is asked about each time, and its layers only once", async () => {
      expect(await run([await credential()])).toMatchObject({ outcome: "passed" });
      const layers = layersAsked();
      expect(await run([await credential()])).toMatchObject({ outcome: "passed" });
      expect(layersAsked()).toBe(layers);
    });

    it("is not there for a step that has not passed its gate, though this worker has it", async () => {
      expect(await run([await credential()])).toMatchObject({ outcome: "passed" });
      mesh.unpermitted = "The gate of this step is closed.";
      const report = await run([await credential()]);
      expect(report).toMatchObject({ outcome: "failed", commands: [] });
      expect(report.problem).toContain("does not give it to whoever has the credential token (403)");
    });

    it("is brought for the one and not for the other when both want it at once", async () => {
      const own = { image: { name: image, orHost: false }, sandbox: "S3" } as const;
      const leased = mesh.leases([await credential()]);
      const ids = [
        worker.start(["true"], { ...leased, ...own, credentials: [] }),
        worker.start(["true"], { ...leased, ...own }),
        worker.start(["true"], { ...leased, ...own, credentials: [] }),
      ];
      const reports = await Promise.all(ids.map((id) => worker.witness.report(id)));
      expect(reports.map(({ outcome }) => outcome)).toEqual(["failed", "passed", "failed"]);
    });

    it("may come from elsewhere, where the registry sends on, and no credential goes there", async () => {
      sendsOn = true;
      const before = content.asked.length;
      const report = await run([await credential()]);
      expect(report, report.problem).toMatchObject({ outcome: "passed" });
      const there = content.asked.slice(before).filter(({ path }) => path.includes("/blobs/"));
      expect(there.length).toBeGreaterThan(0);
      for (const { headers } of there) expect(headers.authorization).toBeUndefined();
    });

    it("leaves no way to the broker behind", async () => {
      await run([await credential()]);
      expect(readdirSync(join(worker.folder, "execution", "ways"))).toEqual([]);
    });
  },
);
