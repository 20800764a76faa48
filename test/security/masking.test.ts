/**
 * A step that wants a secret of its own to get out, by all that others see of it: in whatever form, cut wherever it likes.
 * The canary is found in none of it.
 */

import { generateKeyPairSync } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import * as fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { noCredentials } from "../../node/edge/broker/gateway.ts";
import { secretsAmong } from "../../node/edge/execution/pass-variables.ts";
import type { Assignment } from "../../node/ports.ts";
import { Mask, Masker, maskOf } from "../../protocol/credentials/masker.ts";
import { limits } from "../../protocol/limits.ts";
import type { StepReport } from "../../protocol/report.ts";
import { makeSurroundings, type Surroundings } from "../node/execution/surroundings.ts";

const canary = "canary-7f3a9b2c51d84e60";
/** With all that quoting and escaping changes. */
const awkward = `c4n'ar"y $1&<b>\\/+=é\`!*(7f3a)`;

function maskFor(...secrets: readonly (string | Uint8Array)[]): Mask {
  const mask = maskOf(secrets.map((secret) => Buffer.from(secret)));
  if (!mask.ok) throw new Error(mask.problem);
  return mask.value;
}

const percent = (text: string): string => encodeURIComponent(text);
const lower = (text: string): string => text.replaceAll(/%../g, (escape) => escape.toLowerCase());
const html = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
const ascii = (text: string): string =>
  JSON.stringify(text).replaceAll(/[^\x20-\x7e]/g, (one) => `\\u00${one.charCodeAt(0).toString(16)}`);

/** How programs write a text, each on its own; not taken from the masker. */
const encoders: Readonly<Record<string, (secret: string) => string | Buffer>> = {
  "as it is": (secret) => secret,
  "a text of JSON": (secret) => JSON.stringify({ secret }),
  "a text of JSON in a text of JSON": (secret) => JSON.stringify(JSON.stringify({ secret })),
  "JSON of Python": (secret) => ascii(secret),
  "JSON of PHP": (secret) => JSON.stringify(secret).replaceAll("/", "\\/"),
  "a parameter of a URL": percent,
  "the same in lower case": (secret) => lower(percent(secret)),
  "a field of a form": (secret) => new URLSearchParams({ secret }).toString(),
  "every byte by percent": (secret) => Buffer.from(secret).toString("hex").replaceAll(/../g, "%$&"),
  "content of XML": html,
  "an attribute of XML": (secret) => html(secret).replaceAll("'", "&#39;"),
  "another way in XML": (secret) => html(secret).replaceAll("'", "&apos;"),
  "quoted for a shell": (secret) => `'${secret.replaceAll("'", "'\\''")}'`,
  "quoted as Python quotes it": (secret) => `'${secret.replaceAll("'", `'"'"'`)}'`,
  "quoted doubly": (secret) => `"${secret.replaceAll(/[\\"$`]/g, "\\$&")}"`,
  hex: (secret) => Buffer.from(secret).toString("hex"),
  "hex in upper case": (secret) => Buffer.from(secret).toString("hex").toUpperCase(),
  "hex, byte by byte": (secret) =>
    Buffer.from(secret)
      .toString("hex")
      .replaceAll(/..(?!$)/g, "$& "),
  "hex with colons": (secret) =>
    Buffer.from(secret)
      .toString("hex")
      .replaceAll(/..(?!$)/g, "$&:"),
  "a C string": (secret) => Buffer.from(secret).toString("hex").replaceAll(/../g, "\\x$&"),
  reversed: (secret) => Buffer.from(secret).reverse(),
  "UTF-16, little end first": (secret) => Buffer.from(secret, "utf16le"),
  "UTF-16, big end first": (secret) => Buffer.from(secret, "utf16le").swap16(),
  "base64 of UTF-16": (secret) => Buffer.from(secret, "utf16le").toString("base64"),
};

/** What is left of the text where the secret was. */
function left(masked: Buffer, around: { readonly before: number; readonly after: number }): string {
  return masked.subarray(around.before, masked.length - around.after).toString("latin1");
}

describe("a secret in what others see", () => {
  it.each(Object.keys(encoders))("is not there as %s", (name) => {
    for (const secret of [canary, awkward]) {
      const form = Buffer.from(encoders[name]?.(secret) ?? "");
      const masked = maskFor(secret).bytes(Buffer.concat([Buffer.from("said: "), form, Buffer.from(" .")]));
      expect(masked.length).toBe(form.length + 8);
      // Quotes and names around it may stay; of the secret itself nothing does.
      expect(left(masked, { before: 6, after: 2 })).toMatch(/^[\\"'{}:=a-z]{0,20}\*{20,}[\\"'{}=]{0,6}$/u);
    }
  });

  it.each([0, 1, 2])("is not there in base64 that begins %i bytes before it", (offset) => {
    for (const alphabet of ["base64", "base64url"] as const)
      for (const secret of [canary, awkward, "\xff\xfb>>?".repeat(3)]) {
        const text = Buffer.from(`${"x".repeat(offset)}${secret}yz`).toString(alphabet);
        const masked = maskFor(secret).text(text);
        // At each end a character may stay that a neighbour has the larger part in.
        expect(masked.replaceAll("*", "").length).toBeLessThanOrEqual(9);
      }
  });

  it("is not there line by line, when it is a key in PEM, nor in base64 with lines of its own", () => {
    const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
    const pem = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
    const mask = maskFor(pem);
    const lines = pem.split("\n").filter((line) => line.length > 20 && !line.startsWith("-----"));
    for (const line of lines) {
      expect(mask.text(`> ${line}`)).toBe(`> ${"*".repeat(line.length)}`);
      expect(mask.text(Buffer.from(line).toString("hex"))).toMatch(/^\*+$/u);
    }
    expect(mask.text(JSON.stringify(pem))).not.toContain(lines[3]?.slice(0, 8));
    const wrapped = Buffer.from(pem).toString("base64").replaceAll(/.{76}/g, "$&\n");
    expect(mask.text(wrapped).replaceAll(/[*\n]/g, "").length).toBeLessThan(12);
    // What everybody knows of a key stays readable.
    expect(mask.text(pem)).toContain("-----BEGIN PRIVATE KEY-----");
  });
});

/** What must be blanked out, by looking at each place for each form. */
function naively(text: string, forms: readonly string[]): string {
  const out = text.split("");
  for (const form of forms)
    for (let at = text.indexOf(form); at !== -1; at = text.indexOf(form, at + 1))
      out.fill("*", at, at + form.length);
  return out.join("");
}

describe("cutting", () => {
  const word = (longest: number): fc.Arbitrary<string> =>
    fc.array(fc.constantFrom("a", "b", "c"), { minLength: 1, maxLength: longest }).map((all) => all.join(""));

  it("does not help, wherever it is done, and all that is a form is masked and nothing else", () => {
    const forms = fc.array(word(7), { minLength: 1, maxLength: 8 });
    const pieces = fc.array(word(9), { maxLength: 30 });
    fc.assert(
      fc.property(forms, pieces, (wanted, chunks) => {
        const masker = new Masker(new Mask(wanted.map((form) => Buffer.from(form))));
        const out = chunks.map((chunk) => masker.push(Buffer.from(chunk)));
        const masked = Buffer.concat([...out, masker.end()]).toString();
        expect(masked).toBe(naively(chunks.join(""), wanted));
      }),
      { numRuns: 2_000 },
    );
  });

  it("does not help with real forms among real output", () => {
    const forms = Object.values(encoders).map((encode) => Buffer.from(encode(awkward)));
    const mask = maskFor(awkward, canary);
    const piece = fc.oneof(fc.constantFrom(...forms), fc.uint8Array({ maxLength: 40 }), fc.constant(canary));
    fc.assert(
      fc.property(
        fc.array(piece, { maxLength: 12 }),
        fc.array(fc.nat(), { maxLength: 20 }),
        (parts, cuts) => {
          const whole = Buffer.concat(parts.map((part) => Buffer.from(part)));
          const places = cuts.map((cut) => cut % (whole.length + 1)).sort((one, other) => one - other);
          const masker = new Masker(mask);
          const out = [0, ...places].map((from, index) =>
            masker.push(whole.subarray(from, places[index] ?? whole.length)),
          );
          expect(Buffer.concat([...out, masker.end()])).toEqual(mask.bytes(whole));
        },
      ),
      { numRuns: 500 },
    );
  });

  it("holds back no more than what may be the beginning of a form", () => {
    const masker = new Masker(maskFor(canary));
    expect(masker.push(Buffer.from("password for alder: ")).toString()).toBe("password for alder: ");
    expect(masker.push(Buffer.from("> cana")).toString()).toBe("> ");
    expect(masker.push(Buffer.from("l")).toString()).toBe("canal");
  });
});

describe("a value that is too short", () => {
  it("is refused with a sentence, and is not masked everywhere", () => {
    expect(maskOf([Buffer.from("abc")])).toMatchObject({
      ok: false,
      problem: expect.stringMatching(/3 bytes/u),
    });
    expect(maskFor("abcd").text("xabcdx")).toBe("x****x");
  });

  it("is no reason to take too much on: all together are bounded", () => {
    const one = Buffer.alloc(limits.maskedBytesMax, "k3y");
    expect(maskOf([one]).ok).toBe(true);
    expect(maskOf([one, Buffer.from("more")]).ok).toBe(false);
  });
});

let surroundings: Surroundings | null = null;
afterEach(async () => {
  await surroundings?.close();
  surroundings = null;
});

async function make(secrets: readonly string[] = [canary]): Promise<Surroundings> {
  surroundings = await makeSurroundings({
    credentials: {
      openSocket: () => Promise.reject(new Error("none of the steps has an image that needs it")),
      open: () =>
        Promise.resolve({
          ...noCredentials,
          variables: { TOKEN: secrets[0] ?? "" },
          secrets: secrets.map((secret) => Buffer.from(secret)),
        }),
    },
  });
  return surroundings;
}

async function run(
  commands: readonly string[],
  more: Partial<Assignment> = {},
): Promise<{ readonly report: StepReport; readonly log: string }> {
  const { start, witness } = surroundings ?? (await make());
  const id = start(commands, more);
  const report = await witness.report(id);
  const { happenings } = witness;
  expectNone(JSON.stringify(happenings));
  return { report, log: witness.log(id) };
}

/** The canary, and what it begins with: a cut one is half of it. */
function expectNone(text: string): void {
  for (const form of [canary, Buffer.from(canary).toString("base64"), Buffer.from(canary).toString("hex")])
    expect(text).not.toContain(form.slice(0, 14));
}

/** No file that the worker keeps has it. */
function expectNoneKept(folder: string): void {
  for (const place of ["blobs", "execution/logs"])
    for (const entry of readdirSync(join(folder, place), { recursive: true, withFileTypes: true }))
      if (entry.isFile()) expectNone(readFileSync(join(entry.parentPath, entry.name), "latin1"));
}

describe("a step with an exposed secret", () => {
  it("does not get it out by its output, nor by an error", async () => {
    const { log, report } = await run(['echo "out: $TOKEN"', 'echo "err: $TOKEN" >&2; exit 3']);
    expect(log).toBe(`out: ${"*".repeat(canary.length)}\nerr: ${"*".repeat(canary.length)}\n`);
    expect(report.tail).toBe(log);
  });

  it("does not get it out cut by two commands, or by waiting in the middle", async () => {
    const { log } = await run(['printf "${TOKEN%??????????}"', 'printf "${TOKEN#?????????????}"', "echo"]);
    expect(log).toBe(`${"*".repeat(canary.length)}\n`);
    const begun = await run(['printf "${TOKEN%??????????}"']);
    // Half of it is not it; that much is said in the page on what masking cannot do.
    expect(begun.log).toHaveLength(13);
  }, 60_000);

  it("does not get it out by a long log, which is stored", async () => {
    const made = await make();
    const { report } = await run([
      'x="$TOKEN and $(printf %s "x$TOKEN" | base64)"; for i in 1 2 3 4 5 6 7 8 9 10; do x="$x and $x"; done; echo "$x"',
    ]);
    expect(report.log.digest).not.toBeNull();
    expect(await made.blobs.readBytes(report.log.digest ?? "", 1_000_000)).toHaveLength(report.log.bytes);
    expectNoneKept(made.folder);
  }, 60_000);

  it("does not get it out by its values, or its outcome", async () => {
    const values = [{ name: "version", type: "string" as const }];
    const said = await run(['echo "version=1.0-$TOKEN" >> $OTTO_VALUES'], { values });
    expect(said.report.values).toEqual({ version: `1.0-${"*".repeat(canary.length)}` });
    // In sentences that quote the beginning of what was said, too.
    const wrong = await run([`echo "version=${"x".repeat(27)}$TOKEN" >> $OTTO_VALUES`], {
      values: [{ name: "version", type: "number" }],
    });
    expect(wrong.report.problem).toMatch(/not a number/u);
    const outcome = await run([`echo "${"x".repeat(85)}$TOKEN" > $OTTO_OUTCOME`], { outcomes: ["fine"] });
    expect(outcome.report.problem).toMatch(/does not declare/u);
    const name = await run(['echo "$TOKEN=1" >> $OTTO_VALUES'], { values });
    expect(name.report.problem).toMatch(/says a value "\*+"/u);
  });

  it("does not get it out by the names of its tests, however they are spelled", async () => {
    const spelled = canary
      .split("")
      .map((one) => `&#${one.charCodeAt(0)};`)
      .join("");
    const report = (name: string): string =>
      `echo '<testsuite><testcase name="${"x".repeat(limits.testNameCharactersMax - 20)}${name}"><failure/></testcase></testsuite>' > r.xml`;
    const reports = [{ format: "junit" as const, files: ["r.xml"] }];
    const spelledOut = await run([report(spelled)], { reports });
    expect(spelledOut.report.tests?.failures[0]).toMatch(/x\*+…$/u);
    const plain = await run([`TEXT=$(printf %s "$TOKEN"); ${report("'$TEXT'")}`], { reports });
    expect(plain.report.outputs).toEqual([]);
    expect(plain.log).toMatch(/report junit: not kept: .*has a secret of the step in it/u);
  });
});

describe("an output of a step with an exposed secret", () => {
  it.each([
    ["in a file", 'mkdir out; echo "key: $TOKEN" > out/config'],
    ["in base64 in a file", 'mkdir out; printf "x$TOKEN" | base64 > out/config'],
    ["as the name of a file", 'mkdir out; echo hello > "out/$TOKEN"'],
    ["as where a link leads", 'mkdir out; ln -s "$TOKEN" out/link'],
  ])("is refused that has it %s", async (_, command) => {
    const made = await make();
    const { report } = await run([command], { outputs: [{ name: "site", files: ["out"] }] });
    expect(report.outcome).toBe("failed");
    expect(report.problem).toMatch(/The output "site" is refused: ".*" has a secret of the step in it/u);
    expect(report.outputs).toEqual([]);
    expectNoneKept(made.folder);
  });

  it("does not begin when its secret cannot be masked", async () => {
    await make(["abc"]);
    const { report, log } = await run(["echo $TOKEN"]);
    expect(report.problem).toMatch(/A secret of 3 bytes cannot be masked/u);
    expect(log).toBe("");
  });
});

describe("a variable that the operator of a worker has steps get", () => {
  it("is masked when it is called like a credential, and a password in a URL as well", async () => {
    const passVariables = {
      NPM_TOKEN: canary,
      HTTPS_PROXY: "http://ada:l0velace-1843@proxy.example:3128",
      AUTH: "no",
      EDITOR: "editors-are-none",
    };
    expect(secretsAmong(passVariables).map(String)).toEqual([canary, "l0velace-1843"]);
    const { run, close } = await makeSurroundings({ passVariables });
    try {
      const { tail } = await run(['echo "$NPM_TOKEN $HTTPS_PROXY $AUTH $EDITOR"']);
      expect(tail).toBe(
        `${"*".repeat(canary.length)} http://ada:${"*".repeat(13)}@proxy.example:3128 no editors-are-none\n`,
      );
    } finally {
      await close();
    }
  });
});
