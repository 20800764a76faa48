/**
 * .NET: the solution at the root, or the project where there is none; restored under its locks where it has them.
 */

import { describe } from "../describe.ts";
import type { Sign } from "../describe.ts";

const signals = ["*.sln", "*.slnx", "*.csproj", "*.fsproj", "*.vbproj"];
const locks = "**/packages.lock.json";
const tests: Sign = /(^|\/)([^/]*tests?(\.[^/]+)?|tests?\/.*)\.(cs|fs|vb)proj$/i;
const newRunner: Sign = { file: "global.json", says: /"runner"\s*:\s*"Microsoft\.Testing\.Platform"/ };

export const dotnet = describe({
  ecosystem: ".NET",
  slug: "dotnet",
  signals,
  oneOf: "*.sln",
  toolchains: [
    {
      title: "the .NET SDK",
      names: ["dotnet", "dotnet-core"],
      files: [{ file: "global.json", says: /"sdk"\s*:\s*\{[^{}]*?"version"\s*:\s*"([^"\n]+)"/ }],
    },
  ],
  lock: { files: [locks] },
  install: [
    { on: ".config/dotnet-tools.json", run: "dotnet tool restore", reason: "names tools" },
    {
      on: signals,
      run: "dotnet restore {signal}",
      lockedRun: "dotnet restore {signal} --locked-mode",
      reason: "names the packages",
    },
  ],
  caches: [{ name: "nuget", paths: ["~/.nuget/packages"] }],
  keys: ["**/*.csproj", "**/*.fsproj", "**/*.vbproj", "**/Directory.Packages.props", "global.json"],
  build: [{ on: signals, run: "dotnet build {signal} --no-restore", reason: "describes what is built" }],
  test: [
    {
      on: newRunner,
      run: "dotnet test --solution {signal} --no-build",
      reason: "chooses Microsoft.Testing.Platform",
      needs: { on: [tests], or: "there is no test project" },
    },
    { on: tests, run: "dotnet test {signal} --no-build", reason: "has test projects", otherwise: true },
  ],
  untested: "has no test project",
});
