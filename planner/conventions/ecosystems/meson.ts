/**
 * C, C++ and others built by Meson. Its wrap files hold the hashes of what it downloads.
 */

import { describe } from "../describe.ts";

const file = "meson.build";
const wraps = "subprojects/*.wrap";

export const meson = describe({
  ecosystem: "Meson",
  slug: "meson",
  signals: [file],
  name: /\bproject\s*\(\s*'([^'\n]+)'/,
  toolchains: [
    { title: "Meson", names: ["meson"], files: [{ file, says: /\bmeson_version\s*:\s*'([^'\n]+)'/ }] },
  ],
  lock: {
    none: "is built with the machine's own compilers; libraries that it downloads are named with their hashes",
  },
  caches: [{ name: "meson", paths: ["subprojects/packagecache"] }],
  keys: [wraps],
  build: [{ on: file, run: ["meson setup build", "meson compile -C build"], reason: "describes a build" }],
  test: [
    {
      on: [{ file, says: /^[^#\n]*\btest\s*\(/m }, /(^|\/)(tests?|unittests?)\/(.*\/)?meson\.build$/],
      run: "meson test -C build --print-errorlogs",
      reason: "declares tests",
    },
  ],
  untested: "declares no tests",
});
