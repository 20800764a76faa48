/** What surrounds the work of a generated step: variables, limits, caches, credentials, requirements. */

import type { Choices } from "./choices.ts";
import { map, type Written } from "./written-tree.ts";

export function variables(pick: Choices): Written {
  return map(
    pick
      .some(["B", "A", "a", "_Z", "HOSTNAME"])
      .map((name) => [name, pick.of<Written>("x", 1.5, true, "é\n2", "$A", "")]),
  );
}

export function surroundings(
  pick: Choices,
  axes: readonly string[],
): readonly (readonly [string, Written | undefined])[] {
  const maybe = (percent: number, make: () => Written): Written | undefined =>
    pick.often(percent) ? make() : undefined;
  return [
    ["env", maybe(30, () => variables(pick))],
    ["timeout", maybe(30, () => pick.of("90s", "1h30m"))],
    [
      "retry",
      maybe(30, () =>
        pick.of<Written>(
          0,
          2,
          map([
            ["max", 1],
            ["on", ["lost", "timed-out"]],
          ]),
        ),
      ),
    ],
    ["effect", maybe(15, () => pick.often(50))],
    [
      "labels",
      maybe(30, () =>
        axes.length > 0
          ? ["gpu", "os=matrix.os"]
          : map([
              ["os", "linux"],
              ["disk", "ssd"],
            ]),
      ),
    ],
    [
      "caches",
      maybe(20, () =>
        map(
          pick.some(["gems", "Npm"]).map((name) => [
            name,
            map([
              ["paths", ["vendor", "~/.cache/x", "apple"]],
              ["key", pick.often(60) ? map([["files", ["Gemfile.lock", "*.lock"]]]) : undefined],
            ]),
          ]),
        ),
      ),
    ],
    [
      "credentials",
      maybe(20, () =>
        map(
          pick
            .some([
              ["api", map([["http", "https://api.example.org"]])] as const,
              ["Code", map([["git", "https://git.example.org/a"]])] as const,
              ["id", map([["oidc", "cloud"]])] as const,
            ])
            .map(([name, bound]) => [name, bound]),
        ),
      ),
    ],
    ["reports", maybe(15, () => map([["junit", ["reports/*.xml", "a.xml"]]]))],
    [
      "requires",
      maybe(25, () =>
        map([
          ["os", pick.often(50) ? "linux" : undefined],
          ["arch", pick.often(30) ? "arm64" : undefined],
          [
            "tools",
            pick.often(50)
              ? map([
                  ["ruby", "3.4"],
                  ["Go", "any"],
                ])
              : undefined,
          ],
          ["cores", pick.often(30) ? 2 : undefined],
          ["memory", pick.often(30) ? "8GiB" : undefined],
          ["sandbox", pick.often(40) ? pick.of("S1", "S2") : undefined],
          ["image", "ruby:3.4"],
          ["or", pick.often(50) ? "host" : undefined],
        ]),
      ),
    ],
  ];
}
