import { messageOf } from '../../lib/errors.ts'
import type { Notice, NotifySpec } from '../../model/notice.ts'
import { isRobot, judgeAnswer, robotRequest } from './robot.ts'
import { SendError, type Sender, type Sent, words } from './sender.ts'

/** From the request to the answer, with all redirects. */
const LIMIT_MS = 10_000
const MAX_REDIRECTS = 3
const MAX_ANSWER_BYTES = 2048
const MOST_RETRY_AFTER_MS = 600_000

export interface WebhookOptions {
  readonly url: string
  readonly format: NotifySpec['format']
  /** The key of a signature, '' for none. */
  readonly secret: string
  /** Wall time, ms. */
  readonly now: () => number
  readonly limitMs?: number
}

/** Posts notices. A redirect gets the same POST, but never the password. */
export function webhook(options: WebhookOptions): Sender {
  const { format, secret, now, limitMs = LIMIT_MS } = options
  const url = new URL(options.url)
  const authorization = basicOf(url)
  url.username = ''
  url.password = ''
  return {
    // In many webhooks the path is the password.
    to: url.pathname === '/' && url.search === '' ? url.origin : `${url.origin}/…`,
    async send(notice, signal) {
      const limit = AbortSignal.timeout(limitMs)
      try {
        const message = { notice, format, authorization, secret, now: now() }
        return await post(url, message, AbortSignal.any([signal, limit]))
      } catch (error) {
        if (error instanceof SendError || signal.aborted) throw error
        if (limit.aborted) throw new SendError(`no answer within ${limitMs / 1000} s`)
        throw new SendError(reasonOf(error))
      }
    },
  }
}

interface Message {
  readonly notice: Notice
  readonly format: NotifySpec['format']
  readonly authorization: string
  readonly secret: string
  readonly now: number
}

async function post(url: URL, message: Message, signal: AbortSignal): Promise<Sent> {
  const { target, type, body } = requestOf(url, message)
  for (let to = target, hop = 0; ; hop += 1) {
    const response = await fetch(to, {
      method: 'POST',
      headers: {
        'content-type': type,
        'user-agent': 'taskd',
        'x-taskd-notice': message.notice.id,
        ...(message.authorization !== '' &&
          to.origin === url.origin && { authorization: message.authorization }),
      },
      body,
      redirect: 'manual',
      signal,
    })
    const next = redirectOf(response, to)
    if (next === undefined) return await judged(response, message.format)
    await response.body?.cancel()
    if (hop >= MAX_REDIRECTS) throw new SendError(`more than ${MAX_REDIRECTS} redirects`)
    if (to.protocol === 'https:' && next.protocol !== 'https:')
      throw new SendError('it redirects from https to another protocol')
    to = next
  }
}

/** Where the same POST should go to; 303 says that it has been taken. */
function redirectOf(response: Response, from: URL): URL | undefined {
  if (![301, 302, 307, 308].includes(response.status)) return undefined
  const location = response.headers.get('location')
  if (location === null || !URL.canParse(location, from.href)) return undefined
  const to = new URL(location, from.href)
  return /^https?:$/.test(to.protocol) ? to : undefined
}

async function judged(response: Response, format: NotifySpec['format']): Promise<Sent> {
  const { status, ok } = response
  if (ok || status === 303) {
    const said = startOf(response)
    // Only a robot's answer has to be complete.
    judgeAnswer(format, status, isRobot(format) ? await said : await said.catch(() => ''))
    return { message: `HTTP ${status}`, refused: '' }
  }
  const said = words(await startOf(response))
  throw new SendError(said === '' ? `HTTP ${status}` : `HTTP ${status}: ${said}`, {
    retryAfterMs: retryAfter(response),
  })
}

async function startOf(response: Response): Promise<string> {
  const parts: Uint8Array[] = []
  let size = 0
  // oxlint-disable-next-line typescript/no-unnecessary-condition -- null for 204 and the like
  for await (const part of response.body ?? []) {
    parts.push(part)
    size += part.length
    if (size >= MAX_ANSWER_BYTES) break
  }
  return Buffer.concat(parts).subarray(0, MAX_ANSWER_BYTES).toString('utf8')
}

function retryAfter(response: Response): number | undefined {
  const seconds = Number(response.headers.get('retry-after') ?? '')
  return seconds > 0 ? Math.min(seconds * 1000, MOST_RETRY_AFTER_MS) : undefined
}

interface Request {
  readonly target: URL
  readonly type: string
  readonly body: string
}

function requestOf(url: URL, { notice, format, secret, now }: Message): Request {
  const text = `${notice.title}\n\n${notice.text}\n`
  if (format === 'text') return { target: url, type: 'text/plain; charset=utf-8', body: text }
  const { url: target, body } = isRobot(format)
    ? robotRequest(format, url, { text, secret, now })
    : { url, body: format === 'slack' ? { text: escapeSlack(text) } : notice }
  return { target, type: 'application/json', body: JSON.stringify(body) }
}

/** https://api.slack.com/reference/surfaces/formatting#escaping */
function escapeSlack(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}

function basicOf({ username, password }: URL): string {
  if (username === '' && password === '') return ''
  const pair = `${decode(username)}:${decode(password)}`
  return `Basic ${Buffer.from(pair).toString('base64')}`
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** `fetch failed` says nothing, but its cause does. */
function reasonOf(error: unknown): string {
  return words(
    error instanceof Error && error.cause !== undefined ? messageOf(error.cause) : messageOf(error),
  )
}
