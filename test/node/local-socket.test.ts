import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { DataFolder } from "../../node/edge/data-folder.ts";
import { connectLocally, listenLocally } from "../../node/edge/local-socket.ts";

const folder = mkdtempSync(join(tmpdir(), "otto-socket-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A data folder whose path is so long that no socket fits into it. */
function longFolder(name: string): DataFolder {
  const path = join(folder, "long".repeat(30), name);
  mkdirSync(path, { recursive: true });
  return new DataFolder(path);
}

it("is in the data folder when its path fits into a socket address", () => {
  expect(new DataFolder("/srv/otto").socket).toBe("/srv/otto/socket");
});

it("is found in a long path whatever TMPDIR says, by a node and by whoever asks it", async () => {
  const { TMPDIR } = process.env;
  const data = longFolder("node");
  const server = await listenLocally(data.socket, (channel) => channel.abort());
  try {
    process.env["TMPDIR"] = join(folder, "elsewhere");
    const channel = await connectLocally(new DataFolder(data.path).socket);
    channel.abort();
  } finally {
    if (TMPDIR === undefined) delete process.env["TMPDIR"];
    else process.env["TMPDIR"] = TMPDIR;
    await new Promise((resolve) => server.close(resolve));
  }
});

it("is refused in a folder that somebody else made in its user's name", async () => {
  const notOurs = `/tmp/otto-${userInfo().uid + 1_000_000 + process.pid}`;
  mkdirSync(notOurs, { mode: 0o700 });
  try {
    const refused = { code: "OTTO_DATA_FOLDER_INVALID" };
    await expect(connectLocally(join(notOurs, "node.sock"))).rejects.toMatchObject(refused);
    await expect(listenLocally(join(notOurs, "node.sock"), () => undefined)).rejects.toMatchObject(refused);
  } finally {
    rmSync(notOurs, { recursive: true });
  }
});
