import { createHmac } from 'node:crypto'
import type { NotifySpec } from '../../model/notice.ts'
import { SendError, words } from './sender.ts'

/**
 * The robots of DingTalk, WeCom and Feishu (Lark): each has a body of its own, may want a
 * signature, and answers 200 also when it refuses.
 * - https://open.dingtalk.com/document/robots/custom-robot-access
 * - https://developer.work.weixin.qq.com/document/path/91770
 * - https://open.feishu.cn/document/client-docs/bot-v3/add-custom-bot
 */
export type RobotFormat = 'dingtalk' | 'wecom' | 'feishu'

export const isRobot = (format: NotifySpec['format']): format is RobotFormat =>
  format === 'dingtalk' || format === 'wecom' || format === 'feishu'

export interface RobotMessage {
  readonly text: string
  /** The key of its signature; '' for a robot that wants none. */
  readonly secret: string
  /** Wall time, ms. */
  readonly now: number
}

/** Bytes of a text that they take at most. */
const MOST: Readonly<Record<RobotFormat, number>> = {
  dingtalk: 20_000,
  wecom: 2048,
  feishu: 20_000,
}

/** @param url gets the signature where the robot wants it there */
export function robotRequest(
  format: RobotFormat,
  url: URL,
  { text, secret, now }: RobotMessage,
): { readonly url: URL; readonly body: unknown } {
  const content = startOf(text, MOST[format])
  if (format === 'feishu') {
    const timestamp = String(Math.floor(now / 1000))
    // The text that is signed is the key, and nothing is what it signs.
    const sign = hmac(`${timestamp}\n${secret}`, '')
    const signed = secret === '' ? {} : { timestamp, sign }
    return { url, body: { ...signed, msg_type: 'text', content: { text: content } } }
  }
  const to = new URL(url)
  if (format === 'dingtalk' && secret !== '') {
    to.searchParams.set('timestamp', String(now))
    to.searchParams.set('sign', hmac(secret, `${now}\n${secret}`))
  }
  return { url: to, body: { msgtype: 'text', text: { content } } }
}

function hmac(key: string, text: string): string {
  return createHmac('sha256', key).update(text).digest('base64')
}

/** Too many at a time, or a server that is busy: what is sent again later is taken. */
const LATER: ReadonlySet<number> = new Set([-1, 130101, 130102, 410100, 45009, 45033, 9499, 11232])
const LATER_MS = 60_000

/**
 * Judges what came with a status of success: `errcode`, whatever was sent, and Feishu's `code` or
 * `StatusCode`, which elsewhere mean anything.
 * @throws SendError when it says that the notice was not taken
 */
export function judgeAnswer(format: NotifySpec['format'], status: number, text: string): void {
  const answer = objectIn(text)
  const names = format === 'feishu' ? ['code', 'StatusCode', 'errcode'] : ['errcode']
  const name = names.find(one => answer[one] !== undefined)
  if (name === undefined) {
    if (!isRobot(format)) return
    const said = words(text) || 'nothing'
    throw new SendError(`HTTP ${status}: no answer of ${format}, but: ${said}`)
  }
  const raw = answer[name]
  const code = Number(raw)
  if (code === 0) return
  const said = answer['errmsg'] ?? answer['msg'] ?? answer['StatusMessage'] ?? ''
  const shown = typeof raw === 'string' || typeof raw === 'number' ? raw : '?'
  const message = words(`HTTP ${status}: ${name} ${shown}: ${typeof said === 'string' ? said : ''}`)
  throw LATER.has(code)
    ? new SendError(message, { retryAfterMs: LATER_MS })
    : new SendError(message, { final: true })
}

function objectIn(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? { ...value } : {}
  } catch {
    return {}
  }
}

/** At most so many bytes, whole characters only. */
function startOf(text: string, most: number): string {
  const bytes = Buffer.from(text)
  if (bytes.length <= most) return text
  const mark = '…'
  let end = most - Buffer.byteLength(mark)
  while (((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1
  return bytes.toString('utf8', 0, end) + mark
}
