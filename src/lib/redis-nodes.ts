/** The addresses of Redis that name several servers: `sentinel://` and `cluster://`. */

export interface HostPort {
  readonly host: string
  readonly port: number
}

export interface Login {
  /** '' for the default user. */
  readonly user: string
  /** '' for none. */
  readonly password: string
}

interface Common extends Login {
  readonly hosts: readonly HostPort[]
  readonly tls: boolean
}

export interface SentinelNodes extends Common {
  readonly kind: 'sentinel'
  /** What the sentinels call the master. */
  readonly name: string
  readonly db: number
  /** For the sentinels themselves; `user` and `password` are for the master. */
  readonly sentinel: Login
}

export interface ClusterNodes extends Common {
  readonly kind: 'cluster'
}

export type RedisNodes = SentinelNodes | ClusterNodes

export type ReadNodes =
  | { readonly ok: true; readonly value: RedisNodes }
  | { readonly ok: false; readonly reason: string; readonly hint: string }

/** Whether a client is one of a cluster. */
export const isCluster = (client: object) =>
  (client as { readonly isCluster?: boolean }).isCluster === true

export const isNodesUrl = (url: string) => /^(?:sentinel|cluster):\/\//.test(url)

const FORMS = {
  sentinel: 'write sentinel://user:password@h1:26379,h2:26379/mymaster',
  cluster: 'write cluster://user:password@h1:7000,h2:7001',
}
const OPTIONS = {
  sentinel: ['db', 'tls', 'sentinel_user', 'sentinel_password'],
  cluster: ['tls'],
}
const PORTS = { sentinel: 26_379, cluster: 6379 }
const HOST = /^(?:\[([0-9A-Fa-f:.]+)\]|([\w.-]+))(?::(\d{1,5}))?$/

/** `sentinel://user:password@h1:26379,h2/mymaster?db=1`, `cluster://h1:7000,h2:7001?tls=yes`. */
export function readNodes(url: string): ReadNodes {
  const scheme = url.startsWith('sentinel:') ? 'sentinel' : 'cluster'
  const no = (reason: string, hint: string = FORMS[scheme]) =>
    ({ ok: false, reason, hint }) as const
  const [, login = '', list = '', path = '', query = ''] =
    /^\w+:\/\/(?:([^\s/]*)@)?([^\s/@?]+)(?:\/([^\s?]*))?(?:\?(\S*))?$/.exec(url) ?? []
  const hosts = list.split(',').map(one => readHost(one, PORTS[scheme]))
  if (!hosts.every(one => one !== undefined)) return no('is not a list of host:port')
  const who = readLogin(login)
  if (who === undefined)
    return no('has a login that cannot be read', 'percent-encode special characters, % as %25')
  const options = new URLSearchParams(query)
  for (const key of options.keys())
    if (!OPTIONS[scheme].includes(key))
      return no(`has the option ${key}, which is unknown`, `write ${OPTIONS[scheme].join(', ')}`)
  const tls = options.get('tls') ?? 'no'
  if (!/^(?:yes|no|true|false)$/.test(tls)) return no(`has tls=${tls}`, 'write tls=yes')
  const common = { hosts, ...who, tls: tls === 'yes' || tls === 'true' }
  if (scheme === 'cluster') {
    if (path !== '') return no('has a path, which a cluster does not know')
    return { ok: true, value: { kind: 'cluster', ...common } }
  }
  const [, name, inPath] = /^([\w.-]+)(?:\/(\d{1,5}))?$/.exec(path) ?? []
  if (name === undefined) return no('does not name the master')
  const db = options.get('db') ?? inPath ?? '0'
  if (!/^\d{1,5}$/.test(db)) return no(`has db=${db}`, 'write a number, such as db=0')
  const sentinel = {
    user: options.get('sentinel_user') ?? '',
    password: options.get('sentinel_password') ?? '',
  }
  return { ok: true, value: { kind: 'sentinel', ...common, name, db: Number(db), sentinel } }
}

function readHost(text: string, usual: number): HostPort | undefined {
  const [whole, six, plain, port] = HOST.exec(text) ?? []
  if (whole === undefined || Number(port) > 65_535) return undefined
  return { host: six ?? plain ?? '', port: Number(port ?? usual) }
}

function readLogin(text: string): Login | undefined {
  const colon = text.indexOf(':')
  const [user, password] = colon < 0 ? [text, ''] : [text.slice(0, colon), text.slice(colon + 1)]
  try {
    return { user: decodeURIComponent(user), password: decodeURIComponent(password) }
  } catch {
    return undefined
  }
}

/** Any address of Redis as it may be shown. */
export function withoutPasswords(url: string): string {
  return url
    .replace(/(:\/\/[^:@/]*):[^/]*@/, '$1:***@')
    .replace(/([?&]\w*password=)[^&\s]*/g, '$1***')
}
