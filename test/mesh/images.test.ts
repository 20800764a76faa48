/** A pipeline whose step has an image, on a real mesh: planned, claimed by a worker that reaches S3 alone, and run in the image. */

import { existsSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { machineSystem } from "../node/images/machine-system.ts";
import { type RegistryFixture, startRegistry } from "../node/images/registry-fixture.ts";
import { missing } from "../security/isolated.ts";
import { attemptWords } from "../../node/view/attempt.ts";
import { limits } from "../../protocol/limits.ts";
import { Mesh, type MeshNode } from "./mesh.ts";

const programs = ["sh", "cat", "mkdir"];

describe.skipIf(missing("S3") !== null || !programs.every((name) => existsSync(`/usr/bin/${name}`)))(
  "a step with an image (skipped without bubblewrap and the machine's own programs in /usr/bin)",
  () => {
    let mesh: Mesh;
    let control: MeshNode;
    let registry: RegistryFixture;
    let image: string;
    /** So many requests are sent away. */
    let busy = 0;

    beforeAll(async () => {
      registry = await startRegistry({
        asksForToken: true,
        answer: (_request, response) => {
          if (busy === 0) return false;
          busy -= 1;
          response.writeHead(429, { "retry-after": "3600" }).end();
          return true;
        },
      });
      image = registry.add([machineSystem(...programs), { "opt/marker": "of the image\n" }]).text;
      // The first worker runs steps as they are.
      mesh = await Mesh.found({ controls: 1, workers: [[], ["--sandbox", "S3"], ["--sandbox", "S3"]] });
      const [only] = mesh.controls;
      if (only === undefined) throw new Error("The mesh has no control peer.");
      control = only;
    });
    afterAll(async () => {
      await mesh?.end();
      await registry?.close();
    });

    it("runs in it on a worker that can, and hands on what it made", async () => {
      const steps = `  build:
    requires: { image: "${image}" }
    run: mkdir out && cat /opt/marker > out/made
    outputs: { made: out }
  use:
    inputs: { made: build.made }
    run: cat out/made
`;
      const repository = mesh.repository("image", steps);
      const explained = await mesh.succeed(["explain"], { folder: repository });
      expect(explained.stdout).toMatch(/isolation\s+S3 at least/u);
      const watch = control.watch(await mesh.submit(repository, control));
      expect(await watch.closed()).toBe("passed");
      expect(watch.output("use")).toBe("of the image\n");
      const { worker } = await watch.event("attempt-started", ({ step }) => step === "build");
      expect(mesh.workers.slice(1).map(({ peer }) => peer)).toContain(worker);
    });

    it("is tried again by another worker, on no account of its own, when the first cannot get its image", async () => {
      busy = 1;
      const steps = `  build:
    requires: { image: "${registry.add([machineSystem(...programs), { "opt/busy": "" }]).text}" }
    run: "true"
`;
      const watch = control.watch(await mesh.submit(mesh.repository("busy", steps), control));
      expect(await watch.closed()).toBe("passed");
      const first = await watch.event("attempt-ended", ({ attempt }) => attempt === 1);
      expect(first).toMatchObject({ cause: "unprepared", final: false });
      expect(first.report?.problem).toMatch(/answered with 429, and asks to be left alone for 3600 seconds/);
      const second = await watch.event("attempt-ended", ({ attempt }) => attempt === 2);
      expect(second).toMatchObject({ cause: "finished", final: true });
      expect(second.worker).not.toBe(first.worker);
    });

    it("ends with the platform's failure when nobody can get its image, and begins nothing", async () => {
      busy = Number.POSITIVE_INFINITY;
      const steps = `  build:
    requires: { image: "${registry.add([machineSystem(...programs), { "opt/gone": "" }]).text}" }
    run: "true"
`;
      const watch = control.watch(await mesh.submit(mesh.repository("gone", steps), control));
      expect(await watch.closed()).toBe("failed");
      busy = 0;
      const last = await watch.event("attempt-ended", ({ final }) => final);
      expect(last).toMatchObject({ cause: "unprepared", attempt: limits.unpreparedAttemptsMax });
      expect(last.report?.commands).toEqual([]);
      expect(attemptWords({ attempt: 3, started: null, ended: last, refused: [] })).toMatch(
        /^unprepared: its worker could not get what it runs in: The image .* answered with 429/,
      );
    });

    it("is refused when it is submitted, if tomorrow the image may be another one", async () => {
      const steps = `  build:\n    requires: { image: "node:24" }\n    run: "true"\n`;
      const repository = mesh.repository("tag", steps);
      const refused = await mesh.otto(["submit", "--node", control.folder], { folder: repository });
      expect(refused).toMatchObject({ code: 3, stdout: "" });
      expect(refused.stderr).toContain("name it by its digest, node:24@sha256:...");
      expect(refused.stderr).toContain("Code: OTTO_NOT_SUPPORTED");
    });
  },
);
