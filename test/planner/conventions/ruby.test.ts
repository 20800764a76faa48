import { describe, expect, test } from "vitest";

import { commandsOf, detect, find, packageJson, planOf, sentences } from "./fixture.ts";

const gem = {
  Gemfile: 'source "https://rubygems.org"\ngem "rake"\n',
  "cart.gemspec": 'Gem::Specification.new "cart"',
};

describe("a Ruby repository", () => {
  test.each([
    ["task default: :test", "bundle exec rake"],
    ["task default: %i[spec rubocop]", "bundle exec rake"],
    ["task default: %w[all_specs standard]", "bundle exec rake"],
    ['desc "All"\ntask :default => [:test]', "bundle exec rake"],
    ["task default: :build\nRake::TestTask.new", "bundle exec rake test"],
    ["RSpec::Core::RakeTask.new(:spec)", "bundle exec rake spec"],
    ["Minitest::TestTask.create", "bundle exec rake test"],
    ["task :test do\nend", "bundle exec rake test"],
  ])("with the Rakefile %j is tested by %s", (Rakefile, command) => {
    expect(commandsOf({ ...gem, Rakefile })).toEqual({ test: ["bundle install", command] });
  });

  test("with specs and no rake task for them is tested by rspec", () => {
    const files = { ...gem, Rakefile: "task :release do\nend\n", "spec/cart_spec.rb": "" };
    expect(commandsOf(files)).toEqual({ test: ["bundle install", "bundle exec rspec"] });
    expect(sentences(find(files).rejected)).toEqual(["Ruby: Rakefile declares no task for tests"]);
  });

  test("with test files alone requires them", () => {
    const [install, run] = commandsOf({ ...gem, "test/cart_test.rb": "" })["test"] ?? [];
    expect(install).toBe("bundle install");
    expect(run).toMatch(/^bundle exec ruby -Ilib -Itest -e '/);
  });

  test("keeps its gems in the workspace, and its lock unchanged where it has one", () => {
    const files = { ...gem, Rakefile: "task default: :test" };
    expect(planOf(files).steps[0]?.variables).toEqual({ BUNDLE_PATH: "vendor/bundle" });
    expect(sentences(find(files).matches)[0]).toContain("there is no lock file");
    expect(planOf({ ...files, "Gemfile.lock": "" }).steps[0]?.variables).toEqual({
      BUNDLE_DEPLOYMENT: "true",
      BUNDLE_PATH: "vendor/bundle",
    });
  });

  test("is linted when a linter is configured and among the gems, and not twice", () => {
    const linted = { ...gem, Gemfile: 'gem "rubocop"\n', ".rubocop.yml": "", "spec/a_spec.rb": "" };
    expect(commandsOf(linted)["lint"]).toEqual(["bundle install", "bundle exec rubocop"]);
    expect(Object.keys(commandsOf({ ...linted, Rakefile: "task default: [:spec, :rubocop]" }))).toEqual([
      "test",
    ]);
    expect(sentences(find({ ...gem, ".rubocop.yml": "", "spec/a_spec.rb": "" }).rejected)).toEqual([
      "Ruby: .rubocop.yml is not used: no Gemfile names the gem rubocop",
    ]);
  });

  test("without tests is built as a gem, and says so", () => {
    expect(commandsOf(gem)).toEqual({ build: ["bundle install", "gem build cart.gemspec"] });
    expect(find(gem).pipeline.steps[0]?.reason).toContain("no tests found");
  });

  test("beside a tested project has test files that nothing declares set aside", () => {
    const files = {
      Gemfile: 'gem "minitest"\n',
      "test/test_core.rb": "",
      "go.mod": "module a",
      "a_test.go": "",
    };
    expect(Object.keys(commandsOf(files))).toEqual(["test"]);
    expect(sentences(find(files).rejected)).toEqual([
      "Ruby: Gemfile declares no test, though test/ has test/test_core.rb; the pipeline is that of Go",
    ]);
  });

  test("with nothing but a Gemfile is tooling", () => {
    expect(detect({ Gemfile: 'gem "jekyll"\n' }).kind).toBe("nothing");
  });
});

describe("a Rails application", () => {
  const rails = {
    Gemfile: 'gem "rails"\n',
    "Gemfile.lock": "rails",
    Rakefile: "Rails.application.load_tasks\n",
    "bin/rails": "",
    "config/application.rb": "",
    "config/database.yml": "",
    "test/models/cart_test.rb": "",
  };

  test("prepares its database and runs its tests", () => {
    expect(commandsOf(rails)).toEqual({
      test: ["bundle install", "bin/rails db:test:prepare", "bin/rails test"],
    });
    expect(planOf(rails).steps[0]?.variables["RAILS_ENV"]).toBe("test");
  });

  test("without tests is loaded whole, and says so", () => {
    const { "test/models/cart_test.rb": _, ...untested } = rails;
    expect(commandsOf(untested)).toEqual({ build: ["bundle install", "bin/rails zeitwerk:check"] });
    expect(find(untested).pipeline.steps[0]?.reason).toContain("no tests found");
  });

  test("runs its specs when rspec is among the gems", () => {
    const files = { ...rails, "spec/models/cart_spec.rb": "", "Gemfile.lock": "rails\n rspec-rails" };
    expect(commandsOf(files)["test"]?.slice(2)).toEqual(["bin/rails test", "bundle exec rspec"]);
  });

  test("has its assets' packages installed, which get no steps of their own", () => {
    const files = {
      ...rails,
      "package.json": packageJson({ scripts: { build: "esbuild" } }),
      "yarn.lock": "",
    };
    expect(commandsOf(files)).toEqual({
      test: [
        "bundle install",
        "yarn install --frozen-lockfile",
        "bin/rails db:test:prepare",
        "bin/rails test",
      ],
    });
    expect(sentences(find(files).rejected)).toEqual([
      "Node: package.json has no steps of its own: it builds the assets of Rails",
    ]);
  });

  test("is tested beside its JavaScript when that declares tests", () => {
    const files = { ...rails, "package.json": packageJson({ scripts: { test: "jest" } }), "yarn.lock": "" };
    expect(Object.keys(commandsOf(files))).toEqual(["test-node", "test-ruby"]);
  });
});
