/** Secrets and their uses as tables. There is no value in any of it. */

import type { CredentialUse } from "../../protocol/calls.ts";
import { originOf } from "../../protocol/credentials/secret.ts";
import { sshPlaceWords } from "../../protocol/credentials/ssh-place.ts";
import type { OpenedSecret } from "../../protocol/credentials/sealed-secret.ts";
import { momentWords } from "../words.ts";
import { paint } from "./line.ts";
import { tableLines } from "./table.ts";

type SeenSecret = OpenedSecret & { readonly todo: string | null };
type Options = {
  readonly color: boolean;
  /** Of the terminal; null in a pipe, where nothing is cut. */
  readonly columns: number | null;
};

/** What is left to do about one is below the table: it is a whole sentence. */
export function secretsTable(secrets: readonly SeenSecret[], options: Options): readonly string[] {
  if (secrets.length === 0) return ["No secrets. Set one with `otto secret set`."];
  const rows = secrets.map(({ secret, by, timeMs }) => [
    { text: secret.name },
    { text: secret.kind },
    { text: secret.class },
    { text: String(secret.version) },
    { text: placesOf(secret).join(" ") },
    { text: momentWords(timeMs) },
    { text: by },
  ]);
  const titles = ["SECRET", "KIND", "CLASS", "VERSION", "TO", "SET", "BY"];
  const todo = secrets.flatMap(({ secret: { name }, todo: what }) =>
    what === null
      ? []
      : [paint([{ text: `${name}: ${what}`, style: "yellow" }], { width: null, color: options.color })],
  );
  return [...lines(titles, rows, options), ...todo];
}

/** Where a secret may be sent. */
export function placesOf({ destinations, logins }: OpenedSecret["secret"]): readonly string[] {
  return [...destinations.map(originOf), ...logins.map(sshPlaceWords)];
}

export function usesTable(uses: readonly CredentialUse[], options: Options): readonly string[] {
  if (uses.length === 0) return ["No uses."];
  const rows = uses.map((use) => [
    { text: momentWords(use.atMs) },
    { text: use.secret },
    { text: use.run },
    { text: use.step },
    { text: use.submitter },
    { text: use.method },
    { text: use.template },
    { text: use.what === "refused" ? "refused" : use.status === 0 ? "-" : String(use.status) },
    { text: String(use.sentBytes) },
    { text: String(use.receivedBytes) },
  ]);
  const titles = ["AT", "SECRET", "RUN", "STEP", "BY", "METHOD", "PATH", "STATUS", "SENT", "RECEIVED"];
  return lines(titles, rows, options);
}

function lines(
  titles: readonly string[],
  rows: readonly (readonly { readonly text: string }[])[],
  { columns, color }: Options,
): readonly string[] {
  const headings = titles.map((title) => ({ title }));
  return tableLines(headings, rows).map((line) => paint(line, { width: columns, color }));
}
