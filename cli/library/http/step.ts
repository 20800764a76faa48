/** `otto/http`: makes one HTTP request and holds the answer to a status. */

import { appendFileSync, createWriteStream, mkdirSync, readFileSync } from "node:fs";
import { dirname, relative, resolve, sep } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";

type With = {
  readonly url: string;
  readonly method: string;
  readonly headers: string;
  readonly body: string;
  readonly status: number;
  readonly to: string;
  readonly within: number;
};

function fail(why: string): never {
  console.error(why);
  process.exit(1);
}

/** What went wrong below: `fetch failed` alone helps nobody. */
function wordsOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message;
}

function headersOf(text: string): Headers {
  const headers = new Headers();
  for (const line of text.split("\n").filter((other) => other.trim() !== "")) {
    const colon = line.indexOf(":");
    if (colon < 1) fail(`"${line}" is no header: write "Name: value".`);
    headers.append(line.slice(0, colon).trim(), line.slice(colon + 1).trim());
  }
  return headers;
}

const { with: given } = JSON.parse(readFileSync(process.env["OTTO_WITH"] ?? "", "utf8")) as { with: With };
const { url, method, body, to } = given;
const inside = relative(process.cwd(), resolve(to));
if (inside === ".." || inside.startsWith(`..${sep}`)) fail(`${to} is outside of the workspace.`);

try {
  const response = await fetch(url, {
    method,
    headers: headersOf(given.headers),
    signal: AbortSignal.timeout(given.within * 1_000),
    ...(body === "" ? {} : { body }),
  });
  const { status } = response;
  if (to !== "" && response.body !== null) {
    mkdirSync(dirname(resolve(to)), { recursive: true });
    await pipeline(Readable.fromWeb(response.body), createWriteStream(to));
  } else await response.body?.cancel();
  const values = process.env["OTTO_VALUES"];
  if (values !== undefined) appendFileSync(values, `status=${status}\n`);
  const wanted = given.status === 0 ? "200 to 299" : String(given.status);
  if (given.status === 0 ? !response.ok : status !== given.status) {
    fail(`${method} ${url} answered ${status}, and ${wanted} was wanted.`);
  }
  console.log(`${method} ${url} answered ${status}`);
} catch (error) {
  fail(`${method} ${url} was not answered: ${wordsOf(error)}`);
}
