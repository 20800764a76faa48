/** What a worker has at hand is told with its pulls: once, and again to another home. */

import { expect, it } from "vitest";
import { AtHand, cacheAtHand } from "../../../node/core/at-hand.ts";
import { limits } from "../../../protocol/limits.ts";
import { plannedStep, reportOf } from "../view/example.ts";
import { Bench, said } from "./bench.ts";
import { worker } from "./example.ts";

it("is told when there is more, and all of it to somebody who knows nothing", () => {
  const atHand = new AtHand();
  expect(atHand.news()).toBeUndefined();
  atHand.tellAnew();
  expect(atHand.news()).toBeUndefined();
  atHand.tree("t1");
  atHand.cache("c1");
  expect(atHand.news()).toEqual(["c1", "t1"]);
  atHand.cache("c1");
  expect(atHand.news()).toBeUndefined();
  atHand.tellAnew();
  expect(atHand.news()).toEqual(["c1", "t1"]);
});

it("is bounded: what was used least lately is forgotten", () => {
  const atHand = new AtHand();
  for (let count = 0; count < limits.warmCachesMax; count += 1) atHand.cache(`c${count}`);
  for (let count = 0; count <= limits.warmTreesMax; count += 1) atHand.tree(`t${count}`);
  atHand.cache("c0");
  atHand.cache("new");
  const news = atHand.news() ?? [];
  expect(news.length).toBe(limits.warmCachesMax + limits.warmTreesMax);
  expect([news.includes("c0"), news.includes("c1"), news.includes("t0")]).toEqual([true, false, false]);
});

it("brings a step to the worker that said so, and not for long to nobody", () => {
  const bench = new Bench();
  const caches = [{ name: "modules", paths: ["node_modules"], keyFiles: [] }];
  const pull = (life: string, atHand?: readonly string[]): void => {
    bench.tell({ kind: "peer-up", peer: worker, role: "worker" });
    bench.hear({ kind: "session", session: `${life}:1`, labels: [], slots: 1, held: [] });
    const told = atHand === undefined ? {} : { atHand };
    bench.hear({ kind: "pull", session: `${life}:1`, nonce: life, slots: 1, again: false, ...told });
  };
  pull("cold");
  pull("warm", [cacheAtHand("checks", "modules")]);
  const { effects } = bench.submit([plannedStep("a", [], { caches })]);
  const [grant] = said(effects, "grant");
  expect(grant?.nonce).toBe("warm");
  const { run = "", index = 0, token = 0 } = grant?.leases[0] ?? {};
  bench.result(run, index, token, reportOf());
  expect(said(bench.submit([plannedStep("a", [], { caches })], "n2").effects, "grant")).toEqual([]);
  const nonces: string[] = [];
  for (let waitedMs = 0; waitedMs < limits.warmWaitMs; waitedMs += limits.tickMs)
    nonces.push(...said(bench.tick(limits.tickMs), "grant").map(({ nonce }) => nonce));
  expect(nonces).toEqual(["cold"]);
});
