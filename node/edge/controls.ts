/** What people ask of a domain's control peers as such: who they are, and that others take their place. */

import type { AnswerItem, ControlSeen } from "../../protocol/calls.ts";
import { OttoError } from "../../protocol/errors.ts";
import type { Configurations } from "../core/configurations.ts";
import type { Answer, ControlInput } from "../core/effects.ts";
import { namesKept, type NodeHost } from "./node-host.ts";

/** Every control peer of the charter, and every other one that is linked: those could become members. */
export async function controlsSeen(
  host: NodeHost,
  configurations: Configurations | null,
  home: () => string | null,
): Promise<Extract<AnswerItem, { kind: "control" }>> {
  const { membership, network, identity, config, store } = host;
  const listed = membership.charter.controls.map(({ peer }) => peer);
  const names = await namesKept(host, listed);
  const { controls } = membership.charter;
  const linked = [...network.links].filter(([, { role }]) => role === "control").map(([peer]) => peer);
  const peers = new Set([...listed, identity.peer, ...linked]);
  const seen = [...peers].map((peer): ControlSeen => {
    const isHome = peer === home();
    if (peer === identity.peer) {
      const configuration = configurations?.installed?.charter.configuration ?? 0;
      const { addresses } = network;
      return { peer, name: config.name, state: "self", isHome, addresses, store, configuration };
    }
    const link = network.links.get(peer);
    const spoken = configurations?.spoken.get(peer);
    return {
      peer,
      name: link?.name ?? names.get(peer) ?? "",
      state: link === undefined ? "unlinked" : "linked",
      isHome,
      addresses: spoken?.addresses ?? controls.find((control) => control.peer === peer)?.addresses ?? [],
      store: spoken?.store ?? "",
      configuration: spoken?.configuration ?? 0,
    };
  });
  return { kind: "control", charter: membership.charterBytes, controls: seen };
}

/** Asks this home to let other control peers take over. Throws what the owner must know. */
export async function recharter(
  host: NodeHost,
  charter: Uint8Array,
  post: (input: ControlInput) => void,
): Promise<void> {
  const answer = await host.questions.ask((question) =>
    post({ kind: "recharter", bytes: charter, question }),
  );
  if (!answer.ok) throw recharterRefused(answer);
}

function recharterRefused({ reason, detail }: Extract<Answer, { ok: false }>): OttoError {
  const state = "The domain's control peers are who they were.";
  if (reason === "not-home")
    return new OttoError("OTTO_UNREACHABLE", {
      what: "The domain cannot decide now: no more than half of its control peers can be reached.",
      state,
      next: "Try again when they are back. If they are lost for good: otto control restore --help",
    });
  if (reason === "absent")
    return new OttoError("OTTO_UNREACHABLE", {
      what: `With these control peers the domain would stand still: ${detail}.`,
      state,
      next: "Start the ones that are missing, wait until `otto control ls` shows them linked, and try again.",
    });
  if (reason === "stranger")
    return new OttoError("OTTO_REFUSED", {
      what: "Only the owner of the domain says who its control peers are, and this is not the owner's signature.",
      state,
      next: "Do it where the owner's key is, or name it with --owner-key.",
    });
  return new OttoError("OTTO_REFUSED", {
    what: `The domain does not take these control peers: ${detail}.`,
    state,
    next: "Look with `otto control ls` and try again.",
  });
}
