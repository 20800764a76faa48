/** A server for the benchmark of the broker, in a process of its own: says its port and its authority, then answers. */

import { Upstream } from "../security/brokered.ts";

const piece = Buffer.alloc(64 * 1024, "x");
const upstream = await Upstream.start({ streams: true });
upstream.answering = (request, response) => {
  const bytes = Number(new URL(request.url ?? "", "http://x").searchParams.get("bytes") ?? "2");
  if (request.method === "POST") {
    let taken = 0;
    request.on("data", (chunk: Buffer) => (taken += chunk.length));
    return void request.on("end", () => response.end(String(taken)));
  }
  response.setHeader("content-length", bytes);
  let left = bytes;
  const pump = (): void => {
    while (left > 0) {
      const chunk = left >= piece.length ? piece : piece.subarray(0, left);
      left -= chunk.length;
      if (!response.write(chunk)) return void response.once("drain", pump);
    }
    response.end();
  };
  pump();
};
process.stdout.write(`${JSON.stringify({ port: upstream.port, authority: upstream.authority })}\n`);
process.stdin.resume();
process.stdin.on("end", () => void upstream.stop().then(() => process.exit(0)));
