/**
 * R: a package is checked as CRAN checks it, without manuals and vignettes, which need more than R; renv restores
 * its lock. Packages go into the library that R keeps for its user, which a new home does not have yet.
 */

import { describe } from "../describe.ts";

const file = "DESCRIPTION";
const isPackage = { file, says: /^Package:/m } as const;
const library = `Rscript -e 'dir.create(Sys.getenv("R_LIBS_USER"), recursive = TRUE, showWarnings = FALSE)'`;
const dependencies = `Rscript -e 'chooseCRANmirror(ind = 1); install.packages("remotes"); remotes::install_deps(dependencies = TRUE)'`;
const lint = `Rscript -e 'found <- lintr::lint_package(); print(found); quit(status = length(found) > 0)'`;
const testthat = `Rscript -e 'testthat::test_dir("tests/testthat", stop_on_failure = TRUE)'`;

export const r = describe({
  ecosystem: "R",
  slug: "r",
  signals: [isPackage, "renv.lock"],
  name: /^Package:\s*(\S+)/m,
  toolchains: [
    {
      title: "R",
      names: ["R", "r"],
      files: [
        { file: "renv.lock", says: /"R"\s*:\s*\{\s*"Version"\s*:\s*"([^"\n]+)"/ },
        { file, says: /\bR\s*\(([<>=]*\s*[\d.]+)\)/ },
      ],
    },
  ],
  lock: { files: ["renv.lock"] },
  install: [
    { on: [isPackage, "renv.lock"], run: library, reason: "needs a library" },
    {
      on: isPackage,
      run: dependencies,
      lockedRun: "Rscript -e 'renv::restore(prompt = FALSE)'",
      reason: "names the dependencies",
    },
    {
      on: "renv.lock",
      run: "Rscript -e 'renv::restore(prompt = FALSE)'",
      reason: "locks the dependencies",
      needs: { on: ["renv/activate.R", isPackage], or: "renv/activate.R, which brings renv, is missing" },
    },
  ],
  caches: [{ name: "r", paths: ["~/R", "~/.cache/R"] }],
  lint: [
    {
      on: ".lintr",
      run: lint,
      reason: "configures lintr",
      needs: { on: [{ file, says: /\blintr\b/ }], or: "DESCRIPTION does not name lintr" },
    },
  ],
  build: [{ on: isPackage, run: "R CMD build --no-build-vignettes .", reason: "describes a package" }],
  test: [
    {
      on: isPackage,
      run: "R CMD check --no-manual --ignore-vignettes *.tar.gz",
      reason: "describes a package, which R can check",
    },
    { on: /^tests\/testthat\/.*\.[rR]$/, run: testthat, reason: "has tests", otherwise: true },
  ],
  untested: "has neither a package nor tests/testthat",
});
