import { TaskdError } from '../lib/errors.ts'

export interface SqliteAddress {
  readonly kind: 'sqlite'
  readonly path: string
}

export interface ServerAddress {
  readonly kind: 'mysql' | 'postgres'
  /** Of a TCP server; '' with a socket. */
  readonly host: string
  readonly port: number
  /** MySQL: the socket. PostgreSQL: the folder of the socket. */
  readonly socket: string
  readonly user: string
  readonly password: string
  readonly database: string
  /** `trust` encrypts without asking who is there; `verify` checks the certificate. */
  readonly tls: 'off' | 'trust' | 'verify'
}

export type Address = SqliteAddress | ServerAddress

const FORMS =
  'write sqlite:<path>, mysql://user:password@host/task_schedule or postgres://user:password@host/task_schedule'

/**
 * Not `new URL`: it refuses `postgres://user@/db`, the usual way to name a server behind a unix
 * socket, and it lowers the case of what it takes for a host.
 */
const SERVER =
  /^(mysql|mariadb|postgres|postgresql):\/\/(?:([^:@/]*)(?::([^@/]*))?@)?(\[[^\]]+\]|[^:/?@]*)(?::(\d{1,5}))?\/([^/?]+)(?:\?(.*))?$/

/** @throws TaskdError E_DATABASE_URL; the message never holds the password */
export function parseAddress(url: string): Address {
  if (url.startsWith('sqlite:')) {
    const path = url.slice('sqlite:'.length).replace(/^\/\/(?=\/)/, '')
    if (path === '') throw refused('the path is missing', 'sqlite:')
    return { kind: 'sqlite', path }
  }
  const found = SERVER.exec(url)
  if (found === null) {
    const scheme = /^\w+:/.exec(url)?.[0] ?? url.slice(0, 20)
    throw refused('a / @ or : in the user or password is written %2F %40 %3A', scheme)
  }
  const [, scheme = '', user = '', password = '', host = '', port, database = '', query = ''] =
    found
  const kind = scheme.startsWith('p') ? 'postgres' : 'mysql'
  const options = new URLSearchParams(query)
  const socket = readSocket(kind, options)
  try {
    return {
      kind,
      host: socket === '' ? host.replace(/^\[|\]$/g, '') || 'localhost' : '',
      port: Number(port ?? (kind === 'mysql' ? 3306 : 5432)),
      socket,
      user: decodeURIComponent(user),
      password: decodeURIComponent(password),
      database: decodeURIComponent(database),
      tls: readTls(options),
    }
  } catch {
    throw refused('a % is written %25', `${scheme}:`)
  }
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

function refused(why: string, scheme: string): TaskdError {
  return new TaskdError('E_DATABASE_URL', `database: not an address: ${scheme}… (${why})`, FORMS)
}

/** For people: without the password. */
export function describeAddress(address: Address): string {
  if (address.kind === 'sqlite') return `sqlite:${address.path}`
  const where = address.socket || `${address.host}:${address.port}`
  return `${address.kind} ${address.database} at ${where}`
}
