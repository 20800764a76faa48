/** A request of HTTP by a local socket, whose answer is as `fetch` gives it: by that a broker is asked which has the credential. */

import { request } from "node:http";
import { Readable } from "node:stream";

const withoutBody = [204, 205, 304];

export async function askBySocket(
  socketPath: string,
  url: URL,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<Response> {
  return new Promise((resolve, reject) => {
    const path = `${url.pathname}${url.search}`;
    const asking = request(
      { socketPath, path, headers: { ...headers, host: url.host }, signal },
      (answer) => {
        const { statusCode: status = 0, rawHeaders } = answer;
        const said = new Headers();
        for (let at = 0; at + 1 < rawHeaders.length; at += 2)
          said.append(rawHeaders[at] ?? "", rawHeaders[at + 1] ?? "");
        const body = withoutBody.includes(status) ? null : (Readable.toWeb(answer) as ReadableStream);
        resolve(new Response(body, { status, headers: said }));
      },
    );
    asking.once("error", reject);
    asking.end();
  });
}
