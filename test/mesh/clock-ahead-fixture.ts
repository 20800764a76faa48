/** Loaded into a process of a mesh before its own code: the wall clock of that process is ahead of the machine's. */

const aheadMs = Number(process.env["CLOCK_AHEAD_MS"]);
const machine = Date.now;
Date.now = () => machine() + aheadMs;
