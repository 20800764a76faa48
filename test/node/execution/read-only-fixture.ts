/**
 * Removes the folder named by its second argument within that named by its first, as the user whose id is the third, when
 * there is one. That user needs to reach neither this program nor what is above the first folder.
 */

import { remove } from "../../../node/edge/execution/cache-store.ts";

const [base = "", name = "", user] = process.argv.slice(2);
process.chdir(base);
if (user !== undefined) {
  process.setgid?.(Number(user));
  process.setuid?.(Number(user));
}
remove(name);
