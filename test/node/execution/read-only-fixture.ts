/** Removes the folder named by its argument, as the user that it is run by. */

import { remove } from "../../../node/edge/execution/cache-store.ts";

remove(process.argv[2] ?? "");
