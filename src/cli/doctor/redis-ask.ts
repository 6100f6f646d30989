import { connect, type NetConnectOpts } from 'node:net'
import { messageOf } from '../../lib/errors.ts'

export interface RedisAddress {
  readonly connection: NetConnectOpts
  readonly user: string
  readonly password: string
}

/** For `unix:` and `redis://`; undefined for what needs more than a plain connection. */
export function redisAddress(url: string): RedisAddress | undefined {
  if (url.startsWith('unix:')) return { connection: { path: url.slice(5) }, user: '', password: '' }
  if (!url.startsWith('redis://')) return undefined
  const { hostname, port, username, password } = new URL(url)
  return {
    connection: { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port || 6379) },
    user: decodeURIComponent(username),
    password: decodeURIComponent(password),
  }
}

export type Answers =
  | { readonly ok: true; readonly text: string }
  | { readonly ok: false; readonly reason: string }

const LIMIT_MS = 3000

/** Marks the end of the answers; sentinels do not have QUIT. */
const END = 'taskd-doctor'

/**
 * Sends commands in one go and returns all that comes back as one text. Enough to read a version
 * and a setting; the queue has a real client, which this room may not use.
 */
export function askRedis(
  address: RedisAddress,
  commands: readonly (readonly string[])[],
): Promise<Answers> {
  const { user, password, connection } = address
  const login = password === '' ? [] : [['AUTH', ...(user === '' ? [] : [user]), password]]
  return new Promise(resolve => {
    let text = ''
    const socket = connect(connection)
    const end = (answer: Answers) => {
      socket.destroy()
      resolve(answer)
    }
    const read = () => {
      const refused = /^-(?:NOAUTH|WRONGPASS|ERR|LOADING|DENIED)[^\r]*/m.exec(text)?.[0]
      end(refused === undefined ? { ok: true, text } : { ok: false, reason: refused.slice(1) })
    }
    socket.setTimeout(LIMIT_MS, () => end({ ok: false, reason: 'does not answer' }))
    socket.setEncoding('utf8')
    socket.once('error', error => end({ ok: false, reason: messageOf(error) }))
    socket.on('data', chunk => {
      text += String(chunk)
      if (text.endsWith(`\r\n${END}\r\n`) || /^-(?:NOAUTH|LOADING|DENIED)/m.test(text)) read()
    })
    socket.once('end', read)
    socket.write([...login, ...commands, ['PING', END]].map(encode).join(''))
  })
}

function encode(words: readonly string[]): string {
  const parts = words.map(word => `$${Buffer.byteLength(word)}\r\n${word}\r\n`)
  return `*${words.length}\r\n${parts.join('')}`
}
