import { isUtf8 } from 'node:buffer'
import type { Context } from 'hono'
import { TaskdError } from '../lib/errors.ts'
import { isBlank, readWhole, turns } from './body.ts'
import { USUAL_BYTES } from './body-size.ts'
import { type Pair, readForm } from './form.ts'
import { invalidJson, parseParts, parseText } from './json-parts.ts'
import { type JsonLimits, JsonScan } from './json-scan.ts'

export type BodyLimits = JsonLimits

const USUAL_LIMITS: BodyLimits = { values: 100_000, atOnce: 100_000 }

/** No real form has more. */
const MAX_PAIRS = 100_000
const MAX_FORM_BYTES = USUAL_BYTES

interface BodyOptions {
  readonly limits?: BodyLimits | undefined
  readonly maxBodyBytes?: number
}

export type ReadBody =
  | { readonly kind: 'empty' }
  | { readonly kind: 'json'; readonly value: unknown }
  | { readonly kind: 'form'; readonly pairs: readonly Pair[] }

/** What is smaller is parsed in one go. */
const SMALL_BYTES = 128 << 10

/**
 * Reads a body, and refuses it while it comes when it has more than the limits say: what a
 * parser makes of a few megabytes may take seconds and gigabytes.
 * @param isJson whether it is said to be JSON; if not, it is a form, or JSON, if it begins as no form does
 * @throws TaskdError E_BAD_REQUEST, E_TOO_LARGE, E_BUSY
 */
export async function readBody(
  c: Context,
  isJson: boolean,
  { limits = USUAL_LIMITS, maxBodyBytes = USUAL_BYTES }: BodyOptions,
): Promise<ReadBody> {
  let size = 0
  const seen: { scan?: JsonScan } = {}
  let pairs = 0
  const bytes = await readWhole(c, maxBodyBytes, chunk => {
    const begins =
      seen.scan === undefined && pairs === 0 ? chunk.find(byte => !isBlank(byte)) : undefined
    if (begins !== undefined && (isJson || begins === BRACE || begins === BRACKET))
      seen.scan = new JsonScan(limits, size)
    size += chunk.length
    if (seen.scan) seen.scan.push(chunk)
    else if (begins !== undefined || pairs > 0)
      pairs = checkForm(Math.max(pairs, 1) + countOf(chunk, AMPERSAND), size)
  })
  const { scan } = seen
  if (scan === undefined && pairs === 0) return { kind: 'empty' }
  await turns.wait()
  if (scan && bytes.length > SMALL_BYTES)
    return { kind: 'json', value: await parseParts(bytes, scan.cuts, turns) }
  if (!isUtf8(bytes)) throw new TaskdError('E_BAD_REQUEST', 'the body is not UTF-8')
  if (!scan) return { kind: 'form', pairs: await readForm(bytes, turns) }
  if (!scan.isWhole) throw invalidJson()
  return { kind: 'json', value: parseText(bytes.toString('utf8').replace(/^\uFEFF/, '')) }
}

function checkForm(pairs: number, size: number): number {
  if (pairs > MAX_PAIRS)
    throw new TaskdError('E_TOO_LARGE', `the form has more than ${MAX_PAIRS} pairs`, 'send JSON')
  if (size > MAX_FORM_BYTES)
    throw new TaskdError(
      'E_TOO_LARGE',
      `the form is larger than ${MAX_FORM_BYTES >> 20} MiB`,
      'send JSON',
    )
  return pairs
}

function countOf(chunk: Uint8Array, wanted: number): number {
  let count = 0
  for (let at = chunk.indexOf(wanted); at >= 0; at = chunk.indexOf(wanted, at + 1)) count += 1
  return count
}

const AMPERSAND = 0x26
const BRACKET = 0x5b
const BRACE = 0x7b
