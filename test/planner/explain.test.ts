/** What `otto explain` says, word for word, and the same as a value. */

import { expect, it } from "vitest";
import { explainJson, explainPlan } from "../../planner/explain.ts";
import { planId } from "../../planner/plan.ts";
import { planOf } from "./planning.ts";

const file = `otto: 1
pipeline: webapp
parameters:
  channel: { type: string, enum: [beta, stable], default: beta }
environments:
  production: { domain: ops, settings: { HOSTNAME: www.example.org } }
steps:
  build:
    run:
      - bundle install
      - |
        bundle exec rake assets:clean
        bundle exec rake assets:prepare
    outputs: { assets: public/assets/** }
    timeout: 10m
  test:
    needs: build
    matrix: { ruby: ["3.4"] }
    run: bundle exec rspec
    timeout: 20m
    retry: { max: 1, on: [lost, timed-out] }
    labels: [os=linux, ruby=matrix.ruby]
  production:
    needs: test
    when: git.branch == "main" && parameters.channel == "stable"
    environment: production
    inputs: { assets: build.assets }
    run: ./bin/deploy
  roll-back:
    needs: { production: [failed, timed-out] }
    run: ./bin/roll-back
`;

it("tells everything that can happen", async () => {
  const plan = await planOf(file);
  expect(`\n${explainPlan(plan, planId(plan))}`).toMatchInlineSnapshot(`
    "
    pipeline webapp
      from        otto.yaml
      git         branch main, commit 0123456789ab
      trigger     manual
      parameters  channel=beta
      environment production: domain ops, sets HOSTNAME

    build
      in          always
      needs       nothing
      runs        bundle install
      then        bundle exec rake assets:clean
                  bundle exec rake assets:prepare
      with        OTTO_PARAMETER_CHANNEL=beta
      hands over  assets: public/assets/**
      where       any worker
      at most     10m an attempt, 3 attempts if its worker is lost; 30m in all

    test (ruby=3.4)
      in          always
      cell        of test: ruby=3.4
      needs       build; waits 30m at most
      runs        bundle exec rspec
      with        OTTO_MATRIX_RUBY=3.4
      with        OTTO_PARAMETER_CHANNEL=beta
      where       a worker with os=linux, ruby=3.4
      at most     20m an attempt, 2 attempts if its worker is lost or it timed out; 40m in all

    production
      left out    when git.branch == "main" && parameters.channel == "stable" is false
      needs       build, test (ruby=3.4)
      takes       assets, from build (assets)
      runs        ./bin/deploy
      with        HOSTNAME=www.example.org
      with        OTTO_PARAMETER_CHANNEL=beta
      where       any worker
      environment production; reaches outside, so never two attempts at once
      at most     1h, one attempt

    roll-back
      left out    needs production, which is left out: when git.branch == "main" && parameters.channel == "stable" is false
      needs       production (if it failed or timed out)
      runs        ./bin/roll-back
      with        OTTO_PARAMETER_CHANNEL=beta
      where       any worker
      at most     1h an attempt, 3 attempts if its worker is lost

    2 steps, 2 left out; 1h10m at most, the wait for free workers not counted
    longest path: build > test (ruby=3.4)
    plan bafyreibks4bab3wjiffaljunmalw2pz4n6ql4s23mn52tohsarnbqyvria
    "
  `);
});

it("tells the same as a value", async () => {
  const plan = await planOf(file);
  expect(explainJson(plan, "the-id")).toEqual({
    otto: "explain/1",
    planId: "the-id",
    plan,
    times: [
      { name: "build", waitMsMax: 0, runMsMax: 30 * 60_000 },
      { name: "test (ruby=3.4)", waitMsMax: 30 * 60_000, runMsMax: 40 * 60_000 },
      { name: "production", waitMsMax: 0, runMsMax: 0 },
      { name: "roll-back", waitMsMax: 0, runMsMax: 0 },
    ],
    branches: { steps: [], impossible: [], certain: true },
    detection: null,
  });
});

it("lets no command of the file reach the terminal as a control sequence", async () => {
  const plan = await planOf(
    'otto: 1\nsteps: { a: { run: "echo \\e[31mred\\e[0m", env: { A: "\\r\\n\\a" } } }\n',
  );
  expect(explainPlan(plan, planId(plan))).not.toMatch(/(?![\t\n])\p{Cc}/u);
});

it("tells what the cells of a matrix share once, and how long the run may take by which path", async () => {
  const plan = await planOf(`otto: 1
steps:
  build: { run: make }
  test:
    needs: build
    matrix: { os: [linux, macos] }
    labels: { os: matrix.os }
    run: make test
  ok: { needs: test, approve: Go on? }
`);
  expect(`\n${explainPlan(plan, "the-id")}`).toMatchInlineSnapshot(`
    "
    pipeline main
      from        otto.yaml
      git         branch main, commit 0123456789ab
      trigger     manual

    build
      in          always
      needs       nothing
      runs        make
      where       any worker
      at most     1h an attempt, 3 attempts if its worker is lost; 3h in all

    test: 2 cells
      in          always
      needs       build; waits 3h at most
      runs        make test
      at most     1h an attempt, 3 attempts if its worker is lost; 3h in all
      test (os=linux)
        where       a worker with os=linux
      test (os=macos)
        where       a worker with os=macos

    ok
      in          always
      needs       test (os=linux), test (os=macos); waits 6h at most
      asks        Go on?
      who         anybody of the domain; one yes is enough, a no ends it as failed
      where       no worker is held
      at most     7d, one attempt

    4 steps, 1 of them holds no worker; 7d6h at most, the wait for free workers not counted
    longest path: build > test (os=linux) > ok
    plan the-id
    "
  `);
});
