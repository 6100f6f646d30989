/** Headers that tell a browser to guess nothing and to keep nothing. */
export const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
}

export function isLoopback(address: string): boolean {
  return (
    address === 'localhost' ||
    address === '::1' ||
    /^(?:::ffff:)?127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/i.test(address)
  )
}

/**
 * Whether a request names this machine as its host. A page of a foreign site can have its own name
 * lead to 127.0.0.1 (DNS rebinding), and the browser then believes that it talks to that site; but
 * it says the name. Only where we listen on loopback is it known which names are right.
 */
export function isOurHost(host: string | undefined, listening: string): boolean {
  if (!isLoopback(listening)) return true
  const [, name = ''] = /^(\[[0-9a-f:.]+\]|[^:[\]]+)(?::\d{1,5})?$/i.exec(host ?? '') ?? []
  const bare = name.replace(/^\[|\]$/g, '').toLowerCase()
  return ['localhost', '127.0.0.1', '::1', listening.toLowerCase()].includes(bare)
}

/**
 * Whether a browser sent this because a page of another site told it to. No browser, no Origin:
 * then nobody was tricked.
 */
export function isCrossSite(header: (name: string) => string | undefined): boolean {
  const site = header('sec-fetch-site')
  if (site !== undefined && site !== 'same-origin' && site !== 'none') return true
  const origin = header('origin')
  if (origin === undefined) return false
  return !URL.canParse(origin) || new URL(origin).host !== canonical(header('host') ?? '')
}

/** In the spelling of URL: small letters, without the usual port. */
function canonical(host: string): string {
  return URL.canParse(`http://${host}`) ? new URL(`http://${host}`).host : host
}
