/**
 * Single messages in place of a network's moods: a world in which some messages were late becomes one in which every
 * link is even, and each of those messages says of itself how late it is.
 */

import type { Fault } from "./faults.ts";
import type { Carried, MessageFate } from "./network.ts";
import type { Schedule } from "./schedule.ts";
import type { Checker } from "./observation.ts";
import { runWorld } from "./world.ts";

/** What makes messages late and does nothing else. */
const moods: ReadonlySet<string> = new Set<Fault["kind"]>(["one-way", "slow-network"]);

/**
 * The schedule with its moods told message by message, and then with each message's own time too. Neither need end as
 * the schedule does: who is told of a message earlier says something else from then on.
 *
 * @param checkers those that see what is broken in it.
 */
export async function messagesInPlaceOfMoods(
  schedule: Schedule,
  checkers: readonly Checker[],
): Promise<Schedule[]> {
  const carried: Carried[] = [];
  await runWorld({
    schedule,
    // What was sent after the promise was broken did not break it.
    checkers,
    encoded: false,
    carried: (message) => carried.push(message),
  });
  const [least, most] = schedule.delayUs;
  const faults = schedule.faults.filter(({ kind }) => !moods.has(kind));
  const slowerThan = (us: number): MessageFate[] =>
    carried
      .filter(({ takesUs }) => takesUs > us)
      .map(({ takesUs, ...message }) => ({ ...message, fate: "delay", delayUs: takesUs }));
  return [
    ...(faults.length < schedule.faults.length ? [{ ...schedule, faults, fates: slowerThan(most) }] : []),
    ...(most > least
      ? [{ ...schedule, faults, delayUs: [least, least] as const, fates: slowerThan(least) }]
      : []),
  ];
}
