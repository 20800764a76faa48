/** The program of a worker: `worker FOLDER`. */

import { runNodeProcess } from "./node-process.ts";
import { startWorker } from "./worker-node.ts";

await runNodeProcess(startWorker);
