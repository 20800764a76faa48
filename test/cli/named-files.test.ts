import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { jsonNamed, readNamed, writeNamed } from "../../cli/named-files.ts";
import { errorOf } from "./error-of.ts";

const folder = mkdtempSync(join(tmpdir(), "otto-named-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const unread = { state: "Nothing was signed.", next: "Name another." };

it("a file that is not there is a mistake that says what became of the command", async () => {
  const path = join(folder, "nowhere", "file");
  const error = await errorOf(Promise.resolve().then(() => readNamed(path, unread)));
  expect(error).toMatchObject({ code: "OTTO_FILE_UNREADABLE", ...unread });
  expect(await errorOf(Promise.resolve().then(() => writeNamed(path, "text")))).toMatchObject({
    code: "OTTO_FILE_UNREADABLE",
  });
});

it("what is no JSON is read as nothing", () => {
  const path = join(folder, "half.json");
  writeFileSync(path, '{"otto":');
  expect(jsonNamed(path, unread)).toBeNull();
});

it("what others are not to read is written so", () => {
  const path = join(folder, "secret");
  writeNamed(path, "text", 0o600);
  expect(readFileSync(path, "utf8")).toBe("text");
  expect(statSync(path).mode & 0o777).toBe(0o600);
});
