/**
 * What a sandbox has as `/etc`: a copy of what programs look up there and what everybody may read anyway, made anew when the
 * machine's changes. One folder is one mount; each file of its own took longer than all else of a sandbox together.
 */

import {
  chmodSync,
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";

/** Users, names, certificates, the dynamic linker, tools: nothing in it is a secret. */
const names = (
  "passwd group nsswitch.conf hosts host.conf services protocols resolv.conf localtime " +
  "timezone os-release debian_version machine-id login.defs shells ld.so.cache ld.so.conf ld.so.conf.d " +
  "alternatives profile profile.d bash.bashrc ssl pki ca-certificates ca-certificates.conf crypto-policies " +
  "gai.conf inputrc mime.types magic magic.mime fonts terminfo gitconfig locale.alias " +
  "xml sgml perl python3 java-11-openjdk java-17-openjdk java-21-openjdk maven gradle " +
  "R"
).split(" ");

export class Settings {
  readonly #folder: string;
  #copies = 0;
  #stamp = "";

  /** @param folder for copies, that slots' users get to. What earlier ones left there is removed. */
  constructor(folder: string) {
    this.#folder = join(folder, "settings");
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** The copy as of now. Older ones stay for the steps that have them. */
  current(): string {
    const stamp = names
      .map((name) => statSync(join("/etc", name), { throwIfNoEntry: false })?.mtimeMs ?? 0)
      .join(" ");
    if (stamp !== this.#stamp) {
      this.#copies += 1;
      const place = join(this.#folder, String(this.#copies));
      makeFolder(place);
      chmodSync(this.#folder, 0o755);
      for (const name of names) {
        const path = join("/etc", name);
        // A link may lead to a place that is not there inside: what counts is what it leads to.
        if (existsSync(path)) copy(realpathSync(path), join(place, name));
      }
      if (!existsSync(join(place, "passwd"))) writeFileSync(join(place, "passwd"), "");
      this.#stamp = stamp;
    }
    return join(this.#folder, String(this.#copies));
  }
}

/** Only what everybody may read. */
function copy(from: string, to: string): void {
  const found = lstatSync(from);
  if (found.isSymbolicLink()) symlinkSync(readlinkSync(from), to);
  else if ((found.mode & 0o004) === 0) return;
  else if (found.isFile()) {
    copyFileSync(from, to);
    chmodSync(to, found.mode & 0o755);
  } else if (found.isDirectory()) {
    makeFolder(to);
    for (const name of readdirSync(from)) copy(join(from, name), join(to, name));
  }
}

function makeFolder(path: string): void {
  mkdirSync(path, { recursive: true });
  chmodSync(path, 0o755);
}
