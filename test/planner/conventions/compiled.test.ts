import { describe, expect, test } from "vitest";

import { commandsOf, detect, find, planOf, sentences } from "./fixture.ts";

describe("a Go repository", () => {
  const module = { "go.mod": "module example.org/cart/v2\n\ngo 1.24\n", "cart.go": "", "cart_test.go": "" };

  test("is built, vetted and tested", () => {
    expect(commandsOf(module)).toEqual({ test: ["go build ./...", "go vet ./...", "go test ./..."] });
    expect(planOf(module).pipeline).toBe("cart");
  });

  test("without tests is built and vetted, and says so", () => {
    const files = { "go.mod": module["go.mod"], "cart.go": "" };
    expect(commandsOf(files)).toEqual({ build: ["go build ./...", "go vet ./..."] });
    expect(find(files).pipeline.steps[0]?.reason).toContain("no tests found");
  });

  test("that is a workspace goes through its modules", () => {
    expect(commandsOf({ "go.work": "go 1.24\nuse ./a\n", "a/a_test.go": "" })["test"]?.at(-1)).toBe(
      "go test $(go list -m -f '{{.Dir}}/...')",
    );
  });

  test("is linted only by a tool that it names itself", () => {
    const configured = { ...module, ".golangci.yml": "" };
    expect(Object.keys(commandsOf(configured))).toEqual(["test"]);
    expect(sentences(find(configured).rejected)[0]).toContain(".golangci.yml is not used");
    const named = `${module["go.mod"]}tool github.com/golangci/golangci-lint/v2/cmd/golangci-lint\n`;
    expect(commandsOf({ ...configured, "go.mod": named })["lint"]).toEqual(["go tool golangci-lint run"]);
  });

  test("says what vouches for its dependencies", () => {
    const said = (files: Record<string, string>) => sentences(find({ ...module, ...files }).matches)[0];
    expect(said({})).toBe("Go: go.mod requires no other module");
    expect(said({ "go.sum": "" })).toBe("Go: go.sum locks the dependencies");
    expect(said({ "vendor/modules.txt": "" })).toBe("Go: vendor/ brings the dependencies along");
    expect(said({ "go.mod": "module a\nrequire b v1.0.0\n" })).toContain("no go.sum");
  });
});

describe("a Rust repository", () => {
  const crate = '[package]\nname = "cart"\n';

  test.each([
    [{ "Cargo.toml": crate }, "cargo test"],
    [{ "Cargo.toml": crate, "Cargo.lock": "" }, "cargo test --locked"],
    [{ "Cargo.toml": '[workspace]\nmembers = ["a"]\n', "Cargo.lock": "" }, "cargo test --workspace --locked"],
  ])("%j is tested by %s", (files, command) => {
    expect(commandsOf(files)).toEqual({ test: [command] });
  });

  test("is formatted and linted as it says itself", () => {
    const files = {
      "Cargo.toml": `${crate}[lints.clippy]\npedantic = "warn"\n`,
      "rustfmt.toml": "max_width = 79\n",
    };
    expect(commandsOf(files)["lint"]).toEqual(["cargo fmt --all --check", "cargo clippy --all-targets"]);
  });

  test("is not formatted when that needs a nightly compiler", () => {
    const files = { "Cargo.toml": crate, "rustfmt.toml": 'imports_granularity = "Crate"\n' };
    expect(Object.keys(commandsOf(files))).toEqual(["test"]);
    expect(sentences(find(files).rejected)[0]).toContain("only a nightly rustfmt follows");
  });
});

describe("a Maven or Gradle repository", () => {
  const pom = "<project><parent><artifactId>up</artifactId></parent><artifactId>cart</artifactId></project>";
  const mavenWrapper = { mvnw: "", ".mvn/wrapper/maven-wrapper.properties": "" };
  const gradleWrapper = { gradlew: "", "gradle/wrapper/gradle-wrapper.jar": "" };
  const tests = { "src/test/java/CartTest.java": "" };

  test("is verified by Maven, its wrapper first", () => {
    const verify = "--batch-mode --no-transfer-progress verify";
    expect(commandsOf({ "pom.xml": pom, ...tests })).toEqual({ test: [`mvn ${verify}`] });
    expect(commandsOf({ "pom.xml": pom, ...tests, ...mavenWrapper })).toEqual({ test: [`./mvnw ${verify}`] });
    expect(planOf({ "pom.xml": pom, ...tests }).pipeline).toBe("cart");
  });

  test.each(["build.gradle", "build.gradle.kts"])("with %s is built by Gradle, its wrapper first", (file) => {
    expect(commandsOf({ [file]: "", ...tests })).toEqual({ test: ["gradle --no-daemon build"] });
    expect(commandsOf({ [file]: "", ...tests, ...gradleWrapper })).toEqual({
      test: ["./gradlew --no-daemon build"],
    });
  });

  test("does not use a wrapper that is not whole", () => {
    const files = { "build.gradle": "", gradlew: "", ...tests };
    expect(commandsOf(files)).toEqual({ test: ["gradle --no-daemon build"] });
    expect(sentences(find(files).rejected)[0]).toContain("gradle-wrapper.jar is missing");
  });

  test("with both is built by the one that brings its wrapper, by Maven if that decides nothing", () => {
    const both = { "pom.xml": pom, "build.gradle": "", ...tests };
    expect(commandsOf(both)["test"]?.[0]).toMatch(/^mvn /);
    expect(commandsOf({ ...both, ...gradleWrapper })["test"]?.[0]).toMatch(/^\.\/gradlew /);
    expect(commandsOf({ ...both, ...gradleWrapper, ...mavenWrapper })["test"]?.[0]).toMatch(/^\.\/mvnw /);
    expect(sentences(find(both).rejected)).toEqual([
      "Gradle: build.gradle builds the same sources as pom.xml",
    ]);
  });

  test("without tests is a build, and says so", () => {
    expect(find({ "pom.xml": pom }).pipeline.steps[0]).toMatchObject({ name: "build" });
    expect(find({ "pom.xml": pom }).pipeline.steps[0]?.reason).toContain("no tests found");
  });
});

describe("a repository with a Makefile alone", () => {
  test.each([
    ["ci:\n\t./all\ntest:\n\t./t\n", { ci: ["make ci"] }],
    ["all: a.o\ntest: all\n\t./t\n", { test: ["make test"] }],
    ["all: a.o\ntest:\n\t./t\n", { test: ["make all", "make test"] }],
    ["check: a.o\n\t./t\n", { test: ["make check"] }],
    [".PHONY: build\nbuild:\n\tcc a.c\n", { build: ["make build"] }],
  ])("%j gives %j", (Makefile, steps) => {
    expect(commandsOf({ Makefile })).toEqual(steps);
  });

  test("is configured first where configure makes the Makefile", () => {
    const files = {
      configure: "",
      "Makefile.in": "all: a\ntest: all\n",
      Makefile: "all:\n\techo Configure first.\n",
    };
    expect(commandsOf(files)).toEqual({ test: ["./configure", "make test"] });
  });

  test("runs no first target that may do anything", () => {
    expect(detect({ Makefile: "deploy:\n\t./deploy\n" }).kind).toBe("nothing");
  });

  test("takes a variable for no target", () => {
    expect(detect({ Makefile: "test := ./t\nci ::= x\nall = y\nbuild ?= z\n" }).kind).toBe("nothing");
  });
});
