import { describe, expect, it } from "vitest";
import { type PlannedStep, requirementsOf } from "../../protocol/plan.ts";
import { unsupportedIn } from "../../protocol/unsupported.ts";
import { planOf, plannedStep } from "../node/view/example.ts";

const pinned = `node:24@sha256:${"ab".repeat(32)}`;

function why(asked: Partial<PlannedStep>): readonly string[] {
  return unsupportedIn(planOf([{ ...plannedStep("build"), ...asked }]), "dev").map((one) => one.why);
}

describe("a step with an image", () => {
  it("can be run when the image is named by its digest", () => {
    expect(why({ image: { name: pinned, orHost: false } })).toEqual([]);
  });

  it("cannot be run when tomorrow the image may be another one", () => {
    expect(why({ image: { name: "node:24", orHost: false } })).toEqual([
      "its image node:24 may be another one tomorrow: pin it with `otto lock`, or name it by its digest, node:24@sha256:...",
    ]);
  });

  it("can be run without a digest where the worker itself will do", () => {
    expect(why({ image: { name: "node:24", orHost: true } })).toEqual([]);
  });

  it("is claimed by workers that reach S3, and where the worker itself will do by any that reaches what it asks for", () => {
    const step = { ...plannedStep("build"), labels: ["gpu"] };
    expect(requirementsOf({ ...step, image: { name: pinned, orHost: false } })).toEqual([
      "gpu",
      "sandbox=S3",
    ]);
    const either = { ...step, image: { name: pinned, orHost: true } };
    expect(requirementsOf(either)).toEqual(["gpu"]);
    expect(requirementsOf({ ...either, sandbox: "S2" })).toEqual(["gpu", "sandbox=S2"]);
  });
});

it("level S3 without an image is refused, since there would be no file system", () => {
  for (const asked of [{}, { image: { name: pinned, orHost: true } }])
    expect(why({ sandbox: "S3", ...asked })).toEqual([
      "it asks for isolation of level S3, where a step has an image for its file system: name one in `image`, without `or`",
    ]);
});
