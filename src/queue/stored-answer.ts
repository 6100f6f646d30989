import { JsonText, stringify } from '../lib/json-text.ts'
import { readAnswer } from '../model/answer.ts'
import type { Answer } from '../model/run-result.ts'

/** An answer as the engine keeps it: as a text where the engine's own JSON would round its numbers. */
export type StoredAnswer = Answer | string

export function toStoredAnswer(answer: Answer): StoredAnswer {
  return answer.data instanceof JsonText ? stringify(answer) : answer
}

export function fromStoredAnswer(stored: StoredAnswer): Answer | undefined {
  return typeof stored === 'string' ? readAnswer(stored) : stored
}
