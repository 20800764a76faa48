/** Makes domains: the founder's folder, and the folders of the embedded mesh. */

import { randomBytes } from "node:crypto";
import { type Certificate, lifeMs, sealCertificate } from "../../protocol/certificate.ts";
import { type Charter, domainId, type Role, sealCharter } from "../../protocol/membership.ts";
import type { Signer } from "../../protocol/envelope.ts";
import { DataFolder, newStoreName, type NodeConfig } from "./data-folder.ts";
import { openIdentity } from "./identity.ts";
import { ownerOfFolder, ownersOf } from "./owner.ts";

export type Founding = {
  readonly folder: string;
  readonly domainName: string;
  /** How many control peers the domain will have. */
  readonly size: number;
  readonly config: NodeConfig;
  readonly person: string;
  readonly leaseMs: number;
};

/** Makes the founder's folder: its key, the domain's owner key, the charter, certificates for peer and person. */
export function foundDomain(founding: Founding): Charter {
  const { config, size, domainName: name, leaseMs } = founding;
  const folder = new DataFolder(founding.folder);
  folder.create();
  const owner = ownerOfFolder(folder, config);
  const peer = openIdentity(folder.key);
  const domain = domainId(name, owner.peer);
  const store = newStoreName();
  folder.write("store", Buffer.from(store));
  const controls = [{ peer: peer.peer, store, addresses: config.listen }];
  const charter: Charter = {
    otto: "charter/1",
    domain,
    name,
    owner: owner.peer,
    ...(config.owners === undefined ? {} : { owners: ownersOf(config.owners) }),
    version: 1,
    configuration: 1,
    size,
    controls,
    former: [],
    leaseMs,
  };
  folder.write("charter", sealCharter(charter, owner));
  folder.write(
    "certificate",
    certify(owner, charter, { peer: peer.peer, role: "control", name: config.name }),
  );
  const person = { peer: founding.person, role: "person", name: config.name } as const;
  folder.write("person.cert", certify(owner, charter, person));
  folder.saveConfig(config);
  return charter;
}

/** A certificate signed by the domain's owner, or by a control peer. */
export function certify(
  signer: Signer,
  charter: Charter,
  subject: { readonly peer: string; readonly role: Role; readonly name: string },
): Uint8Array {
  const expiresMs = Date.now() + lifeMs(subject.role);
  const certificate: Certificate = { otto: "certificate/1", ...subject, expiresMs };
  return sealCertificate(charter.domain, certificate, signer);
}

/** Gives the founder's peer another address: the next version of the charter. */
export function moveFounder(folder: DataFolder, charter: Charter, listen: readonly string[]): Uint8Array {
  const owner = ownerOfFolder(folder);
  const controls = charter.controls.map((control, index) =>
    index === 0 ? { ...control, addresses: listen } : control,
  );
  const bytes = sealCharter({ ...charter, version: charter.version + 1, controls }, owner);
  folder.write("charter", bytes);
  return bytes;
}

/** A short name for a thing that nobody named. */
export function randomName(prefix: string): string {
  return `${prefix}-${randomBytes(2).toString("hex")}`;
}
