/** The person at this command line: one key for this user, and what it may show in each domain it belongs to. */

import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ottoHome } from "../node/edge/data-folder.ts";
import { type Identity, openIdentity } from "../node/edge/identity.ts";
import { type Charter, openCharter } from "../protocol/membership.ts";
import { OttoError } from "../protocol/errors.ts";

export type Standing = { readonly domain: string; readonly certificate: Uint8Array };

export function person(): Identity {
  return openIdentity(join(ottoHome(), "person.key"));
}

/** Remembers that this person belongs to a domain. */
export function keepStanding(charter: Charter, charterBytes: Uint8Array, certificate: Uint8Array): void {
  const folder = join(ottoHome(), "domains", charter.domain);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  writeFileSync(join(folder, "charter"), charterBytes, { mode: 0o600 });
  writeFileSync(join(folder, "certificate"), certificate, { mode: 0o600 });
}

/**
 * What this person may show in a domain: named, or the one that the asked peer is a control peer of, or the only one.
 *
 * @param named the domain's name or id; null when the command named none.
 * @param peer who is asked; null when that says nothing about the domain.
 */
export function standing(named: string | null, peer: string | null = null): Standing {
  const root = join(ottoHome(), "domains");
  const all = listFolders(root).flatMap((domain) => {
    const charter = openCharter(readFileSync(join(root, domain, "charter")), domain, person());
    return charter.ok ? [{ charter: charter.value, folder: join(root, domain) }] : [];
  });
  const fitting = all.filter(
    ({ charter }) => named === null || charter.name === named || charter.domain === named,
  );
  const asked = fitting.filter(({ charter }) => charter.controls.some((control) => control.peer === peer));
  const [only] = asked.length === 1 ? asked : fitting;
  if (only !== undefined && (asked.length === 1 || fitting.length === 1))
    return { domain: only.charter.domain, certificate: readFileSync(join(only.folder, "certificate")) };
  // Two domains may have one name; their ids differ.
  const names = fitting.map(({ charter }) => `${charter.name}: ${charter.domain}`).join(", ");
  throw new OttoError("OTTO_NOT_A_MEMBER", {
    what:
      fitting.length === 0
        ? `This user belongs to no domain${named === null ? "" : ` called ${named}`}.`
        : `This user belongs to several domains (${names}).`,
    state: "Nothing was done.",
    next:
      fitting.length === 0
        ? "Join one with `otto join CODE`."
        : "Name one with --domain, by its name or its id.",
  });
}

/** The charter of a domain that this person belongs to, as it was when the person joined or was certified last. */
export function charterOfStanding(domain: string): Charter | null {
  const path = join(ottoHome(), "domains", domain, "charter");
  const charter = existsSync(path) ? openCharter(readFileSync(path), domain, person()) : null;
  return charter?.ok === true ? charter.value : null;
}

function listFolders(root: string): string[] {
  try {
    return readdirSync(root).toSorted();
  } catch {
    return [];
  }
}
