/**
 * PHP: Composer installs; its scripts come first, then the runner that the dependencies bring.
 */

import { describe } from "../describe.ts";
import type { Rule } from "../describe.ts";
import { objectAt, readJsonObject } from "../jsonc.ts";

const file = "composer.json";

const script = (name: string): Rule => ({
  on: {
    file,
    says: (text) => Object.hasOwn(objectAt(readJsonObject(text), "scripts"), name),
  },
  run: `composer run-script ${name}`,
  reason: `declares the script "${name}"`,
});

/** A dependency brings the program. */
const brought = (dependency: string): Required<Rule>["needs"] => ({
  on: [{ file, says: (text) => depends(text, dependency) }],
  or: `composer.json does not depend on ${dependency}`,
});

function depends(text: string, dependency: string): boolean {
  const fields = readJsonObject(text);
  return ["require", "require-dev"].some((kind) => Object.hasOwn(objectAt(fields, kind), dependency));
}

const otherwise = true;

export const php = describe({
  ecosystem: "PHP",
  slug: "php",
  signals: [file],
  name: /^[ \t]*"name"\s*:\s*"([^"\n]+)"/m,
  toolchains: [
    {
      title: "PHP",
      names: ["php"],
      files: [{ file: ".php-version" }, { file, says: /"php"\s*:\s*"([^"\n]+)"/ }],
    },
  ],
  lock: { files: ["composer.lock"] },
  install: [
    { on: file, run: "composer install --no-interaction --no-progress", reason: "names the dependencies" },
  ],
  caches: [{ name: "composer", paths: ["~/.cache/composer", "~/.composer/cache"] }],
  entry: [script("ci")],
  lint: [
    ...["lint", "cs", "phpcs", "check-style", "cs-check"].map((name) => ({ ...script(name), otherwise })),
    {
      on: [".php-cs-fixer.php", ".php-cs-fixer.dist.php"],
      run: "vendor/bin/php-cs-fixer fix --dry-run --diff",
      reason: "configures PHP CS Fixer",
      needs: brought("friendsofphp/php-cs-fixer"),
      otherwise,
    },
    {
      on: ["phpcs.xml", "phpcs.xml.dist", ".phpcs.xml", ".phpcs.xml.dist"],
      run: "vendor/bin/phpcs",
      reason: "configures PHP_CodeSniffer",
      needs: brought("squizlabs/php_codesniffer"),
      otherwise,
    },
    {
      on: ["phpstan.neon", "phpstan.neon.dist", "phpstan.dist.neon"],
      run: "vendor/bin/phpstan analyse --no-progress",
      reason: "configures PHPStan",
      needs: brought("phpstan/phpstan"),
    },
    {
      on: ["psalm.xml", "psalm.xml.dist"],
      run: "vendor/bin/psalm --no-progress",
      reason: "configures Psalm",
      needs: brought("vimeo/psalm"),
    },
  ],
  test: [
    ...["test", "tests", "phpunit"].map((name) => ({ ...script(name), otherwise })),
    {
      on: "artisan",
      run: "php artisan test",
      reason: "runs a Laravel application's tests",
      needs: { on: [/^tests\/.*Test\.php$/, "tests/Pest.php"], or: "there are no tests" },
      otherwise,
    },
    {
      on: "tests/Pest.php",
      run: "vendor/bin/pest",
      reason: "configures Pest",
      needs: brought("pestphp/pest"),
      otherwise,
    },
    {
      on: ["phpunit.xml", "phpunit.xml.dist", "phpunit.dist.xml"],
      run: "vendor/bin/phpunit",
      reason: "configures PHPUnit",
      needs: brought("phpunit/phpunit"),
      otherwise,
    },
  ],
  build: [
    {
      on: "artisan",
      run: ["cp .env.example .env", "php artisan key:generate"],
      reason: "runs a Laravel application, which has no settings yet",
      needs: { on: [".env.example"], or: "there is no .env.example to take settings from" },
    },
    { on: file, run: "composer validate --no-check-publish", reason: "describes a package" },
  ],
  untested: "declares no script for tests and configures no test runner",
});
