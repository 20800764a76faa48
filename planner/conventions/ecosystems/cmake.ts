/**
 * C and C++ built by CMake, in the folder `build`. What it downloads by itself is not kept: there is no one place.
 */

import { describe } from "../describe.ts";

const file = "CMakeLists.txt";
const build = 'cmake --build build --parallel "$(getconf _NPROCESSORS_ONLN)"';

export const cmake = describe({
  ecosystem: "CMake",
  slug: "cmake",
  signals: [file],
  name: /^[ \t]*project[ \t]*\(\s*"?([A-Za-z][\w.+-]*)/im,
  toolchains: [
    {
      title: "CMake",
      names: ["cmake"],
      files: [{ file, says: /^[ \t]*cmake_minimum_required[ \t]*\(\s*VERSION\s+([\d.]+)/im }],
    },
  ],
  lock: { none: "is built with the machine's own compilers and libraries; there is no lock file" },
  caches: [{ name: "conan", paths: ["~/.conan2"] }],
  keys: ["conan.lock", "conanfile.txt"],
  unused: [{ on: "vcpkg.json", because: "nothing in the repository says where vcpkg is" }],
  build: [
    {
      on: "conanfile.txt",
      run: [
        "conan profile detect --exist-ok",
        "conan install . --output-folder=build --build=missing",
        "cmake -S . -B build -DCMAKE_BUILD_TYPE=Release -DCMAKE_TOOLCHAIN_FILE=conan_toolchain.cmake",
        build,
      ],
      reason: "names libraries, installed by Conan",
    },
    { on: file, run: ["cmake -S . -B build", build], reason: "describes a build", otherwise: true },
  ],
  test: [
    {
      on: { file, says: /^[^#\n]*\b(enable_testing[ \t]*\(|include[ \t]*\([ \t]*CTest\b)/im },
      run: "ctest --test-dir build --output-on-failure",
      reason: "enables tests",
    },
  ],
  untested: "does not enable tests",
});
