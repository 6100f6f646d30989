import type { Notice } from '../../model/notice.ts'

export interface Sent {
  /** In the words of whoever took it. */
  readonly message: string
  /** Who did not get it although others did; '' when all did. */
  readonly refused: string
}

/** The way to those who are told. */
export interface Sender {
  /** Where to, without what is secret. */
  readonly to: string
  /** @throws SendError, or whatever the network says */
  send(notice: Notice, signal: AbortSignal): Promise<Sent>
}

/** It was not taken. */
export class SendError extends Error {
  /** When whoever refused it wants to be asked again, ms from now. */
  readonly retryAfterMs: number | undefined

  constructor(message: string, retryAfterMs?: number) {
    super(message)
    this.name = 'SendError'
    this.retryAfterMs = retryAfterMs
  }
}

const MOST_WORDS = 300

/** What others say, as a part of a line of ours. */
export function words(text: string): string {
  return text
    .replace(/[\p{Cc}\s]+/gu, ' ')
    .trim()
    .slice(0, MOST_WORDS)
    .toWellFormed()
}
