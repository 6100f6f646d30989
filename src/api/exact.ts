import type { Context } from 'hono'
import { JsonText, stringify } from '../lib/json-text.ts'

/** As `c.json`; the numbers in an answer keep every digit. */
export function exactJson<T extends object>(c: Context, value: T) {
  const response = c.json(value)
  const isExact = 'data' in value && value.data instanceof JsonText
  return isExact ? (new Response(stringify(value), response) as typeof response) : response
}
