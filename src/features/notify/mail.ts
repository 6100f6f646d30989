import { messageOf } from '../../lib/errors.ts'
import type { Notice } from '../../model/notice.ts'
import { SendError, type Sender, type Sent, words } from './sender.ts'

/** For each step: the name, the connection, the greeting, each answer. */
const STEP_MS = 10_000
const LIMIT_MS = 60_000

export interface MailRoute {
  /** `smtp://user:password@host:port`, or smtps. */
  readonly server: string
  readonly from: string
  readonly to: readonly string[]
}

/** Hands notices to a mail server. Its library is loaded with the first one. */
export function mailer({ server, from, to }: MailRoute, stepMs = STEP_MS): Sender {
  const url = new URL(server)
  const options = optionsOf(url, stepMs)
  return {
    to: `${to.join(', ')} by ${url.protocol}//${url.hostname}:${options.port}`,
    async send(notice, signal) {
      const { default: nodemailer } = await import('nodemailer')
      const transport = nodemailer.createTransport(options)
      const limit = AbortSignal.timeout(LIMIT_MS)
      const over = AbortSignal.any([signal, limit])
      try {
        return await Promise.race([
          transport.sendMail(messageOfNotice(notice, from, to)).then(sentOf),
          aborted(over),
        ])
      } catch (error) {
        if (signal.aborted) throw error
        if (limit.aborted) throw new SendError(`no answer within ${LIMIT_MS / 1000} s`)
        throw new SendError(words(messageOf(error)))
      } finally {
        transport.close()
      }
    },
  }
}

function optionsOf(url: URL, stepMs: number) {
  const secure = url.protocol === 'smtps:'
  const user = decodeURIComponent(url.username)
  const hasUser = user !== ''
  const host = url.hostname.replace(/^\[|\]$/g, '')
  // Nobody can listen in on this machine itself, whose mail server mostly has another name.
  const isHere = /^(?:localhost|127\.[\d.]+|::1)$/.test(host)
  return {
    host,
    port: url.port === '' ? (secure ? 465 : hasUser ? 587 : 25) : Number(url.port),
    secure,
    ...(hasUser && { auth: { user, pass: decodeURIComponent(url.password) } }),
    // Never send a password in the clear, even if somebody has removed the offer of TLS.
    requireTLS: hasUser && !secure && !isHere,
    tls: { rejectUnauthorized: !isHere },
    dnsTimeout: stepMs,
    connectionTimeout: stepMs,
    greetingTimeout: stepMs,
    socketTimeout: stepMs,
    disableFileAccess: true,
    disableUrlAccess: true,
  }
}

function messageOfNotice({ id, title, text }: Notice, from: string, to: readonly string[]) {
  const domain = /@([^>\s]+)/.exec(from)?.[1] ?? 'taskd'
  return {
    from,
    to: [...to],
    subject: title,
    text: `${text}\n`,
    messageId: `<${id}@${domain}>`,
    headers: { 'Auto-Submitted': 'auto-generated', 'X-Taskd-Notice': id },
  }
}

function sentOf({ response, rejected }: { response: string; rejected: readonly unknown[] }): Sent {
  const refused = rejected.map(one =>
    typeof one === 'string' ? one : String((one as { address?: unknown }).address),
  )
  return { message: words(response), refused: refused.join(', ') }
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const stop = () => reject(new SendError('it was broken off'))
    if (signal.aborted) stop()
    else signal.addEventListener('abort', stop, { once: true })
  })
}
