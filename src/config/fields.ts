import { z } from 'zod'
import { parseDuration } from '../lib/duration.ts'
import { didYouMeanOneOf, suggest } from '../lib/suggest.ts'
import { MAX_ARGUMENT_BYTES } from '../model/task.ts'

/** What the text of one key means, or why it means nothing and what to write instead. */
export type Read<T> = (
  text: string,
) =>
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly reason: string; readonly hint?: string }

/**
 * A key of a schema.
 * @param example what a hint offers when the reader has no better idea
 * @param maxBytes the kernel takes no longer argument; in other keys a longer value is a mistake
 * that is slow to judge
 */
export function field<T>(
  read: Read<T>,
  example: string,
  empty?: 'may be empty',
  maxBytes = MAX_ARGUMENT_BYTES,
) {
  return z.string().transform((text, context): T => {
    const result = refuse(text, empty, maxBytes) ?? read(text)
    if (result.ok) return result.value
    const hint = result.hint ?? `write for instance ${example}`
    context.addIssue({ code: 'custom', message: result.reason, params: { hint } })
    return z.NEVER
  })
}

function refuse(text: string, empty: 'may be empty' | undefined, maxBytes: number) {
  if (text === '' && empty === undefined) return no('is empty')
  return Buffer.byteLength(text) > maxBytes ? tooLong('is', maxBytes) : undefined
}

/** @param what the beginning of the sentence */
export function tooLong(what: string, maxBytes: number) {
  return no(`${what} longer than ${maxBytes} bytes`, 'hand the data over in a file')
}

export function no(reason: string, hint?: string) {
  return { ok: false, reason, ...(hint !== undefined && { hint }) } as const
}

export function yes<T>(value: T) {
  return { ok: true, value } as const
}

export function duration(example: string, leastMs = 0) {
  return field<number>(text => {
    const parsed = parseDuration(text)
    if (parsed.ok && parsed.value < leastMs)
      return no(leastMs === 1 ? 'must be more than nothing' : `is less than ${leastMs}ms`)
    return parsed
  }, `${example} (units: d h m s ms)`)
}

export function integer(least: number, most: number, example: number) {
  return field<number>(text => {
    const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN
    if (value >= least && value <= most) return yes(value)
    return no(`is not a whole number from ${least} to ${most}`)
  }, String(example))
}

export function choice<const W extends readonly string[]>(words: W) {
  return field<W[number]>(text => {
    const found = words.find(word => word === text)
    if (found !== undefined) return yes(found)
    const hint = didYouMeanOneOf(text, words, `write one of: ${words.join(', ')}`)
    return no('is not known here', hint)
  }, words[0] ?? '')
}

const TRUE = ['true', 'yes', 'on', '1']
const FALSE = ['false', 'no', 'off', '0']

export const flag = field<boolean>(text => {
  const word = text.toLowerCase()
  if (TRUE.includes(word)) return yes(true)
  return FALSE.includes(word) ? yes(false) : no('is neither true nor false', 'write true or false')
}, 'true')

/** Any text but an empty one. */
export function filled(example: string, maxBytes?: number) {
  return field<string>(yes, example, undefined, maxBytes)
}

const zones = new Map<string, ReturnType<Read<string>>>()

/** An IANA zone; ten thousand jobs mostly name the same few, so answers are kept. */
export const timezone = field<string>(text => {
  let answer = zones.get(text)
  if (answer === undefined) {
    answer = readZone(text)
    if (zones.size < 1000) zones.set(text, answer)
  }
  return answer
}, 'Europe/Berlin')

function readZone(text: string): ReturnType<Read<string>> {
  // Newer engines take "+08:00" too, which is an offset and has no daylight saving time.
  if (/^[A-Za-z]/.test(text) && isZone(text)) return yes(text)
  const all = [...Intl.supportedValuesOf('timeZone'), 'UTC']
  const near =
    suggest(text, all) ?? all.find(zone => zone.toLowerCase().endsWith(`/${text.toLowerCase()}`))
  const example = 'write an IANA name such as Europe/Berlin or UTC'
  return no('is no time zone', near === undefined ? example : `did you mean "${near}"?`)
}

function isZone(text: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: text }).resolvedOptions().timeZone !== ''
  } catch {
    return false
  }
}
