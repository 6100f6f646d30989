import { isNodesUrl, readNodes } from '../lib/redis-nodes.ts'
import type { HttpAddress } from './config.ts'
import { no, type Read, yes } from './fields.ts'

const REDIS_FORMS =
  'write embedded, redis://host:6379, rediss://host:6379, unix:/path, ' +
  'sentinel://h1:26379,h2:26379/mymaster or cluster://h1:7000,h2:7001'
const ENCODE = 'percent-encode special characters in the password, # as %23'

/** `redis =` */
export const readRedis: Read<string> = text => {
  if (text === 'embedded') return yes(text)
  if (text.startsWith('unix:')) {
    const path = text.slice(5).replace(/^\/\/(?=\/)/, '')
    return path === '' ? no('names no socket', REDIS_FORMS) : yes(`unix:${path}`)
  }
  if (/^rediss?:\/\//.test(text)) return readRedisUrl(text)
  if (isNodesUrl(text)) {
    const read = readNodes(text)
    return read.ok ? yes(text) : no(read.reason, read.hint)
  }
  if (/^[\w.-]+(?::\d+)?$/.test(text) && text.includes('.'))
    return no('is not a Redis address', `did you mean "redis://${text}"?`)
  return no('is not a Redis address', REDIS_FORMS)
}

function readRedisUrl(text: string): ReturnType<Read<string>> {
  const url = readUrl(text)
  if (url === undefined) return no('is not a URL that can be read', ENCODE)
  if (url.hostname === '') return no('names no host', REDIS_FORMS)
  if (!/^\/?\d{0,5}$/.test(url.pathname))
    return no('does not end in a database number', 'write for instance redis://127.0.0.1:6379/0')
  return yes(text)
}

const DATABASE_FORMS =
  'write sqlite:path, mysql://user:password@host/task_schedule or postgres://user:password@host/task_schedule'

/** `database =`; other spellings of the two servers become `mysql:` and `postgres:`. */
export const readDatabase: Read<string> = text => {
  if (text.startsWith('sqlite:')) {
    const path = text.slice(7).replace(/^\/\/(?=\/)/, '')
    return path === '' ? no('names no file', DATABASE_FORMS) : yes(`sqlite:${path}`)
  }
  const scheme = /^(mysql|mariadb|postgres|postgresql):\/\//.exec(text)?.[1]
  if (scheme === undefined) return no('is not a database address', DATABASE_FORMS)
  const plain = (scheme.startsWith('postgres') ? 'postgres' : 'mysql') + text.slice(scheme.length)
  // The usual name of a server behind a unix socket has no host, which a URL must have.
  const url = readUrl(plain.replace(/^(\w+:\/\/[^/?#]*@)(?=\/)/, '$1localhost'))
  if (url === undefined || url.hash !== '') return no('is not a URL that can be read', ENCODE)
  if (url.pathname.length < 2) return no('names no database', `write ${scheme}://…/task_schedule`)
  return yes(plain)
}

function readUrl(text: string): URL | undefined {
  try {
    return new URL(text)
  } catch {
    return undefined
  }
}

/** Where `http = on` listens. */
export const HTTP_DEFAULT: HttpAddress = { host: '127.0.0.1', port: 9595 }

/** `off`, `on`, `9595`, `:9595`, `127.0.0.1:9595`, `[::1]:9595`. */
export const readHttp: Read<HttpAddress | 'off'> = text => {
  if (/^(off|no|false)$/i.test(text)) return yes('off')
  if (/^(on|yes|true)$/i.test(text)) return yes(HTTP_DEFAULT)
  const [, six, plain, digits] = /^(?:\[([0-9A-Fa-f:.]+)\]:|([\w.-]*):)?(\d{1,5})$/.exec(text) ?? []
  const port = Number(digits)
  if (digits === undefined || port > 65_535) return no('is not an address')
  return yes({ host: six || plain || HTTP_DEFAULT.host, port })
}

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^(?:::ffff:)?127\.\d+\.\d+\.\d+$/i.test(host)
}
