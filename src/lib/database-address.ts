export interface SqliteAddress {
  readonly kind: 'sqlite'
  readonly path: string
}

export interface ServerAddress {
  readonly kind: 'mysql' | 'postgres'
  /** The host of a TCP server; '' with a socket. */
  readonly host: string
  readonly port: number
  /** MySQL: the socket. PostgreSQL: the folder of the socket. */
  readonly socket: string
  readonly user: string
  readonly password: string
  readonly database: string
  /** `trust` encrypts without checking who answers; `verify` checks the certificate. */
  readonly tls: 'off' | 'trust' | 'verify'
}

export type Address = SqliteAddress | ServerAddress

export const DATABASE_FORMS =
  'write sqlite:path, mysql://user:password@host/task_schedule or postgres://user:password@host/task_schedule'

export type ReadAddress =
  | { readonly ok: true; readonly value: Address }
  /** Neither text contains the password. */
  | { readonly ok: false; readonly reason: string; readonly hint: string }

/**
 * Not `new URL`: it refuses `postgres://user@/db`, the usual way to name a server behind a unix
 * socket, and it lowers the case of what it takes for a host.
 */
const SERVER = /^(?:([^:@]*)(?::([^@]*))?@)?(\[[0-9A-Fa-f:.]+\]|[^:?@[\]\s]*)(?::(\d{1,5}))?$/

/** The one reader of `database =`: for the check, for `taskd doctor` and for the daemon. */
export function readDatabaseAddress(text: string): ReadAddress {
  if (text.startsWith('sqlite:')) {
    const path = text.slice('sqlite:'.length).replace(/^\/\/(?=\/)/, '')
    if (path === '') return no('names no file')
    return { ok: true, value: { kind: 'sqlite', path } }
  }
  const [, scheme, rest = ''] = /^(mysql|mariadb|postgres|postgresql):\/\/(.*)$/s.exec(text) ?? []
  if (scheme === undefined) return no('is not a database address')
  if (/#/.test(rest)) return no('has a #', `${ENCODE}, # as %23`)
  const kind = scheme.startsWith('p') ? 'postgres' : 'mysql'
  const question = rest.indexOf('?')
  const query = question < 0 ? '' : rest.slice(question + 1)
  const [server = '', ...path] = rest.slice(0, question < 0 ? undefined : question).split('/')
  if (path.join('/').includes('@') || query.includes('@'))
    return no('has a / or ? in the user or password', `${ENCODE}, / as %2F and ? as %3F`)
  if (server.split('@').length > 2)
    return no('has an @ in the user or password', `${ENCODE}, @ as %40`)
  const found = SERVER.exec(server)
  if (found === null || Number(found[4] ?? 1) > 65_535)
    return no('names no server that can be read')
  const [, user = '', password = '', host = '', port] = found
  if (path.length > 1) return no('has a / in the name of the database', 'write it as %2F')
  const [database = ''] = path
  if (database === '') return no('names no database', `write ${scheme}://…/task_schedule`)
  const options = new URLSearchParams(query)
  const socket = readSocket(kind, options)
  try {
    return {
      ok: true,
      value: {
        kind,
        host: socket === '' ? host.replace(/^\[|\]$/g, '') || 'localhost' : '',
        port: Number(port ?? (kind === 'mysql' ? 3306 : 5432)),
        socket,
        user: decodeURIComponent(user),
        password: decodeURIComponent(password),
        database: decodeURIComponent(database),
        tls: readTls(options),
      },
    }
  } catch {
    return no('has a % that begins no character', `${ENCODE}, % as %25`)
  }
}

const ENCODE = 'percent-encode special characters in the password'

function no(reason: string, hint = DATABASE_FORMS): ReadAddress {
  return { ok: false, reason, hint }
}

function readSocket(kind: 'mysql' | 'postgres', options: URLSearchParams): string {
  if (kind === 'mysql') return options.get('socketPath') ?? options.get('socket') ?? ''
  const host = options.get('host') ?? ''
  return host.startsWith('/') ? host : ''
}

function readTls(options: URLSearchParams): ServerAddress['tls'] {
  const mode = options.get('sslmode') ?? options.get('ssl-mode') ?? options.get('ssl') ?? ''
  switch (mode.toLowerCase()) {
    case '':
    case 'disable':
    case 'disabled':
    case 'false':
      return 'off'
    case 'require':
    case 'required':
      return 'trust'
    default:
      return 'verify'
  }
}

/** The address for people to read, without the password. */
export function describeAddress(address: Address): string {
  if (address.kind === 'sqlite') return `sqlite:${address.path}`
  const where = address.socket || `${address.host}:${address.port}`
  return `${address.kind} ${address.database} at ${where}`
}
