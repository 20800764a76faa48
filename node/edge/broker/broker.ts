/**
 * The broker of a control peer: takes streams that belong to a credential of a running attempt, and uses the credential in
 * the step's name. The step never has it, and neither has its worker.
 *
 *   stream --hello--> is this lease the newest, and its worker the peer on the line? --> is the plan's credential within
 *   what the secret is for? --> the vault opens it --> a grant, shared by all streams of attempt and credential
 *
 * A grant ends as soon as the table of this control peer shows another lease, or none, or nobody has been home for as
 * long as a lease lasts.
 */

import type { Stream } from "@libp2p/interface";
import {
  type BrokerAnswer,
  brokerHelloBytesMax,
  type BrokerHello,
  decodeHello,
  encodeAnswer,
} from "../../../protocol/credentials/hello.ts";
import { openIssuer, type StepClaims } from "../../../protocol/credentials/issuer.ts";
import { bind, type Binding, bindLogin, originOf } from "../../../protocol/credentials/secret.ts";
import { type OpenedSecret, openSecret } from "../../../protocol/credentials/sealed-secret.ts";
import { placeholderOf } from "../../../protocol/credentials/variables.ts";
import type { Verifier } from "../../../protocol/envelope.ts";
import { failure, type Result, success } from "../../../protocol/errors.ts";
import { encodeFrame } from "../../../protocol/frames.ts";
import { limits } from "../../../protocol/limits.ts";
import type { Charter } from "../../../protocol/membership.ts";
import type { StepCredential } from "../../../protocol/plan.ts";
import type { LeasedStep } from "../../core/leased-step.ts";
import { wordsOf } from "../error-words.ts";
import type { Audit } from "./audit.ts";
import { Grant } from "./grants.ts";
import { MintedTokens } from "./minted-tokens.ts";
import { ExposedGrant } from "./exposed-grant.ts";
import { HttpBroker } from "./http-broker.ts";
import { SshBroker, SshGrant } from "./ssh-broker.ts";
import { StreamDuplex } from "./stream-duplex.ts";
import type { Resolver } from "./upstream.ts";
import type { Vault } from "./vault.ts";

export type BrokerSources = {
  readonly keys: Verifier;
  charter(): Charter;
  leased(run: string, index: number): LeasedStep | null;
  /** Why a leased step has not passed the gate that the domain's policy demands; null: it has, or there is none. */
  whyNotPermitted(run: string, index: number): string | null;
  /** Whether the domain's owner lets steps have this secret itself. */
  mayExpose(secret: string): boolean;
  /** What a token says of a leased step; null: it is not leased. */
  claims(run: string, index: number): StepClaims | null;
  /** The document of the domain as an issuer of tokens. */
  issuer(): Uint8Array | null;
  wallMs(): number;
  secret(name: string): { readonly version: number; readonly bytes: Uint8Array } | null;
  /** True while this control peer follows a home, or is it. */
  isLed(): boolean;
  nowMs(): number;
  readonly resolve?: Resolver;
};

type AnyGrant = Grant | SshGrant | ExposedGrant;

export class Broker {
  readonly #sources: BrokerSources;
  readonly #vault: Vault;
  readonly #audit: Audit;
  readonly #http: HttpBroker;
  readonly #ssh: SshBroker;
  readonly #grants = new Map<string, Promise<Result<AnyGrant, string>>>();
  readonly #open = new Set<AnyGrant>();
  readonly #streams = new Map<string, number>();
  #leaderlessSinceMs: number | null = null;

  constructor(sources: BrokerSources, { vault, audit }: { readonly vault: Vault; readonly audit: Audit }) {
    this.#sources = sources;
    this.#vault = vault;
    this.#audit = audit;
    this.#http = new HttpBroker(audit);
    this.#ssh = new SshBroker(audit);
  }

  /** @param peer on the other side of the connection that the stream came by. */
  accept(stream: Stream, peer: string): void {
    const open = (this.#streams.get(peer) ?? 0) + 1;
    if (open > limits.brokerStreamsPerPeerMax) return stream.abort(new Error("too many streams"));
    this.#streams.set(peer, open);
    const duplex = new StreamDuplex(stream);
    // Whoever writes to it is told; without a listener it would end the process.
    duplex.on("error", () => undefined);
    duplex.once("close", () => {
      const left = (this.#streams.get(peer) ?? 1) - 1;
      if (left === 0) this.#streams.delete(peer);
      else this.#streams.set(peer, left);
    });
    this.#greet(duplex, peer).catch(() => duplex.destroy());
  }

  /** To be called whenever a decision may have changed a lease: cheap while nothing is brokered. */
  recheck(): void {
    if (this.#open.size === 0) return;
    const isLed = this.#sources.isLed();
    this.#leaderlessSinceMs = isLed ? null : (this.#leaderlessSinceMs ?? this.#sources.nowMs());
    for (const grant of this.#open) if (!this.#holds(grant)) this.#end(grant);
  }

  close(): void {
    for (const grant of this.#open) this.#end(grant);
  }

  async #greet(duplex: StreamDuplex, peer: string): Promise<void> {
    const said = decodeHello(await duplex.firstFrame(brokerHelloBytesMax));
    if (!said.ok) throw new Error(said.problem);
    const granted = await this.#grantFor(said.value, peer);
    if (granted.ok && granted.value instanceof ExposedGrant) return this.#give(duplex, granted.value);
    duplex.write(encodeFrame(encodeAnswer(answerOf(granted))));
    if (!granted.ok) return void duplex.end();
    const grant = granted.value;
    // It may have ended while the vault was asked.
    if (!this.#open.has(grant)) return void duplex.destroy();
    grant.life.carries(duplex);
    if (grant instanceof SshGrant) await this.#ssh.accept(duplex, grant);
    else if (grant instanceof Grant) this.#http.accept(duplex, grant, said.value.host);
  }

  /** The value, for the step itself. */
  async #give(duplex: StreamDuplex, grant: ExposedGrant): Promise<void> {
    const value = await grant.value().catch((error: unknown) => wordsOf(error));
    if (!this.#open.has(grant)) return void duplex.destroy();
    if (typeof value !== "string") {
      const sizes = { sentBytes: 0, receivedBytes: value.length };
      this.#audit.used(grant, { method: "EXPOSE", template: grant.as, status: 0, ...sizes });
    }
    const why = `The secret ${grant.binding.name} could not be opened`;
    const answer = typeof value === "string" ? { why: `${why}: ${value}.` } : { why: null, value };
    duplex.end(encodeFrame(encodeAnswer(answer)));
  }

  async #grantFor(hello: BrokerHello, peer: string): Promise<Result<AnyGrant, string>> {
    const { run, index, attempt, token, credential } = hello;
    if (!this.#sources.isLed())
      return failure("This control peer does not know who is home now: try again when it does.");
    const leased = this.#sources.leased(run, index);
    const isNewest = leased !== null && leased.attempt === attempt && leased.token === token;
    if (!isNewest || leased.worker !== peer)
      return failure(
        "The credential is for a step whose lease this worker does not have, as far as this control peer knows.",
      );
    const key = [run, index, attempt, token, credential].join(" ");
    let granted = this.#grants.get(key);
    if (granted === undefined) {
      granted = this.#make(leased, credential, () => this.#grants.delete(key));
      this.#grants.set(key, granted);
    }
    const result = await granted;
    // What was refused may be put right meanwhile.
    if (!result.ok && this.#grants.get(key) === granted) this.#grants.delete(key);
    return result;
  }

  async #make(leased: LeasedStep, name: string, forget: () => void): Promise<Result<AnyGrant, string>> {
    const charter = this.#sources.charter();
    const credential = leased.credentials.find((known) => known.name === name);
    if (credential === undefined)
      return failure(`The plan gives the step ${leased.step} no credential ${name}.`);
    const unpermitted = this.#sources.whyNotPermitted(leased.run, leased.index);
    if (unpermitted !== null)
      return failure(`The step ${leased.step} has not passed its gate: ${unpermitted}.`);
    const { owner } = leased;
    if (owner !== null && owner !== charter.name && charter.name !== "local")
      return failure(
        `The credential ${name} is the domain ${owner}'s, and this is the domain ${charter.name}.`,
      );
    const record = this.#sources.secret(name);
    if (record === null) return failure(noSecret(name, charter.name));
    const opened = openSecret(record.bytes, { name, version: record.version }, charter, this.#sources.keys);
    if (!opened.ok) return failure(`The record of the secret ${name} does not hold: ${opened.problem}.`);
    const made = await this.#grantOf(leased, credential, opened.value);
    if (!made.ok) return made;
    const grant = made.value;
    grant.life.signal.addEventListener("abort", forget, { once: true });
    this.#open.add(grant);
    this.#leaderlessSinceMs = null;
    if (!this.#holds(grant)) {
      this.#end(grant);
      return failure("The lease of the step ended.");
    }
    return success(grant);
  }

  #grantOf(
    leased: LeasedStep,
    credential: StepCredential,
    opened: OpenedSecret,
  ): Promise<Result<AnyGrant, string>> {
    if (credential.expose !== undefined) return this.#forItself(leased, credential, opened);
    if (credential.kind === "ssh") return this.#forLogins(leased, credential, opened);
    return this.#forRequests(leased, credential, opened);
  }

  /** For the step itself: its plan says so, and so must whoever set the secret, and the owner of the domain. */
  async #forItself(
    leased: LeasedStep,
    credential: StepCredential,
    { secret, header, sealed: body }: OpenedSecret,
  ): Promise<Result<ExposedGrant, string>> {
    const { name, kind, to } = credential;
    const bound = bind(credential, secret);
    if (!bound.ok) return bound;
    if (secret.class !== "exposed")
      return failure(`The secret ${name} is given to no step: whoever set it has not said \`--exposable\`.`);
    if (!this.#sources.mayExpose(name))
      return failure(
        `The secret ${name} is given to no step: the domain's policy does not name it in \`expose\`.`,
      );
    const open = async (): Promise<Uint8Array> => {
      if (!this.#mayStill(grant)) throw new Error("the step may use it no more");
      if (kind === "oidc")
        return Buffer.from(
          await this.#tokens(leased, bound.value, { audience: to, grant: () => grant }).token(),
        );
      const value = await this.#vault.open({ header, body, origin: null });
      if ("why" in value) throw new Error(value.why);
      return value.value;
    };
    const grant = new ExposedGrant(leased, credential, open);
    return success(grant);
  }

  async #forRequests(
    leased: LeasedStep,
    credential: StepCredential,
    { secret, header, sealed }: OpenedSecret,
  ): Promise<Result<Grant, string>> {
    const { name } = credential;
    const bound = bind(credential, secret);
    if (!bound.ok) return bound;
    if (credential.kind === "oidc") return success(this.#forTokens(leased, bound.value, credential.to));
    const origin = originOf(bound.value.destination);
    const value = await this.#vault
      .open({ header, body: sealed, origin })
      .catch((error: unknown) => ({ why: wordsOf(error) }));
    if ("why" in value) return notOpened(name, value.why);
    const placeholders = leased.credentials.map((other) => placeholderOf(leased, other.name));
    const { resolve } = this.#sources;
    const grant = new Grant(leased, { binding: bound.value, value: value.value, placeholders, resolve });
    const { masked } = grant;
    return masked.ok ? success(grant) : failure(`The secret ${name} is not used: ${masked.problem}`);
  }

  #tokens(
    leased: LeasedStep,
    { destination, exchange: url }: Binding,
    { audience, grant }: { readonly audience: string; readonly grant: () => AnyGrant },
  ): MintedTokens {
    const { run, index } = leased;
    const sources = this.#sources;
    return new MintedTokens({
      issuer: () => {
        const bytes = sources.issuer();
        return bytes === null ? null : openIssuer(bytes, sources.charter(), sources.keys);
      },
      vault: this.#vault,
      audience,
      claims: () => (this.#mayStill(grant()) ? sources.claims(run, index) : null),
      wallMs: () => sources.wallMs(),
      exchange: url === undefined ? null : { url, audience, destination, resolve: sources.resolve },
    });
  }

  #forTokens(leased: LeasedStep, binding: Binding, audience: string): Grant {
    const minted = this.#tokens(leased, binding, { audience, grant: () => grant });
    const placeholders = leased.credentials.map((other) => placeholderOf(leased, other.name));
    const { resolve } = this.#sources;
    const grant = new Grant(leased, { binding, value: new Uint8Array(), placeholders, resolve, minted });
    return grant;
  }

  async #forLogins(
    leased: LeasedStep,
    credential: StepCredential,
    { secret, header, sealed: body }: OpenedSecret,
  ): Promise<Result<SshGrant, string>> {
    const bound = bindLogin(credential, secret);
    if (!bound.ok) return bound;
    const sealed = { header, body };
    const key = await this.#vault.sshKey(sealed).catch((error: unknown) => ({ why: wordsOf(error) }));
    if ("why" in key) return notOpened(credential.name, key.why);
    const mayStill = (): boolean => this.#mayStill(grant);
    const parts = { binding: bound.value, sealed, key: key.bytes, vault: this.#vault, mayStill };
    const grant = new SshGrant(leased, parts);
    return success(grant);
  }

  /** For what is signed anew while a grant is there: its lease and its permit count at that moment. */
  #mayStill(grant: AnyGrant): boolean {
    const { run, index } = grant.holder;
    return this.#holds(grant) && this.#sources.whyNotPermitted(run, index) === null;
  }

  #holds({ holder: { run, index, attempt, token, worker } }: AnyGrant): boolean {
    const since = this.#leaderlessSinceMs;
    if (since !== null && this.#sources.nowMs() - since > this.#sources.charter().leaseMs) return false;
    const leased = this.#sources.leased(run, index);
    return leased?.attempt === attempt && leased.token === token && leased.worker === worker;
  }

  #end(grant: AnyGrant): void {
    this.#open.delete(grant);
    grant.end();
  }
}

/** Of a login, the host's keys go with it: the client is to know the host by them, and by no others. */
function answerOf(granted: Result<AnyGrant, string>): BrokerAnswer {
  if (!granted.ok) return { why: granted.problem };
  const grant = granted.value;
  return grant instanceof SshGrant ? { why: null, hostKeys: grant.binding.login.hostKeys } : { why: null };
}

function notOpened(name: string, why: string): Result<never, string> {
  return failure(`The secret ${name} could not be opened: ${why}.`);
}

function noSecret(name: string, domain: string): string {
  return `There is no secret ${name} in the domain ${domain}: somebody of it sets it with \`otto secret set ${name}\`.`;
}
