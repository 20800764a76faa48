/** A real SSH server on this machine. */

import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { userInfo } from "node:os";
import { join } from "node:path";
import { freePort } from "../../cli/free-port.ts";

export type SshServer = {
  readonly port: number;
  /** Its host key, as in `known_hosts` behind the name. */
  readonly line: string;
  readonly process: ChildProcess;
};

/** Lets the keys in. The caller ends it. */
export async function serveSsh(place: string, authorized: string): Promise<SshServer> {
  mkdirSync(place);
  const own = join(place, "host_key");
  execFileSync("ssh-keygen", ["-q", "-N", "", "-t", "ecdsa", "-f", own]);
  writeFileSync(join(place, "authorized"), authorized, { mode: 0o600 });
  const port = await freePort();
  const settings = [
    `HostKey ${own}`,
    `ListenAddress 127.0.0.1:${port}`,
    `AuthorizedKeysFile ${join(place, "authorized")}`,
    "StrictModes no",
    "UsePAM no",
    "PidFile none",
    "PermitRootLogin yes",
    "PasswordAuthentication no",
    "AllowAgentForwarding yes",
  ];
  writeFileSync(join(place, "sshd_config"), `${settings.join("\n")}\n`);
  if (userInfo().uid === 0) mkdirSync("/run/sshd", { recursive: true });
  const server = spawn("/usr/sbin/sshd", ["-D", "-e", "-f", join(place, "sshd_config")], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  for await (const chunk of server.stderr as AsyncIterable<Buffer>)
    if (chunk.includes("Server listening")) break;
  const line = readFileSync(`${own}.pub`, "utf8").split(" ").slice(0, 2).join(" ");
  return { port, line, process: server };
}
