/** A pipeline whose step has an image, on a real mesh: planned, claimed by a worker that reaches S3 alone, and run in the image. */

import { existsSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { machineSystem } from "../node/images/machine-system.ts";
import { type RegistryFixture, startRegistry } from "../node/images/registry-fixture.ts";
import { missing } from "../security/isolated.ts";
import { Mesh, type MeshNode } from "./mesh.ts";

const programs = ["sh", "cat", "mkdir"];

describe.skipIf(missing("S3") !== null || !programs.every((name) => existsSync(`/usr/bin/${name}`)))(
  "a step with an image (skipped without bubblewrap and the machine's own programs in /usr/bin)",
  () => {
    let mesh: Mesh;
    let control: MeshNode;
    let registry: RegistryFixture;
    let image: string;

    beforeAll(async () => {
      registry = await startRegistry({ asksForToken: true });
      image = registry.add([machineSystem(...programs), { "opt/marker": "of the image\n" }]).text;
      // The first worker runs steps as they are.
      mesh = await Mesh.found({ controls: 1, workers: [[], ["--sandbox", "S3"]] });
      const [only] = mesh.controls;
      if (only === undefined) throw new Error("The mesh has no control peer.");
      control = only;
    });
    afterAll(async () => {
      await mesh?.end();
      await registry?.close();
    });

    it("runs in it on the worker that can, and hands on what it made", async () => {
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
      expect(worker).toBe(mesh.workers[1]?.peer);
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
