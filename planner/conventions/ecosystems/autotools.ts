/**
 * C and C++ built by autoconf and automake: `make check` is what every such build has for tests. Where there is no
 * automake, the Makefile's own targets decide (`make.ts`).
 */

import { describe } from "../describe.ts";

const signals = [
  { file: "configure.ac", says: /\bAM_INIT_AUTOMAKE\b/ },
  { file: "configure.in", says: /\bAM_INIT_AUTOMAKE\b/ },
  "Makefile.am",
] as const;

export const autotools = describe({
  ecosystem: "Autotools",
  slug: "autotools",
  signals,
  name: /\bAC_INIT\s*\(\s*\[?([A-Za-z][\w.+-]*)/,
  toolchains: [
    {
      title: "autoconf",
      names: ["autoconf"],
      files: [{ file: "configure.ac", says: /\bAC_PREREQ\s*\(\s*\[?([\d.]+)/ }],
    },
  ],
  lock: { none: "is built with the machine's own compilers and libraries; there is no lock file" },
  build: [
    { on: "configure", run: "./configure", reason: "makes the Makefile" },
    {
      on: ["autogen.sh", "bootstrap", "bootstrap.sh"],
      run: ["NOCONFIGURE=1 ./{path}", "./configure"],
      reason: "makes configure",
      otherwise: true,
    },
    { on: signals, run: ["autoreconf --install", "./configure"], reason: "makes configure", otherwise: true },
    { on: signals, run: "make", reason: "describes a build" },
  ],
  test: [
    {
      on: [
        { file: "Makefile.am", says: /^[ \t]*(TESTS|check_PROGRAMS|check-local)\b/m },
        /(^|\/)(tests?|testsuite|check|t)\/Makefile\.am$/,
      ],
      run: "make check",
      reason: "declares tests",
    },
  ],
  untested: "declares no tests",
});
