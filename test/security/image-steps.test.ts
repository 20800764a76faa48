/** As a step whose file system is an image: nothing of the machine is in it, and nothing that it does stays in the image. */

import { existsSync, readFileSync } from "node:fs";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Assignment } from "../../node/ports.ts";
import type { StepReport } from "../../protocol/report.ts";
import type { SandboxLevel } from "../../protocol/plan.ts";
import { machineSystem } from "../node/images/machine-system.ts";
import { type LayerFile, type RegistryFixture, startRegistry } from "../node/images/registry-fixture.ts";
import { storeTree, type Surroundings } from "../node/execution/surroundings.ts";
import { canary, destinationOf, Mesh, Upstream } from "./brokered.ts";
import { isolated, missing } from "./isolated.ts";

const programs = ["sh", "ls", "cat", "id", "env"];
const marked = {
  "etc/os-release": "NAME=image\n",
  // Not even the end of a line that is added to it.
  "etc/passwd": "root:x:0:0::/root:/bin/sh",
  "opt/marker": "of the image\n",
  "srv/": { type: "Directory" },
} as const;

const isPossible =
  missing("S3") === null && [...programs, "curl"].every((name) => existsSync(`/usr/bin/${name}`));

let registry: RegistryFixture;
let upstream: Upstream;
let mesh: Mesh;
let worker: Surroundings;
let image: string;
let files: Readonly<Record<string, LayerFile>>;

beforeAll(async () => {
  if (!isPossible) return;
  [registry, upstream, mesh] = await Promise.all([
    startRegistry(),
    Upstream.start({ streams: true }),
    Mesh.start(),
  ]);
  files = { ...machineSystem(...programs, "curl"), ...marked };
  image = registry.add([files], {
    environment: ["PATH=/usr/bin", "MARK=image", "STEP=image", "OWNER=image"],
  }).text;
  worker = await isolated(
    "S3",
    {
      credentials: mesh.gateway(),
      passVariables: { PATH: "/nowhere", OWNER: "owner", http_proxy: "http://127.0.0.1:9" },
    },
    { byDefault: "S0" },
  );
});
afterAll(async () => {
  await worker?.close();
  await Promise.all([registry?.close(), upstream?.stop(), mesh?.end()]);
});
beforeEach(() => {
  if (!isPossible) return;
  mesh.reset();
  upstream.answering = (request, response) => void response.end(`served ${request.url}\n`);
});

const run = (
  commands: readonly string[],
  more: Partial<Assignment> & { readonly name?: string } = {},
): Promise<StepReport> => {
  const { name = image, ...others } = more;
  const asked = { image: { name, orHost: false }, sandbox: "S3" as SandboxLevel };
  return worker.run(commands, { ...asked, ...others });
};

describe.skipIf(!isPossible)(
  "a step in an image (skipped without bubblewrap, curl and the machine's own programs in /usr/bin)",
  () => {
    it("has the image's files, and none of the machine's", async () => {
      const report = await run(["ls /; cat /etc/os-release /opt/marker; ls /usr/bin"]);
      expect(report).toMatchObject({ outcome: "passed" });
      const [top = "", rest = ""] = report.tail.split("NAME=image\n");
      const made = ["dev", "proc", "run", "tmp", "var", worker.folder.split("/")[1] ?? ""];
      const own = Object.keys(files).map((path) => path.split("/")[0] ?? "");
      const seen = top.split("\n").filter((name) => name !== "" && !name.startsWith("[otto]"));
      expect(seen).toEqual([...new Set([...own, ...made])].toSorted());
      expect(rest).toBe(`of the image\n${["cat", "curl", "env", "id", "ls", "sh"].join("\n")}\n`);
    });

    it("reads no file of the worker's, and writes to nothing but its own folders", async () => {
      const { folder } = worker;
      const report = await run([
        `! cat ${folder}/execution/identity /etc/shadow /root/.profile 2>/dev/null`,
        "for place in /opt/marker /usr/bin/x /x /etc/passwd /.otto/x /dev/x; do ! (echo bad > $place) 2>/dev/null || exit 9; done",
        'echo good > here && echo good > "$TMPDIR/x" && echo good > "$HOME/x" && echo good > /tmp/x && cat here',
      ]);
      expect(report).toMatchObject({ outcome: "passed" });
      expect((await run(["cat /opt/marker; ls /tmp /srv"])).tail).toMatch(/^of the image$/mu);
      expect((await run(["ls /tmp"])).tail).not.toMatch(/^x$/mu);
    });

    it("has the image's variables, and those of the worker's owner and of its own above them", async () => {
      const report = await run(['echo "$MARK $OWNER $STEP $PATH$http_proxy"'], {
        variables: { STEP: "step" },
      });
      expect(report.tail).toMatch(/^image owner step \/usr\/bin$/mu);
    });

    it("is a user with a name, and not the worker's where it can be another", async () => {
      const { tail } = await run(["id -un; id -u"]);
      expect(tail).toMatch(/^otto$/mu);
      if (process.getuid?.() === 0) expect(tail).not.toMatch(/^0$/mu);
    });
  },
);

describe.skipIf(!isPossible)(
  "what a step in an image has besides (skipped without bubblewrap, curl and the machine's own programs in /usr/bin)",
  () => {
    it("uses its credential without having it, and reaches nothing else", async () => {
      const credential = await mesh.sets(destinationOf(upstream));
      const report = await run(
        [
          'curl -sS "$OTTO_CREDENTIAL_TOKEN_URL/one"',
          `! curl -sS http://127.0.0.1:${registry.host.split(":")[1] ?? ""}/ 2>/dev/null`,
        ],
        mesh.leases([credential]),
      );
      expect(report).toMatchObject({
        outcome: "passed",
        tail: expect.stringContaining("served /one\n") as string,
      });
      expect(report.tail).not.toContain(canary);
      expect(mesh.uses.map(({ what }) => what)).toEqual(["used"]);
    });

    it("runs the program of a step library by the worker's Node", async () => {
      const program = 'console.log(process.version, require("fs").readFileSync("/opt/marker", "utf8"))';
      const tree = await storeTree(worker.blobs, { "step.cjs": program });
      const library = { name: "acme", tree, entry: { any: "step.cjs" }, with: {} };
      expect((await run([], { library })).tail).toContain(`${process.version} of the image`);
    });

    it("is led nowhere by links of the image on the way to its folders", async () => {
      const odd = { type: "SymbolicLink", link: "/etc" } as const;
      const { text } = registry.add([
        machineSystem(...programs),
        {
          srv: odd,
          home: odd,
          work: odd,
          opt: odd,
        },
      ]);
      const before = readFileSync("/etc/passwd", "utf8");
      const report = await run(
        ["echo mine > here; cat here; ls -d /etc/* || true; echo bad > /srv/x || true"],
        { name: text },
      );
      expect(report).toMatchObject({ outcome: "passed", tail: expect.stringContaining("mine\n") as string });
      expect(readFileSync("/etc/passwd", "utf8")).toBe(before);
      expect(existsSync("/etc/x")).toBe(false);
      expect(report.tail).not.toContain("shadow");
    });

    it("is not begun when its image cannot be had, and says which and why", async () => {
      const gone = `${registry.host}/team/app@sha256:${"0".repeat(64)}`;
      const report = await run(["true"], { name: gone });
      expect(report.outcome).toBe("failed");
      expect(report.problem).toContain(gone);
      expect(report.commands).toEqual([]);
    });

    it("is stopped while its image is still on the way", async () => {
      const slow = await startRegistry({ answer: () => true });
      try {
        const name = `${slow.host}/team/app@sha256:${"1".repeat(64)}`;
        const id = worker.start(["true"], { image: { name, orHost: false }, sandbox: "S3" });
        worker.executor.stop(id, "cancelled");
        expect(await worker.witness.report(id)).toMatchObject({ outcome: "cancelled" });
      } finally {
        await slow.close();
      }
    });

    it("has no image where the worker itself will do and the image has no digest", async () => {
      const either = { image: { name: "image:latest", orHost: true }, sandbox: "S0" } as const;
      expect((await run(["test ! -e /opt/marker && echo here"], either)).tail).toContain("here");
      expect(registry.asked.filter(({ path }) => path.includes("latest"))).toEqual([]);
    });
  },
);

describe.skipIf(!isPossible)(
  "an image whose programs attack (skipped without bubblewrap, curl and the machine's own programs in /usr/bin)",
  () => {
    it("is not near the channel that its listeners leave by, though its shell is the image's", async () => {
      const system = machineSystem(...programs, "curl");
      const { "usr/bin/sh": shell = "", ...others } = system;
      const thief = `#!/opt/shell
for number in 4 5 6 7 8 9; do
  if (: >&$number) 2>/dev/null; then echo "near $number"; echo "no message" >&$number; fi
done
exec /opt/shell "$@"
`;
      // What Node is told here it would load into itself.
      const settings = `nodejs_conf = all
[all]
providers = some
[some]
thief = its
[its]
module = /opt/thief.so
activate = 1
`;
      const { text } = registry.add([
        {
          ...others,
          "opt/shell": shell,
          "usr/bin/sh": { type: "File", content: thief, mode: 0o755 },
          "etc/ssl/openssl.cnf": settings,
        },
      ]);
      const credential = await mesh.sets(destinationOf(upstream));
      const report = await run(['curl -sS "$OTTO_CREDENTIAL_TOKEN_URL/one"'], {
        ...mesh.leases([credential]),
        name: text,
      });
      expect(report).toMatchObject({
        outcome: "passed",
        tail: expect.stringContaining("served /one\n") as string,
      });
      expect(report.tail).not.toContain("near");
    });
  },
);
