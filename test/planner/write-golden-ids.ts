/** `npm run golden-ids`: writes the plan ids down as they are now. */

import { writeFileSync } from "node:fs";
import { goldenFile, goldenIds, goldenText } from "./golden-pipelines.ts";

writeFileSync(goldenFile, goldenText(await goldenIds()));
