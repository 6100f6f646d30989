import { lookup } from 'node:dns/promises'
import type { ClientRequest, IncomingMessage, RequestOptions } from 'node:http'
import { isIP } from 'node:net'
import { codeOf, messageOf } from '../lib/errors.ts'
import { ownAddresses } from '../lib/own-addresses.ts'
import { parseRpcUrl } from '../model/broker-task.ts'
import { type AllowedHost, targetOf, whyNotAllowed } from '../model/rpc-allow.ts'

const MAX_REDIRECTS = 5
/** Notices when the other machine is gone, however long its answer may take. */
const KEEP_ALIVE_MS = 30_000

export interface RpcCall {
  readonly method: string
  readonly url: URL
  /** JSON, or '' for none. */
  readonly body: string
  readonly headers: Readonly<Record<string, string>>
  readonly allowed: readonly AllowedHost[] | undefined
  readonly signal: AbortSignal
  /** Gets the body of the answer as it comes; not that of a redirect. */
  readonly onData: (chunk: Buffer) => void
  /** The addresses of a name; those of the system unless told otherwise. */
  readonly resolve?: (host: string) => Promise<readonly Resolved[]>
  /** The addresses of this machine; those of its interfaces unless told otherwise. */
  readonly own?: () => readonly string[]
}

export interface Resolved {
  readonly address: string
  readonly family: number
}

export type RpcEnd =
  | { readonly type: 'answered'; readonly status: number; readonly statusText: string }
  /** `rpc_allow` forbids it: another try would end the same way. */
  | { readonly type: 'refused'; readonly reason: string }
  | { readonly type: 'broken'; readonly reason: string }

type Request = Pick<RpcCall, 'method' | 'url' | 'body'>

/**
 * Makes a request and follows where it is sent on to. Each hop goes to an address that was
 * checked, and to no other: a name is resolved once, and what it leads to is what is connected to.
 */
export async function callRpc(call: RpcCall): Promise<RpcEnd> {
  let request: Request = call
  for (let redirects = 0; ; redirects += 1) {
    const target = await checked(request.url, call)
    if ('type' in target) return target
    const answer = await ask(request, target.addresses, call)
    if (answer.type !== 'redirect') return answer
    if (redirects === MAX_REDIRECTS) return broken(`was sent on more than ${MAX_REDIRECTS} times`)
    const next = redirected(request, answer)
    if ('type' in next) return next
    request = next
  }
}

function broken(reason: string): RpcEnd {
  return { type: 'broken', reason }
}

/** Where a URL leads, and may lead. */
async function checked(
  url: URL,
  { allowed, resolve = systemResolve, own = ownAddresses, signal }: RpcCall,
): Promise<RpcEnd | { readonly addresses: readonly Resolved[] }> {
  const target = targetOf(url)
  const { host, address } = target
  const early = whyNotAllowed(target, allowed, own())
  if (early !== undefined) return { type: 'refused', reason: early }
  // The host is an address already.
  if (address !== undefined) return { addresses: [{ address, family: isIP(address) }] }
  let found: readonly Resolved[]
  try {
    found = await unlessAborted(resolve(host), signal)
  } catch (error) {
    return broken(explain(url, error))
  }
  const here = own()
  const refusals = found.map(one =>
    whyNotAllowed({ ...target, address: one.address }, allowed, here),
  )
  const addresses = found.filter((_one, index) => refusals[index] === undefined)
  if (addresses.length > 0) return { addresses }
  return { type: 'refused', reason: refusals[0] ?? `${host} leads nowhere` }
}

function systemResolve(host: string): Promise<Resolved[]> {
  return lookup(host, { all: true })
}

/** A look-up cannot be cancelled; we can only stop waiting for it. */
function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(new Error('aborted'))
    if (signal.aborted) abort()
    signal.addEventListener('abort', abort, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}

interface Redirect {
  readonly type: 'redirect'
  readonly status: number
  readonly location: string
}

async function ask(
  { method, url, body }: Request,
  addresses: readonly Resolved[],
  { headers, signal, onData }: RpcCall,
): Promise<RpcEnd | Redirect> {
  const { request } =
    url.protocol === 'https:' ? await import('node:https') : await import('node:http')
  const options: RequestOptions = {
    method,
    headers: {
      accept: '*/*',
      ...headers,
      ...(body !== '' && { 'content-type': 'application/json' }),
    },
    // A new connection each time: a kept one would go to an address that was checked earlier.
    agent: false,
    lookup: pinned(addresses),
    signal,
  }
  return new Promise(resolve => {
    let answer: IncomingMessage | undefined
    const fail = (error: unknown) => resolve(broken(explain(url, error)))
    const asked: ClientRequest = request(url, options, response => {
      answer = response
      const { statusCode: status = 0, statusMessage = '' } = response
      const { location } = response.headers
      if (REDIRECTS.has(status) && location !== undefined) {
        resolve({ type: 'redirect', status, location })
        asked.destroy()
        return
      }
      response.on('data', onData)
      response.on('error', fail)
      response.on('end', () => resolve({ type: 'answered', status, statusText: statusMessage }))
    })
    asked.on('error', fail)
    asked.on('close', () => {
      if (!answer) fail(new Error('there was no answer'))
      else if (!answer.complete) fail(new Error('the answer was cut off'))
    })
    asked.setSocketKeepAlive(true, KEEP_ALIVE_MS)
    asked.end(body === '' ? undefined : body)
  })
}

/** Whatever name is asked for, the answer is what was checked. */
function pinned(addresses: readonly Resolved[]): NonNullable<RequestOptions['lookup']> {
  return (_host, options, callback) => {
    const [first] = addresses
    if (options.all)
      callback(
        null,
        addresses.map(one => ({ ...one })),
      )
    else callback(null, first?.address ?? '', first?.family ?? 4)
  }
}

const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308])

/** As browsers do it (the fetch standard): 303 asks with GET, 301 and 302 make a GET of a POST. */
function redirected(before: Request, { status, location }: Redirect): Request | RpcEnd {
  const whole = URL.canParse(location, before.url.href) ? new URL(location, before.url) : undefined
  const target = parseRpcUrl(whole?.href ?? '')
  if (!target.ok) return broken('was sent on to what is no address of the web')
  const becomesGet =
    status === 303 || (before.method === 'POST' && (status === 301 || status === 302))
  return becomesGet
    ? { method: 'GET', url: target.value, body: '' }
    : { ...before, url: target.value }
}

/** Without path and query, which may hold secrets. */
function explain(url: URL, thrown: unknown): string {
  const [error] = thrown instanceof AggregateError ? (thrown.errors as unknown[]) : [thrown]
  const code = codeOf(error)
  const why = code.startsWith('HPE_') ? 'what came is no HTTP' : (WORDS[code] ?? messageOf(error))
  return `cannot ask ${url.origin}: ${why}`
}

const WORDS: Readonly<Record<string, string>> = {
  ENOTFOUND: 'there is no such host',
  EAI_AGAIN: 'the name cannot be resolved now',
  ECONNREFUSED: 'the connection was refused',
  ECONNRESET: 'the connection was cut',
  EPIPE: 'the connection was cut',
  ETIMEDOUT: 'the host does not answer',
  EHOSTUNREACH: 'the host cannot be reached',
  ENETUNREACH: 'the network cannot be reached',
}
