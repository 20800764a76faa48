/**
 * While a world runs, nothing in this process may ask the machine for the time or for chance, or have it call back:
 * whoever does is told so at once. Everything is as it was when the world has run.
 */

import { createRequire, syncBuiltinESMExports } from "node:module";

type Forbidden = { readonly in: object; readonly of: string; readonly names: readonly string[] };

const builtinCrypto = createRequire(import.meta.url)("node:crypto") as object;

const forbidden: readonly Forbidden[] = [
  { in: Date, of: "Date", names: ["now"] },
  { in: Math, of: "Math", names: ["random"] },
  { in: performance, of: "performance", names: ["now"] },
  { in: crypto, of: "crypto", names: ["getRandomValues", "randomUUID"] },
  {
    in: builtinCrypto,
    of: "node:crypto",
    names: ["randomBytes", "randomInt", "randomUUID", "randomFillSync"],
  },
  { in: process, of: "process", names: ["hrtime"] },
  {
    in: globalThis,
    of: "globalThis",
    names: ["setTimeout", "setInterval", "setImmediate", "queueMicrotask", "fetch"],
  },
];

/** @param run must be over when it returns: what it promises for later is not guarded. */
export function guarded<Value>(run: () => Value): Value {
  const before = forbidden.flatMap(({ in: object, of, names }) =>
    names.map((name) => ({ object, name, of, descriptor: Object.getOwnPropertyDescriptor(object, name) })),
  );
  const date = Date;
  for (const { object, name, of } of before)
    Object.defineProperty(object, name, {
      configurable: true,
      writable: true,
      value: refusal(`${of}.${name}`),
    });
  globalThis.Date = new Proxy(date, {
    construct: (target, given) =>
      given.length === 0 ? refusal("new Date()")() : (Reflect.construct(target, given) as object),
  });
  syncBuiltinESMExports();
  try {
    return run();
  } finally {
    globalThis.Date = date;
    for (const { object, name, descriptor } of before)
      // What an object only inherits is there again once its own is gone.
      if (descriptor === undefined) Reflect.deleteProperty(object, name);
      else Object.defineProperty(object, name, descriptor);
    syncBuiltinESMExports();
  }
}

function refusal(what: string): () => never {
  return () => {
    throw new Error(`Bug: ${what} is used while a world runs: its outcome would not be its seed's alone`);
  };
}
