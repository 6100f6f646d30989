import { codeOf, messageOf } from '../lib/errors.ts'
import { parseMessage } from '../queue/message.ts'
import type { Http, HttpAnswer } from './http.ts'
import type { Report } from './journal-lines.ts'

export interface ClaimedTask {
  readonly id: string
  readonly attempt: number
  /** As it was handed in. */
  readonly content: unknown
}

export interface Claim {
  readonly tasks: readonly ClaimedTask[]
  readonly leaseMs: number
}

export interface Counted {
  readonly counted: number
  readonly unknown: readonly string[]
}

/**
 * `away`: no answer, or not now. `refused`: a person has to correct something, here or there.
 */
export type Answered<T> =
  | { readonly kind: 'ok'; readonly value: T }
  | {
      readonly kind: 'away' | 'refused'
      readonly reason: string
      readonly retryAfterMs?: number | undefined
    }

/** The master as an agent sees it. Nothing throws. */
export class MasterApi {
  readonly #http: Http
  readonly #path: string

  constructor(http: Http, queue: string) {
    this.#http = http
    this.#path = `/api/queue/${encodeURIComponent(queue)}`
  }

  /** @param id names the claim: the same one again brings what an answer that was lost had */
  async claim(
    { count, worker, id }: { readonly count: number; readonly worker: string; readonly id: string },
    signal: AbortSignal,
  ): Promise<Answered<Claim>> {
    return this.#ask('claim', { count, worker, claim_id: id }, readClaim, signal)
  }

  async report(reports: readonly Report[], signal?: AbortSignal): Promise<Answered<Counted>> {
    const of = (kind: Report['kind']) =>
      reports
        .filter(one => one.kind === kind)
        .map(({ id, attempt, msg }) => ({ task_id: id, attempt, ...(msg !== '' && { msg }) }))
    const body = { finish: of('finish'), failed: of('failed'), returned: of('returned') }
    return this.#ask('report', body, readCounted, signal)
  }

  async #ask<T>(
    verb: string,
    body: object,
    read: (value: Fields) => T | undefined,
    signal?: AbortSignal,
  ): Promise<Answered<T>> {
    let answer: HttpAnswer
    try {
      answer = await this.#http.post(`${this.#path}/${verb}`, body, signal)
    } catch (error) {
      return unreachable(error)
    }
    const parsed = parseMessage(answer.text)
    const fields = parsed.ok && isFields(parsed.value) ? parsed.value : undefined
    if (answer.status !== 200) return refusal(answer, fields)
    const value = fields && read(fields)
    if (value !== undefined) return { kind: 'ok', value }
    return { kind: 'refused', reason: 'what answers there is not taskd. look at --master' }
  }
}

type Fields = Readonly<Record<string, unknown>>

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function readClaim({ tasks, lease_s: leaseS }: Fields): Claim | undefined {
  if (!Array.isArray(tasks) || typeof leaseS !== 'number') return undefined
  const claimed = tasks.filter(isFields).flatMap(({ task_id: id, attempt, content }) => {
    if (typeof id !== 'string' || typeof attempt !== 'number') return []
    return [{ id, attempt, content }]
  })
  return claimed.length === tasks.length ? { tasks: claimed, leaseMs: leaseS * 1000 } : undefined
}

function readCounted({ counted, unknown }: Fields): Counted | undefined {
  if (typeof counted !== 'number' || !Array.isArray(unknown)) return undefined
  return { counted, unknown: unknown.map(String) }
}

/** Certificates that are not trusted do not become so by waiting. */
const BAD_CERTIFICATE = /CERT|SELF_SIGNED|UNABLE_TO_(?:GET_ISSUER|VERIFY)|ERR_TLS|ERR_SSL_WRONG/

function unreachable(error: unknown): Answered<never> {
  const code = codeOf(error)
  if (BAD_CERTIFICATE.test(code)) {
    const hint = 'name the certificate of its CA with --ca, and look at the host in --master'
    return {
      kind: 'refused',
      reason: `its certificate is not trusted: ${messageOf(error)}. ${hint}`,
    }
  }
  // OpenSSL's own words for it are a line of its source code.
  if (code === 'EPROTO')
    return { kind: 'refused', reason: 'it speaks no TLS there. write http:// in --master' }
  return { kind: 'away', reason: messageOf(error) }
}

/** What the caller can do nothing about by trying again. */
const FINAL = new Set([301, 302, 307, 308, 400, 401, 403, 404, 405, 413, 415])

function refusal(
  { status, retryAfterMs }: HttpAnswer,
  fields: Fields | undefined,
): Answered<never> {
  const error = isFields(fields?.['error']) ? fields['error'] : {}
  const { code, message } = error
  const reason =
    typeof message !== 'string'
      ? `HTTP status ${status}; is it taskd? look at --master`
      : code === 'E_SECRET'
        ? `${message.split('.', 1)[0]}. --secret-file names a file with it`
        : message
  return { kind: FINAL.has(status) ? 'refused' : 'away', reason, retryAfterMs }
}
