import type { Notice } from '../../model/notice.ts'

export interface Sent {
  /** The receiver's words. */
  readonly message: string
  /** Who did not get it although others did; '' when all did. */
  readonly refused: string
}

/** Sends notices one way. */
export interface Sender {
  /** Where to, without what is secret. */
  readonly to: string
  /** @throws SendError, or whatever the network says */
  send(notice: Notice, signal: AbortSignal): Promise<Sent>
}

export interface Refusal {
  /** When the receiver wants to be asked again, ms from now. */
  readonly retryAfterMs?: number | undefined
  /** The same again would be refused again: the key is wrong, or what was sent. */
  readonly final?: boolean
}

/** The notice was not accepted. */
export class SendError extends Error {
  readonly retryAfterMs: number | undefined
  readonly final: boolean

  constructor(message: string, { retryAfterMs, final = false }: Refusal = {}) {
    super(message)
    this.name = 'SendError'
    this.retryAfterMs = retryAfterMs
    this.final = final
  }
}

const MOST_WORDS = 300

/** A foreign text as part of one of our lines. */
export function words(text: string): string {
  return text
    .replace(/[\p{Cc}\s]+/gu, ' ')
    .trim()
    .slice(0, MOST_WORDS)
    .toWellFormed()
}
