import { describe, expect, it } from "vitest";
import {
  choosePassVariables,
  looksLikeCredential,
  passedVariables,
} from "../../../node/edge/execution/pass-variables.ts";

describe("the variables that a worker passes to its steps", () => {
  const nothingThere = (): boolean => false;

  it("are the places of tools and the way to the network, and nothing else", () => {
    const environment = {
      PATH: "/usr/bin",
      JAVA_HOME: "/opt/jdk",
      JAVA_21_HOME: "/opt/jdk21",
      https_proxy: "http://proxy:3128",
      HOME: "/home/ann",
      EDITOR: "vi",
      OTTO_EXECUTION: "/x:1/",
    };
    expect(choosePassVariables(environment, nothingThere)).toEqual({
      PATH: "/usr/bin",
      JAVA_HOME: "/opt/jdk",
      JAVA_21_HOME: "/opt/jdk21",
      https_proxy: "http://proxy:3128",
    });
  });

  it("never hold a credential in an address, whatever the variable is called", () => {
    const environment = {
      https_proxy: "http://ann:secret@proxy:3128",
      HTTP_PROXY: "ann:secret@proxy:3128",
      PIP_INDEX_URL: "https://__token__:pypi-abc@pypi.example.org/simple",
      GOPROXY: "https://ann:pw@goproxy.example.org,direct",
      PIP_EXTRA_INDEX_URL: "https://a.example.org/simple https://u:p@b.example.org/simple",
    };
    expect(choosePassVariables(environment, nothingThere)).toEqual({});
  });

  it("never have a name that a credential would have, even where the table allows any ending", () => {
    const environment = {
      CARGO_REGISTRIES_OURS_INDEX: "sparse+https://crates.example.org/",
      BUNDLE_MIRROR__AUTH_TOKEN: "x",
      NPM_TOKEN: "x",
      AWS_SECRET_ACCESS_KEY: "x",
    };
    expect(Object.keys(choosePassVariables(environment, nothingThere))).toEqual([
      "CARGO_REGISTRIES_OURS_INDEX",
    ]);
    for (const name of ["GITHUB_TOKEN", "DB_PASSWORD", "API_KEY", "SSH_PRIVATE_KEY", "npm_config__auth"]) {
      expect(looksLikeCredential(name, "x"), name).toBe(true);
    }
  });

  it("say where a tool is that finds itself in the home folder, when it is there", () => {
    const chosen = choosePassVariables(
      { HOME: "/home/ann", PYENV_ROOT: "/opt/pyenv" },
      (path) => path === "/home/ann/.rustup" || path === "/home/ann/.pyenv",
    );
    expect(chosen).toEqual({ PYENV_ROOT: "/opt/pyenv", RUSTUP_HOME: "/home/ann/.rustup" });
  });

  it("are a table in which no name stands twice", () => {
    const names = passedVariables.flatMap((row) => row.names);
    expect(new Set(names).size).toBe(names.length);
  });
});
