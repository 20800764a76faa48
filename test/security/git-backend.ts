/** A git server over http that wants a password: git's own backend behind a server of Node's. */

import { spawn } from "node:child_process";
import type { IncomingMessage, ServerResponse } from "node:http";
import { canary } from "./brokered.ts";

/** `git http-backend`, which wants the password that only the broker has. */
export function serveGit(root: string, request: IncomingMessage, response: ServerResponse): void {
  const expected = `Basic ${Buffer.from(`x-access-token:${canary}`).toString("base64")}`;
  if (request.headers.authorization !== expected) return void response.writeHead(401).end();
  const { pathname, search } = new URL(request.url ?? "", "http://x");
  const { PATH = "" } = process.env;
  const {
    "content-type": type = "",
    "content-encoding": coding = "",
    "git-protocol": protocol = "",
  } = request.headers;
  const backend = spawn("git", ["http-backend"], {
    env: {
      PATH,
      GIT_PROJECT_ROOT: root,
      GIT_HTTP_EXPORT_ALL: "1",
      PATH_INFO: pathname,
      QUERY_STRING: search.slice(1),
      REQUEST_METHOD: request.method ?? "",
      CONTENT_TYPE: type,
      HTTP_CONTENT_ENCODING: coding,
      GIT_PROTOCOL: String(protocol),
    },
  });
  request.pipe(backend.stdin);
  backend.stdin.on("error", () => undefined);
  const chunks: Buffer[] = [];
  backend.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
  backend.stdout.on("end", () => {
    const answer = Buffer.concat(chunks);
    const at = answer.indexOf("\r\n\r\n");
    const headers = answer
      .subarray(0, at)
      .toString()
      .split("\r\n")
      .map((line) => line.split(": ") as [string, string]);
    const status = headers.find(([name]) => name === "Status")?.[1] ?? "200";
    response.writeHead(
      Number.parseInt(status, 10),
      Object.fromEntries(headers.filter(([name]) => name !== "Status")),
    );
    response.end(answer.subarray(at + 4));
  });
}
