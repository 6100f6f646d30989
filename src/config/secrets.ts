/** Masks the secret parts of values wherever configuration is shown: mistakes, `taskd config`, logs. */

const WORDS =
  'secret|passw|passphrase|pwd|token|credential|bearer|authorization|' +
  '(?:api|access|auth|encrypt|private|signing)[_-]?key'
const SECRET = new RegExp(WORDS, 'i')

/** Whether the whole value of such a key is secret. */
export function isSecretKey(key: string): boolean {
  return SECRET.test(key)
}

/** Keys whose value is an address that may hold a password, or be one. */
const ADDRESS = /^(?:redis|database|dsn|smtp|mail)$|(?:url|hook)$/i

/** The value of a key with all that looks like a secret replaced by `mask`. */
export function maskValue(key: string, value: string, mask: string): string {
  if (value === '') return ''
  if (isSecretKey(key)) return mask
  if (ADDRESS.test(key)) return maskAddress(value, mask)
  return maskPairs(maskLogin(value, mask), key, mask)
}

function maskAddress(value: string, mask: string): string {
  // `@/run/secrets/x` says where a secret is and not what it is.
  if (/^(?:@|unix:|sqlite:)/.test(value)) return value
  const [scheme = ''] = /^[a-z][\w+.-]*:(?:\/\/)?/i.exec(value) ?? []
  const at = value.lastIndexOf('@')
  // What comes before the last @ is a login, however it is written; a user alone is not secret.
  const login = at < 0 ? '' : value.slice(scheme.length, at)
  const [user] = /^[\w.%+~-]*(?=:|$)/.exec(login) ?? []
  const secret = user === undefined ? mask : user === login ? login : `${user}:${mask}`
  const whole = scheme.endsWith('//')
  if (at >= 0 && !whole) return `${scheme}${mask}${value.slice(at)}`
  const shown = at < 0 ? maskLogin(value, mask) : `${scheme}${secret}${value.slice(at)}`
  // A web address may be the secret itself: the path of a webhook is.
  return maskOptions(shown, mask).replace(/^(https?:\/\/[^/?]*\/)[^?]+/i, `$1${mask}`)
}

/** `redis://user:password@host`; also one without its @, or with other signs in the password. */
function maskLogin(text: string, mask: string): string {
  const last = text.lastIndexOf('@')
  const start = /:\/\/([^\s/:@[\]]*):/g
  for (let found = start.exec(text); found !== null; found = start.exec(text)) {
    const from = start.lastIndex
    if (last >= from) return `${text.slice(0, from)}${mask}${text.slice(last)}`
    // What follows the colon is a port, or else a password whose @ was forgotten.
    if (!/^\d{0,5}(?![^\s/,?"'])/.test(text.slice(from, from + 6)))
      return `${text.slice(0, from)}${mask}`
  }
  return text
}

/** Options of addresses that are known to be harmless. */
const OPEN = /^(?:host|port|db|tls|socket|socketPath|sslmode|ssl-mode|ssl|charset|timezone)$/

function maskOptions(address: string, mask: string): string {
  return address.replace(/([?&])([^=&#]*)=([^&#]*)/g, (all, sign: string, name: string) =>
    OPEN.test(name) ? all : `${sign}${name}=${mask}`,
  )
}

const QUOTED = `"(?:[^"\\\\]|\\\\.)*"?|'[^']*'?`
const NAME = `(?:${WORDS})[\\w-]{0,64}`
const pairs = (bare: string) =>
  new RegExp(
    `(${NAME}(?:["']?\\s{0,3}[=:]|(?<=-[\\w-]{0,96})\\s)\\s{0,3})(${QUOTED}|${bare})`,
    'gi',
  )
/** In `environment` a value without quotes ends at the comma. */
const IN_ENVIRONMENT = pairs('[^,]+')
const ELSEWHERE = pairs('[^&\\s]+')
const HEADER = /\b((?:bearer|basic)\s+)([^\s"']+)/gi

/** `DB_PASSWORD="x",B=y`, `token=x&b=y`, `--password x`, `Authorization: Bearer x`. */
function maskPairs(text: string, key: string, mask: string): string {
  if (!SECRET.test(text)) return text
  const pattern = key === 'environment' ? IN_ENVIRONMENT : ELSEWHERE
  return text.replace(HEADER, `$1${mask}`).replace(pattern, `$1${mask}`)
}
