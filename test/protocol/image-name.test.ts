import { describe, expect, it } from "vitest";
import { parseImageName } from "../../protocol/image-name.ts";

const sha256 = "0123456789abcdef".repeat(4);
const at = `@sha256:${sha256}`;

describe("the name of an image", () => {
  it.each([
    ["node", "docker.io", "library/node"],
    ["node:24-slim", "docker.io", "library/node"],
    ["docker.io/node:24", "docker.io", "library/node"],
    ["team/app", "docker.io", "team/app"],
    ["registry.example.org/team/app:1.2", "registry.example.org", "team/app"],
    ["registry.example.org:5000/app", "registry.example.org:5000", "app"],
    ["localhost/app", "localhost", "app"],
    ["localhost:5000/a/b_c/d-e", "localhost:5000", "a/b_c/d-e"],
    ["127.0.0.1:5000/app", "127.0.0.1:5000", "app"],
    ["[::1]:5000/app", "[::1]:5000", "app"],
    ["registry:5000/app", "registry:5000", "app"],
  ])("%s is %s's %s", (name, registry, repository) => {
    expect(parseImageName(name + at)).toEqual({ registry, repository, sha256 });
  });

  it.each([
    ["nothing", ""],
    ["no digest", "node:24"],
    ["a digest alone", at],
    ["another digest", `node@sha512:${sha256}`],
    ["a short digest", `node${at.slice(0, -1)}`],
    ["two digests", `node${at}${at}`],
    ["upper case", `Node${at}`],
    ["a way up", `registry.example.org/../app${at}`],
    ["an empty part", `registry.example.org//app${at}`],
    ["a question", `registry.example.org/app?x=1${at}`],
    ["a user", `user:secret@registry.example.org/app${at}`],
    ["an empty tag", `node:${at}`],
    ["far too much", `${"a".repeat(500)}${at}`],
  ])("is refused with %s", (_, name) => {
    expect(parseImageName(name)).toBeNull();
  });
});
