import { parse } from 'lossless-json'
import { messageOf } from '../lib/errors.ts'
import type { Parsed } from '../lib/parsed.ts'

const utf8 = new TextDecoder('utf-8', { fatal: true })

/** The text of a message; bytes that are not UTF-8 are refused rather than changed. */
export function decodeText(bytes: Uint8Array): string | undefined {
  try {
    return utf8.decode(bytes)
  } catch {
    return undefined
  }
}

/**
 * JSON in which whole numbers too large for a double keep every digit, as strings: ids of 19
 * digits are common, and `JSON.parse` would quietly change their tail.
 */
export function parseMessage(text: string): Parsed<unknown> {
  try {
    return {
      ok: true,
      value: /\d{16}/.test(text) ? parse(text, null, EXACT) : JSON.parse(text),
    }
  } catch (error) {
    if (error instanceof RangeError) return { ok: false, reason: 'JSON nested too deep' }
    return { ok: false, reason: `not JSON: ${messageOf(error).slice(0, 200)}` }
  }
}

/** Like JSON.parse except for large numbers: of a repeated key, the last one counts. */
const EXACT = {
  parseNumber: exactNumber,
  onDuplicateKey: ({ newValue }: { readonly newValue: unknown }) => newValue,
}

function exactNumber(digits: string): number | string {
  const value = Number(digits)
  return /^-?\d+$/.test(digits) && !Number.isSafeInteger(value) ? digits : value
}
