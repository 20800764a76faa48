// Stands for a place that hosts pages, one for each environment, in memory:
//   PUT /ENVIRONMENT, POST /ENVIRONMENT/back, GET /ENVIRONMENT, GET /ENVIRONMENT/health
// A page is healthy (200) unless it says "broken" (500); it is not known yet (503) while it says "slow".
import { createServer } from "node:http";

const pages = new Map();

const server = createServer(async (request, response) => {
  const [, environment = "", action = ""] = (request.url ?? "").split("/");
  const history = pages.get(environment) ?? [];
  pages.set(environment, history);
  const say = (status, text) => response.writeHead(status).end(`${text}\n`);
  const page = history.at(-1) ?? "";
  if (request.method === "PUT") {
    let body = "";
    for await (const chunk of request.setEncoding("utf8")) body += chunk;
    history.push(body);
    return say(200, `${environment} has a new page, number ${history.length}`);
  }
  if (action === "back") return say(history.pop() === undefined ? 404 : 200, `${environment} went back`);
  if (action === "health")
    return say(page.includes("broken") ? 500 : page.includes("slow") ? 503 : 200, "health");
  say(page === "" ? 404 : 200, page);
});
server.listen(Number(process.argv[2] ?? 8787), "127.0.0.1", () => {
  console.log(`The hosting is at http://127.0.0.1:${server.address().port}`);
});
