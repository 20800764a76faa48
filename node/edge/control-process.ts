/** The program of a control peer: `control FOLDER`. */

import { startControl } from "./control-node.ts";
import { runNodeProcess } from "./node-process.ts";

await runNodeProcess(startControl);
