/**
 * One small repository for every ecosystem that is known, with what is run in it: `ecosystems.test.ts` holds the
 * detection to it, and `pipeline-file.test.ts` plans every one of them.
 */

import { packageJson } from "./fixture.ts";
import type { Files } from "./fixture.ts";

export type Example = {
  readonly ecosystem: string;
  readonly files: Files;
  readonly steps: Readonly<Record<string, readonly string[]>>;
  /** `name: paths < key files` of the caches of all steps. */
  readonly caches: readonly string[];
  /** Among what counts. */
  readonly counts: readonly string[];
  /** Everything that is set aside. */
  readonly aside?: readonly string[];
};

const unlocked = (file: string, lock: string): string =>
  `${file} has no ${lock} beside it, so versions may change from run to run`;

export const examples: readonly Example[] = [
  {
    ecosystem: "Node",
    files: {
      "package.json": packageJson({ name: "cart", scripts: { test: "t" }, engines: { node: ">=22" } }),
      "package-lock.json": "",
      ".nvmrc": "22\n",
    },
    steps: { test: ["npm ci", "npm test"] },
    caches: ["npm: ~/.npm < package-lock.json"],
    counts: [
      ".nvmrc declares the version of Node: 22",
      "package.json declares the version of Node: >=22",
      "package-lock.json locks the dependencies, installed by npm",
    ],
  },
  {
    ecosystem: "Deno",
    files: {
      "deno.jsonc":
        '{ // for cart\n "name": "@acme/cart", "lint": {}, "tasks": { "test": "deno test -A", } }',
      "deno.lock": "{}",
      ".tool-versions": "deno 2.5.0\n",
    },
    steps: {
      lint: ["deno install --frozen", "deno lint"],
      test: ["deno install --frozen", "deno task test"],
    },
    caches: ["deno: ~/.cache/deno < deno.lock"],
    counts: [
      'deno.jsonc declares the task "test"',
      "deno.lock locks the dependencies",
      ".tool-versions declares the version of Deno: 2.5.0",
    ],
  },
  {
    ecosystem: "Ruby",
    files: {
      Gemfile: 'ruby "3.4.1"\ngem "rake"\n',
      "Gemfile.lock": "",
      Rakefile: "task default: :test\n",
    },
    steps: { test: ["bundle install", "bundle exec rake"] },
    caches: ["gems: vendor/bundle < Gemfile.lock"],
    counts: ["Gemfile declares the version of Ruby: 3.4.1", "Rakefile tests by default: test"],
  },
  {
    ecosystem: "Python",
    files: {
      "pyproject.toml":
        '[project]\nname = "cart"\nrequires-python = ">=3.12"\n[tool.pdm]\n[dependency-groups]\ndev = ["pytest"]\n',
      "pdm.lock": "",
      "tests/test_cart.py": "",
    },
    steps: { test: ["pdm sync", "pdm run pytest"] },
    caches: ["pdm: ~/.cache/pdm < pdm.lock"],
    counts: [
      "pdm.lock locks the dependencies, installed by PDM",
      "pyproject.toml declares the version of Python: >=3.12",
    ],
  },
  {
    ecosystem: "Go",
    files: { "go.mod": "module cart\n\ngo 1.24.2\n", "go.sum": "", "cart_test.go": "" },
    steps: { test: ["go build ./...", "go vet ./...", "go test ./..."] },
    caches: ["go: ~/.cache/go-build, ~/go/pkg/mod < go.sum"],
    counts: ["go.sum locks the dependencies", "go.mod declares the version of Go: 1.24.2"],
  },
  {
    ecosystem: "Rust",
    files: {
      "Cargo.toml": '[package]\nname = "cart"\n',
      "rust-toolchain.toml": '[toolchain]\nchannel = "1.90"\n',
    },
    steps: { test: ["cargo test"] },
    caches: ["cargo: ~/.cargo/git, ~/.cargo/registry < **/Cargo.toml"],
    counts: [unlocked("Cargo.toml", "Cargo.lock"), "rust-toolchain.toml declares the version of Rust: 1.90"],
  },
  {
    ecosystem: "Maven",
    files: {
      "pom.xml": "<project><properties><java.version>21</java.version></properties></project>",
      "cart/pom.xml": "<project/>",
      "cart/src/test/java/CartTest.java": "",
    },
    steps: { test: ["mvn --batch-mode --no-transfer-progress verify"] },
    caches: ["maven: ~/.m2/repository < **/pom.xml"],
    counts: ["pom.xml declares the version of Java: 21"],
    aside: ["Repository: cart/pom.xml is in a subfolder; only the root decides"],
  },
  {
    ecosystem: "Gradle",
    files: {
      "settings.gradle.kts": 'rootProject.name = "cart"\n',
      "app/build.gradle.kts": "",
      "app/src/test/kotlin/CartTest.kt": "",
      "gradle/libs.versions.toml": "",
      ".sdkmanrc": "java=21.0.2-tem\n",
    },
    steps: { test: ["gradle --no-daemon build"] },
    caches: ["gradle: ~/.gradle/caches, ~/.gradle/wrapper < **/*.gradle.kts, gradle/*.toml"],
    counts: [".sdkmanrc declares the version of Java: 21.0.2-tem"],
    aside: ["Repository: app/build.gradle.kts is in a subfolder; only the root decides"],
  },
  {
    ecosystem: "sbt",
    files: {
      "build.sbt": 'name := "cart"\nscalaVersion := "3.7.3"\n',
      "project/build.properties": "sbt.version=1.11.6\n",
      "project/plugins.sbt": 'addSbtPlugin("org.scalameta" % "sbt-scalafmt" % "2.5.4")\n',
      ".scalafmt.conf": "",
      ".scalafix.conf": "",
      "src/test/scala/CartTest.scala": "",
    },
    steps: {
      lint: ["sbt scalafmtCheckAll scalafmtSbtCheck"],
      test: ["sbt Test/compile", "sbt test"],
    },
    caches: [
      "sbt: ~/.cache/coursier, ~/.ivy2/cache, ~/.sbt < *.sbt, project/*.sbt, project/build.properties",
    ],
    counts: [
      "build.sbt names the dependencies; sbt has no lock file, so versions are only as exact as they are written",
      "project/build.properties declares the version of sbt: 1.11.6",
      "build.sbt declares the version of Scala: 3.7.3",
    ],
    aside: ["sbt: .scalafix.conf is not used: project/plugins.sbt does not name sbt-scalafix"],
  },
  {
    ecosystem: "Mill",
    files: {
      "build.mill": "//| mill-version: 1.0.6\n",
      mill: "",
      ".scalafmt.conf": "",
      "cart/test/src/CartTests.scala": "",
    },
    steps: {
      lint: ["./mill mill.scalalib.scalafmt.ScalafmtModule/checkFormatAll"],
      test: ["./mill __.compile", "./mill __.test"],
    },
    caches: ["mill: ~/.cache/coursier, ~/.cache/mill < build.mill"],
    counts: ["mill brings Mill along", "build.mill declares the version of Mill: 1.0.6"],
  },
  {
    ecosystem: "Leiningen",
    files: { "project.clj": '(defproject acme/cart "1")\n', "test/cart/core_test.clj": "" },
    steps: { test: ["lein deps", "lein compile", "lein test"] },
    caches: ["maven: ~/.m2/repository < project.clj"],
    counts: ["project.clj has tests: test/cart/core_test.clj"],
  },
  {
    ecosystem: "Clojure",
    files: {
      "deps.edn": "{:aliases {:test {:extra-paths {} :exec-fn cognitect.test-runner.api/test}}}",
      "test/cart_test.clj": "",
    },
    steps: { test: ["clojure -P", "clojure -X:test"] },
    caches: ["clojure: ~/.gitlibs, ~/.m2/repository < deps.edn"],
    counts: ["deps.edn declares the alias :test with a function"],
  },
  {
    ecosystem: ".NET",
    files: {
      "Cart.sln": "",
      "Cart.Benchmarks.sln": "",
      "global.json": '{ "sdk": { "version": "9.0.100" } }',
      "src/Cart/Cart.csproj": "",
      "src/Cart/packages.lock.json": "",
      "test/Cart.Tests/Cart.Tests.csproj": "",
      "test/Cart.Tests/packages.lock.json": "",
    },
    steps: {
      test: [
        "dotnet restore Cart.sln --locked-mode",
        "dotnet build Cart.sln --no-restore",
        "dotnet test Cart.sln --no-build",
      ],
    },
    caches: ["nuget: ~/.nuget/packages < **/packages.lock.json"],
    counts: [
      "Cart.sln has test projects: test/Cart.Tests/Cart.Tests.csproj",
      "global.json declares the version of the .NET SDK: 9.0.100",
    ],
    aside: [
      "Repository: src/Cart/Cart.csproj is in a subfolder, as is 1 more; only the root decides",
      ".NET: Cart.Benchmarks.sln is not used: Cart.sln speaks for .NET",
    ],
  },
  {
    ecosystem: "PHP",
    files: {
      "composer.json": packageJson({
        name: "acme/cart",
        require: { php: "^8.3" },
        "require-dev": { "phpunit/phpunit": "^12", "phpstan/phpstan": "^2" },
      }),
      "composer.lock": "{}",
      "phpunit.xml.dist": "",
      "phpstan.neon": "",
      "psalm.xml": "",
    },
    steps: {
      lint: ["composer install --no-interaction --no-progress", "vendor/bin/phpstan analyse --no-progress"],
      test: [
        "composer install --no-interaction --no-progress",
        "composer validate --no-check-publish",
        "vendor/bin/phpunit",
      ],
    },
    caches: ["composer: ~/.cache/composer, ~/.composer/cache < composer.lock"],
    counts: [
      "composer.lock locks the dependencies",
      "phpunit.xml.dist configures PHPUnit",
      "composer.json declares the version of PHP: ^8.3",
    ],
    aside: ["PHP: psalm.xml is not used: composer.json does not depend on vimeo/psalm"],
  },
  {
    ecosystem: "Elixir",
    files: {
      "mix.exs": 'project: [app: :cart, elixir: "~> 1.18", deps: [{:credo, "~> 1.7"}]]',
      "mix.lock": "",
      ".formatter.exs": "",
      "test/cart_test.exs": "",
    },
    steps: {
      lint: [
        "mix local.hex --force --if-missing",
        "mix local.rebar --force --if-missing",
        "mix deps.get --check-locked",
        "mix format --check-formatted",
        "mix credo",
      ],
      test: [
        "mix local.hex --force --if-missing",
        "mix local.rebar --force --if-missing",
        "mix deps.get --check-locked",
        "mix compile",
        "mix test",
      ],
    },
    caches: ["mix: deps, ~/.hex, ~/.mix < mix.lock"],
    counts: ["mix.exs declares the version of Elixir: ~> 1.18", "mix.lock locks the dependencies"],
  },
  {
    ecosystem: "Erlang",
    files: {
      "rebar.config": '{minimum_otp_vsn, "27"}.\n{xref_checks, [undefined_function_calls]}.\n',
      rebar3: "",
      "rebar.lock": "",
      "test/cart_SUITE.erl": "",
      "test/cart_tests.erl": "",
    },
    steps: {
      lint: ["./rebar3 get-deps", "./rebar3 xref"],
      test: ["./rebar3 get-deps", "./rebar3 compile", "./rebar3 eunit", "./rebar3 ct"],
    },
    caches: ["rebar3: ~/.cache/rebar3 < rebar.lock"],
    counts: ["rebar3 brings Erlang along", "rebar.config declares the version of Erlang: 27"],
  },
  {
    ecosystem: "Gleam",
    files: { "gleam.toml": 'name = "cart"\n', "manifest.toml": "", "test/cart_test.gleam": "" },
    steps: { test: ["gleam deps download", "gleam build", "gleam test"] },
    caches: ["gleam: ~/.cache/gleam < manifest.toml"],
    counts: ["manifest.toml locks the dependencies"],
  },
  {
    ecosystem: "Stack",
    files: {
      "stack.yaml": "snapshot: lts-24.9\n",
      "stack.yaml.lock": "",
      "package.yaml": "name: cart\ntests:\n  cart-test: {}\n",
      ".hlint.yaml": "",
    },
    steps: {
      test: [
        "stack --no-terminal --lock-file error-on-write test --only-dependencies",
        "stack --no-terminal --lock-file error-on-write build",
        "stack --no-terminal --lock-file error-on-write test",
      ],
    },
    caches: ["stack: ~/.stack < stack.yaml.lock"],
    counts: ["stack.yaml declares the version of the snapshot of Haskell packages: lts-24.9"],
    aside: ["Stack: .hlint.yaml is not used: nothing in the repository brings hlint"],
  },
  {
    ecosystem: "Cabal",
    files: {
      "cart.cabal": "name: cart\ntest-suite spec\n",
      "cabal.project": "with-compiler: ghc-9.12.2\npackages: .\n",
    },
    steps: {
      test: [
        "cabal update",
        "cabal build all --enable-tests --only-dependencies",
        "cabal build all",
        "cabal test all",
      ],
    },
    caches: [
      "cabal: ~/.cabal/packages, ~/.cabal/store, ~/.cache/cabal/packages, ~/.local/state/cabal/store < **/*.cabal, cabal.project",
    ],
    counts: [
      unlocked("cabal.project", "cabal.project.freeze"),
      "cabal.project declares the version of GHC: ghc-9.12.2",
    ],
  },
  {
    ecosystem: "Swift",
    files: {
      "Package.swift": '// swift-tools-version: 6.1\nlet package = Package(name: "Cart")\n',
      "Package.resolved": "",
      ".swift-format": "",
      ".swiftlint.yml": "",
      "Tests/CartTests/CartTests.swift": "",
    },
    steps: {
      lint: ["swift package resolve --force-resolved-versions", "swift format lint --strict --recursive ."],
      test: ["swift package resolve --force-resolved-versions", "swift build", "swift test"],
    },
    caches: ["swift: ~/.cache/org.swift.swiftpm, ~/Library/Caches/org.swift.swiftpm < Package.resolved"],
    counts: ["Package.swift declares the version of Swift: 6.1"],
    aside: ["Swift: .swiftlint.yml is not used: Package.swift does not bring SwiftLint"],
  },
  {
    ecosystem: "Dart",
    files: {
      "pubspec.yaml": "name: cart\nenvironment:\n  sdk: ^3.9.0\n",
      "pubspec.lock": "",
      "analysis_options.yaml": "",
      "test/cart_test.dart": "",
    },
    steps: {
      lint: ["dart pub get --enforce-lockfile", "dart analyze"],
      test: ["dart pub get --enforce-lockfile", "dart test"],
    },
    caches: ["pub: ~/.pub-cache < pubspec.lock"],
    counts: ["pubspec.yaml declares the version of Dart: ^3.9.0"],
  },
  {
    ecosystem: "Flutter",
    files: {
      "pubspec.yaml":
        "name: cart\ndependencies:\n  flutter:\n    sdk: flutter\ndev_dependencies:\n  melos: ^6.0.0\n",
      "melos.yaml": "name: cart\npackages: [packages/**]\n",
    },
    steps: {
      test: [
        "flutter pub get",
        "dart run melos bootstrap",
        "dart run melos exec --dir-exists=test -- flutter test",
      ],
    },
    caches: ["pub: ~/.pub-cache < pubspec.yaml"],
    counts: ["melos.yaml describes a workspace of packages, each with its own tests"],
  },
  {
    ecosystem: "Crystal",
    files: {
      "shard.yml": "name: cart\ncrystal: '>= 1.17'\n",
      "shard.lock": "",
      "spec/cart_spec.cr": "",
      ".ameba.yml": "",
    },
    steps: { test: ["shards install --frozen", "crystal spec"] },
    caches: ["shards: ~/.cache/shards < shard.lock"],
    counts: ["shard.yml declares the version of Crystal: >= 1.17"],
    aside: ["Crystal: .ameba.yml is not used: shard.yml does not bring ameba"],
  },
  {
    ecosystem: "Zig",
    files: {
      "build.zig": 'const tests = b.step("test", "Run the tests");\n',
      "build.zig.zon": '.{ .minimum_zig_version = "0.15.1" }\n',
    },
    steps: { test: ["zig build --fetch", "zig build", "zig build test"] },
    caches: ["zig: ~/.cache/zig < build.zig.zon"],
    counts: ["build.zig.zon declares the version of Zig: 0.15.1", 'build.zig declares the step "test"'],
  },
  {
    ecosystem: "CMake",
    files: {
      "CMakeLists.txt": "cmake_minimum_required(VERSION 3.25)\nproject(cart)\nenable_testing()\n",
      "vcpkg.json": "{}",
    },
    steps: {
      test: [
        "cmake -S . -B build",
        'cmake --build build --parallel "$(getconf _NPROCESSORS_ONLN)"',
        "ctest --test-dir build --output-on-failure",
      ],
    },
    caches: [],
    counts: [
      "CMakeLists.txt enables tests",
      "CMakeLists.txt is built with the machine's own compilers and libraries; there is no lock file",
    ],
    aside: ["CMake: vcpkg.json is not used: nothing in the repository says where vcpkg is"],
  },
  {
    ecosystem: "Meson",
    files: {
      "meson.build": "project('cart', 'c', meson_version: '>=1.3')\n",
      "test/meson.build": "test('cart', cart)\n",
      "subprojects/zlib.wrap": "",
    },
    steps: {
      test: ["meson setup build", "meson compile -C build", "meson test -C build --print-errorlogs"],
    },
    caches: ["meson: subprojects/packagecache < subprojects/*.wrap"],
    counts: [
      "meson.build declares the version of Meson: >=1.3",
      "meson.build declares tests: test/meson.build",
    ],
    aside: ["Repository: test/meson.build is in a subfolder; only the root decides"],
  },
  {
    ecosystem: "Autotools",
    files: {
      "configure.ac": "AC_INIT([cart], [1])\nAM_INIT_AUTOMAKE\n",
      "autogen.sh": "",
      "Makefile.am": "TESTS = cart-test\n",
    },
    steps: { test: ["NOCONFIGURE=1 ./autogen.sh", "./configure", "make", "make check"] },
    caches: [],
    counts: ["autogen.sh makes configure", "Makefile.am declares tests"],
  },
  {
    ecosystem: "Perl",
    files: { cpanfile: 'requires "perl", "5.36";\n', "cpanfile.snapshot": "", "t/cart.t": "" },
    steps: { test: ["carton install --deployment", "prove -l -r t"] },
    caches: ["perl: local < cpanfile.snapshot"],
    counts: ["cpanfile declares the version of Perl: 5.36", "cpanfile has tests: t/cart.t"],
  },
  {
    ecosystem: "R",
    files: { DESCRIPTION: "Package: cart\nDepends: R (>= 4.3)\n", ".lintr": "", "tests/testthat.R": "" },
    steps: {
      test: [
        `Rscript -e 'dir.create(Sys.getenv("R_LIBS_USER"), recursive = TRUE, showWarnings = FALSE)'`,
        `Rscript -e 'chooseCRANmirror(ind = 1); install.packages("remotes"); remotes::install_deps(dependencies = TRUE)'`,
        "R CMD build --no-build-vignettes .",
        "R CMD check --no-manual --ignore-vignettes *.tar.gz",
      ],
    },
    caches: ["r: ~/.cache/R, ~/R < DESCRIPTION"],
    counts: ["DESCRIPTION declares the version of R: >= 4.3", unlocked("DESCRIPTION", "renv.lock")],
    aside: ["R: .lintr is not used: DESCRIPTION does not name lintr"],
  },
  {
    ecosystem: "Julia",
    files: {
      "Project.toml": 'name = "Cart"\nuuid = "1"\n[compat]\njulia = "1.10"\n',
      "test/runtests.jl": "",
      ".JuliaFormatter.toml": "",
    },
    steps: {
      test: [
        "julia --project=. -e 'using Pkg; Pkg.instantiate()'",
        "julia --project=. -e 'using Pkg; Pkg.precompile()'",
        "julia --project=. -e 'using Pkg; Pkg.test()'",
      ],
    },
    caches: ["julia: ~/.julia < Project.toml"],
    counts: ["Project.toml declares the version of Julia: 1.10"],
    aside: ["Julia: .JuliaFormatter.toml is not used: nothing in the repository brings JuliaFormatter"],
  },
  {
    ecosystem: "OCaml",
    files: {
      "dune-project": "(lang dune 3.17)\n(name cart)\n",
      "cart.opam": "",
      "cart.opam.locked": "",
      "test/dune": "",
      ".ocamlformat": "",
    },
    steps: {
      test: [
        "opam init --bare --no-setup --yes",
        "opam switch create . --deps-only --with-test --yes --locked",
        "opam exec -- dune build",
        "opam exec -- dune runtest",
      ],
    },
    caches: ["opam: ~/.opam < *.opam.locked"],
    counts: ["dune-project declares the version of dune: 3.17", "cart.opam.locked locks the dependencies"],
    aside: ["OCaml: .ocamlformat is not used: no *.opam brings ocamlformat for tests"],
  },
  {
    ecosystem: "just",
    files: { justfile: "set shell := ['sh']\ntest *ARGS: build\n    ./t\n" },
    steps: { test: ["just test"] },
    caches: [],
    counts: ['justfile declares the task "test"'],
  },
  {
    ecosystem: "Task",
    files: { "Taskfile.yml": "version: '3'\ntasks:\n  check:\n    cmds: [./t]\n" },
    steps: { test: ["task check"] },
    caches: [],
    counts: ['Taskfile.yml declares the task "check"'],
  },
  {
    ecosystem: "mise",
    files: { "mise.toml": '[tools]\nzig = "0.15"\n[tasks.ci]\nrun = "./t"\n' },
    steps: { ci: ["mise trust", "mise install", "mise run ci"] },
    caches: ["mise: ~/.local/share/mise < mise.toml"],
    counts: ['mise.toml declares the task "ci"'],
  },
  {
    ecosystem: "Make",
    files: { Makefile: "test: cart\n\t./t\n" },
    steps: { test: ["make test"] },
    caches: [],
    counts: ['Makefile declares the target "test"'],
  },
  {
    ecosystem: "Bazel",
    files: { "MODULE.bazel": 'module(name = "cart")\n', ".bazelversion": "8.4.1\n", "cart/cart_test.cc": "" },
    steps: {
      test: [
        'bazel test --disk_cache="$HOME/.cache/bazel-disk" --repository_cache="$HOME/.cache/bazel-repository" //...',
      ],
    },
    caches: ["bazel: ~/.cache/bazel-disk, ~/.cache/bazel-repository < MODULE.bazel"],
    counts: [".bazelversion declares the version of Bazel: 8.4.1"],
  },
  {
    ecosystem: "Nix",
    files: { "flake.nix": "{ outputs = _: { packages = {}; checks = {}; }; }", "flake.lock": "{}" },
    steps: {
      test: [
        "nix build --print-build-logs --no-update-lock-file",
        "nix flake check --print-build-logs --no-update-lock-file",
      ],
    },
    caches: [],
    counts: ["flake.lock locks the dependencies", "flake.nix declares checks"],
  },
];
