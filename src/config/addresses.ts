import { readDatabaseAddress } from '../lib/database-address.ts'
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
  if (!isEncoded(url.username) || !isEncoded(url.password))
    return no('has a % that begins no character', 'percent-encode it in the password, % as %25')
  if (!/^\/?\d{0,5}$/.test(url.pathname))
    return no('does not end in a database number', 'write for instance redis://127.0.0.1:6379/0')
  return yes(text)
}

/** `database =`; other spellings of the two servers become `mysql:` and `postgres:`. */
export const readDatabase: Read<string> = text => {
  const read = readDatabaseAddress(text)
  if (!read.ok) return no(read.reason, read.hint)
  if (read.value.kind === 'sqlite') return yes(`sqlite:${read.value.path}`)
  return yes(text.replace(/^\w+/, read.value.kind))
}

/** A client decodes it, so it must be decodable. */
function isEncoded(text: string): boolean {
  try {
    decodeURIComponent(text)
    return true
  } catch {
    return false
  }
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
