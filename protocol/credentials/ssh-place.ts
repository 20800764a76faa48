/** Whom a step logs in as by SSH, and where, as a pipeline file says it. */

export const hostPattern = /^(\[[0-9a-f:.]+\]|[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?)$/u;
/** No client takes a user that begins like an option for anything else. */
export const userPattern = /^[A-Za-z0-9_][A-Za-z0-9_.+-]{0,99}$/u;

export type SshPlace = { readonly user: string; readonly host: string; readonly port: number };

/** `deploy@host.example.org`, with `:PORT` where it is not 22, and with `ssh://` before it or without. Null: it is none. */
export function sshPlaceOf(to: string): SshPlace | null {
  const [, user = "", host = "", port = "22"] =
    /^(?:ssh:\/\/)?([^@:/\s]+)@(\[[0-9a-fA-F:.]+\]|[^@:/\s[\]]+)(?::(\d{1,5}))?$/u.exec(to) ?? [];
  const place = { user, host: host.toLowerCase(), port: Number(port) };
  const isPlace = userPattern.test(user) && hostPattern.test(place.host);
  return isPlace && place.port > 0 && place.port < 65_536 ? place : null;
}

export function sshPlaceWords({ user, host, port }: SshPlace): string {
  return `${user}@${host}${port === 22 ? "" : `:${port}`}`;
}

export function isSamePlace(one: SshPlace, other: SshPlace): boolean {
  return one.user === other.user && one.host === other.host && one.port === other.port;
}
