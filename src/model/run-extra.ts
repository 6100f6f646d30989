import { stringify } from '../lib/json-text.ts'
import type { Answer, FailKind } from './run-result.ts'

/** MySQL's `text` holds 65,535 bytes. */
const MAX_BYTES = 64_000
const MESSAGE_CHARACTERS = 1000

/** Which run it was, and what else helps to look into it. */
export interface RunDetails {
  /** `returned`: ended by taskd itself when it stopped, and given back to its queue. */
  readonly kind: FailKind | '' | 'returned'
  readonly unique_task_id: string
  readonly attempt: number
  readonly worker_id: string
  readonly node: string
  /** Unknown for a run that died with its worker. */
  readonly duration_ms?: number
}

/** `extra` of a row of `execute_task` that has ended: the answer, and which run it was. */
export function runExtra({ code, msg, data }: Answer, details: RunDetails): string {
  const whole = stringify({ code, msg, data, ...details })
  if (Buffer.byteLength(whole) <= MAX_BYTES) return whole
  const told = Array.from(msg.slice(0, 2 * MESSAGE_CHARACTERS))
    .slice(0, MESSAGE_CHARACTERS)
    .join('')
  return JSON.stringify({
    code: code.slice(0, MESSAGE_CHARACTERS),
    msg: told,
    data: [],
    ...details,
  })
}
