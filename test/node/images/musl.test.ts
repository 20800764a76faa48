/** An image without the C library that this machine's programs are made for: Otto's own run in it all the same. */

import { existsSync, readdirSync, readFileSync, realpathSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { canary, destinationOf, Mesh, Upstream } from "../../security/brokered.ts";
import { isolated, missing } from "../../security/isolated.ts";
import { storeTree, type Surroundings } from "../execution/surroundings.ts";
import { type LayerFile, type RegistryFixture, startRegistry } from "./registry-fixture.ts";

const loader = (existsSync("/lib") ? readdirSync("/lib") : []).find((name) =>
  /^ld-musl-.*\.so\.1$/.test(name),
);
const busybox = "/bin/busybox";
/** Made by itself, of no library at all. */
const isStatic = existsSync(busybox) && !readFileSync(busybox).includes("/ld-linux");

describe.skipIf(missing("S3") !== null || loader === undefined || !isStatic)(
  "a step in an image of musl (skipped without bubblewrap, busybox-static and musl)",
  () => {
    let registry: RegistryFixture;
    let upstream: Upstream;
    let mesh: Mesh;
    let worker: Surroundings;
    let image: { readonly name: string; readonly orHost: false };

    beforeAll(async () => {
      [registry, upstream, mesh] = await Promise.all([
        startRegistry(),
        Upstream.start({ streams: true }),
        Mesh.start(),
      ]);
      upstream.answering = (request, response) => void response.end(`served ${request.url}\n`);
      worker = await isolated("S3", { credentials: mesh.gateway() }, { byDefault: "S0" });
      const links = ["sh", "cat", "ls", "id", "wget", "head"].map((name): [string, LayerFile] => [
        `bin/${name}`,
        { type: "SymbolicLink", link: "busybox" },
      ]);
      const files: [string, LayerFile][] = [
        ["bin/busybox", { content: readFileSync(busybox), mode: 0o755 }],
        ...links,
        [`lib/${loader}`, { content: readFileSync(realpathSync(`/lib/${loader}`)), mode: 0o755 }],
      ];
      // Where programs of musl find their libraries, and where none of this machine's may.
      const environment = ["PATH=/bin", "LD_LIBRARY_PATH=/lib"];
      image = { name: registry.add([files], { environment }).text, orHost: false };
    });
    afterAll(async () => {
      await worker?.close();
      await Promise.all([registry?.close(), upstream?.stop(), mesh?.end()]);
    });

    it("runs its commands, and has no other library", async () => {
      const report = await worker.run([`ls /lib /bin; /lib/${loader} 2>&1 | head -n 1; id -un`], {
        image,
        sandbox: "S3",
      });
      expect(report, report.tail).toMatchObject({ outcome: "passed" });
      expect(report.tail).toMatch(/^musl libc \(.*\)$/mu);
      expect(report.tail).toMatch(/^otto$/mu);
      expect(report.tail).not.toContain("ld-linux");
    });

    it("runs the program of a step library by the worker's Node", async () => {
      const tree = await storeTree(worker.blobs, {
        "step.cjs": "console.log(process.version, require('fs').readdirSync('/lib').join())",
      });
      const library = { name: "acme", tree, entry: { any: "step.cjs" }, with: {} };
      const report = await worker.run([], { image, sandbox: "S3", library });
      expect(report.tail).toContain(`${process.version} ${loader}`);
    });

    it("uses its credential", async () => {
      const credential = await mesh.sets(destinationOf(upstream));
      const report = await worker.run(['wget -qO- "$OTTO_CREDENTIAL_TOKEN_URL/one"'], {
        ...mesh.leases([credential]),
        image,
        sandbox: "S3",
      });
      expect(report, report.tail).toMatchObject({ outcome: "passed" });
      expect(report.tail).toContain("served /one");
      expect(report.tail).not.toContain(canary);
    });
  },
);
