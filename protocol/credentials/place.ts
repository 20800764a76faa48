/** The place that a credential is for, as a plan names it. */

import { pathProblem } from "./paths.ts";

/** A URL, or a host alone, taken apart. Null: it is neither, or says more than a place. */
export function placeOf(to: string): {
  readonly scheme: "https" | "http";
  readonly host: string;
  readonly port: number;
  readonly prefix: string;
} | null {
  const [, scheme = "https", host, port, path = ""] =
    /^(?:(https?):\/\/)?([^/:@?#\\\s]+|\[[0-9a-fA-F:.]+\])(?::(\d{1,5}))?(\/[^?#\s]*)?$/u.exec(to) ?? [];
  if (host === undefined || (scheme !== "https" && scheme !== "http")) return null;
  const prefix = path.replace(/\/$/u, "");
  if (prefix !== "" && pathProblem(prefix) !== null) return null;
  return { scheme, host: host.toLowerCase(), port: Number(port ?? (scheme === "https" ? 443 : 80)), prefix };
}
