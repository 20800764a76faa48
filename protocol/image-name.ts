/**
 * Names of container images, as `docker pull` takes them, with the digest that says which one it is:
 * `[HOST[:PORT]/]PATH[:TAG]@sha256:HEX`. A name without a host is of Docker Hub.
 */

export type ImageName = {
  /** Host and port, as whoever wrote the name meant them: `docker.io` for Docker Hub. */
  readonly registry: string;
  /** `library/node`, `team/app` */
  readonly repository: string;
  /** Lower-case hex of the manifest's, or the index's, sha256. */
  readonly sha256: string;
};

const charactersMax = 500;
const host = /^(?:localhost|[a-z0-9-]+(?:\.[a-z0-9-]+)+|\[[0-9a-f:]+\]|[a-z0-9-]+(?=:))(?::\d{1,5})?$/;
const path = /^[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*$/;
const tag = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/;
const digest = /^sha256:([0-9a-f]{64})$/;

/** A name without a digest: which image it is, its registry says, and may say otherwise tomorrow. */
export type ImageTag = Omit<ImageName, "sha256"> & { readonly tag: string };

/** Null: it is no name of an image, or has no digest. */
export function parseImageName(text: string): ImageName | null {
  if (text.length > charactersMax) return null;
  const [name = "", said = "", ...more] = text.split("@");
  const sha256 = digest.exec(said)?.[1];
  const parsed = sha256 === undefined || more.length > 0 ? null : parseTagged(name);
  if (parsed === null || sha256 === undefined) return null;
  const { registry, repository } = parsed;
  return { registry, repository, sha256 };
}

/** Null: it is no name of an image, or has a digest. */
export function parseImageTag(text: string): ImageTag | null {
  return text.length > charactersMax || text.includes("@") ? null : parseTagged(text);
}

function parseTagged(name: string): ImageTag | null {
  const slash = name.indexOf("/");
  const first = name.slice(0, Math.max(slash, 0));
  const hasHost = host.test(first);
  const rest = hasHost ? name.slice(slash + 1) : name;
  const colon = rest.indexOf(":");
  const repository = colon === -1 ? rest : rest.slice(0, colon);
  const said = colon === -1 ? "latest" : rest.slice(colon + 1);
  if (!path.test(repository) || !tag.test(said)) return null;
  if (hasHost && first !== "docker.io") return { registry: first, repository, tag: said };
  return {
    registry: "docker.io",
    repository: repository.includes("/") ? repository : `library/${repository}`,
    tag: said,
  };
}
