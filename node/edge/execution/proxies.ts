/**
 * The way to the network that a worker's own environment names, by a proxy: for steps that have a network, and for what the worker
 * itself brings from there. A step that is shut in has none: there a proxy would only keep it from its credentials.
 */

const proxyName =
  /^(?:https?|all|no|ftp)_proxy$|^cargo_http_proxy$|^npm_config_(?:(?:https?_)?proxy|noproxy)$/i;
const noProxyName = /^no_proxy$/i;
/** Where the ports of a step's credentials are. */
const ownMachine = ["127.0.0.1", "localhost"];

type Variables = Readonly<Record<string, string>>;

export function withoutProxies(variables: Variables): Record<string, string> {
  return chosen(variables, (name) => !proxyName.test(name));
}

/** @param hasOwnPorts true when something of this machine's is to be reached without the proxy, whatever else is. */
export function proxiesAmong(
  variables: Variables,
  { hasOwnPorts }: { readonly hasOwnPorts: boolean },
): Record<string, string> {
  const proxies = chosen(variables, (name) => proxyName.test(name));
  if (!hasOwnPorts || Object.keys(proxies).length === 0) return proxies;
  for (const name of ["no_proxy", "NO_PROXY"]) proxies[name] = withOwnMachine(proxies[name]);
  return proxies;
}

/** Of the worker's own environment, for Node: this machine's own registries are asked themselves. */
export function proxiesOfNode(environment: NodeJS.ProcessEnv): Record<string, string> {
  const said = Object.entries(environment).flatMap(([name, value]) =>
    value === undefined || value === "" ? [] : [[name, value] as const],
  );
  const proxies = chosen(Object.fromEntries(said), (name) => /^(?:https?|no)_proxy$/i.test(name));
  if (Object.keys(proxies).every((name) => noProxyName.test(name))) return {};
  const { no_proxy, NO_PROXY = no_proxy, ...others } = proxies;
  return { ...others, NODE_USE_ENV_PROXY: "1", no_proxy: withOwnMachine(NO_PROXY) };
}

function withOwnMachine(names: string | undefined): string {
  return [...(names === undefined || names === "" ? [] : [names]), ...ownMachine].join(",");
}

function chosen(variables: Variables, fits: (name: string) => boolean): Record<string, string> {
  return Object.fromEntries(Object.entries(variables).filter(([name]) => fits(name)));
}
