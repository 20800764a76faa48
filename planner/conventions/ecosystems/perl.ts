/**
 * Perl: dependencies into the folder `local`, by Carton under its lock or by cpanm; tests as the distribution
 * builds them, or by prove.
 */

import { describe } from "../describe.ts";

const tests = /^t\/.*\.t$/;
const build = { on: [tests], or: "there is no t/*.t" };

export const perl = describe({
  ecosystem: "Perl",
  slug: "perl",
  signals: ["cpanfile", "Makefile.PL", "Build.PL", "dist.ini"],
  toolchains: [
    {
      title: "Perl",
      names: ["perl"],
      files: [
        { file: ".perl-version" },
        { file: "cpanfile", says: /^requires\s+["']?perl["']?\s*(?:=>|,)\s*["']?([\w.]+)/m },
      ],
    },
  ],
  lock: { files: ["cpanfile.snapshot"] },
  install: [
    { on: "cpanfile.snapshot", run: "carton install --deployment", reason: "locks the dependencies" },
    {
      on: ["cpanfile", "Makefile.PL", "Build.PL"],
      run: "cpanm --notest --local-lib local --installdeps .",
      reason: "names the dependencies",
      otherwise: true,
    },
  ],
  variables: { PERL5LIB: "local/lib/perl5" },
  caches: [{ name: "perl", paths: ["local"] }],
  keys: ["cpanfile", "Makefile.PL", "Build.PL", "dist.ini"],
  lint: [
    {
      on: ".perlcriticrc",
      run: "local/bin/perlcritic lib",
      reason: "configures perlcritic",
      needs: {
        on: [{ file: "cpanfile", says: /\bPerl::Critic\b/ }],
        or: "cpanfile does not bring Perl::Critic",
      },
    },
  ],
  build: [
    { on: "Makefile.PL", run: ["perl Makefile.PL", "make"], reason: "makes the Makefile" },
    { on: "Build.PL", run: ["perl Build.PL", "./Build"], reason: "makes the build", otherwise: true },
  ],
  test: [
    { on: "Makefile.PL", run: "make test", reason: "runs the tests", needs: build },
    { on: "Build.PL", run: "./Build test", reason: "runs the tests", needs: build, otherwise: true },
    { on: tests, run: "prove -l -r t", reason: "has tests", otherwise: true },
  ],
  untested: "has no t/*.t",
});
