import type { Context } from 'hono'
import { z } from 'zod'
import { realClock } from '../lib/clock.ts'
import type { Refusal } from './errors.ts'

/**
 * The answers of the scheduler that pull queues, channels and relays come from, for its clients:
 * `{"code","msg","timestamp"}`. `code` is text: `"1"` for success, `"403"` for a wrong secret and
 * `"0"` for anything else. A client takes `"msg":"success"` for done, and nothing else.
 */

export const SUCCESS = 'success'

/** The numbers of its list of errors that an answer can carry, as `errcode`. */
export type OldError = '102' | '103' | '104' | '105' | '106' | '107' | '200' | '201' | '202' | '203'

type Fields = Readonly<Record<string, unknown>>

/** @param json more members, as JSON text: they are sent byte for byte */
export function oldSuccess(c: Context, fields: Fields = {}, json = ''): Response {
  const head = JSON.stringify({ code: '1', msg: SUCCESS, timestamp: timestamp(), ...fields })
  const text = json === '' ? head : `${head.slice(0, -1)},${json}}`
  return c.body(text, 200, { 'content-type': 'application/json' })
}

/** The request was understood but not carried out. The status is 200, as it was there. */
export function oldFailure(c: Context, msg: string, errcode: OldError, fields: Fields = {}) {
  return c.json({ code: '0', msg, errcode, timestamp: timestamp(), ...fields })
}

/** A refusal in the old form. A wrong secret is 403 there. */
export function oldRefusal(errcode?: OldError, fields: Fields = {}): Refusal {
  return ({ status, body }) => {
    const { code, message: msg } = body.error
    const forbidden = code === 'E_SECRET' || code === 'E_SCOPE'
    const which = errcode === undefined || forbidden ? {} : { errcode }
    return {
      status: forbidden ? 403 : status,
      body: { code: forbidden ? '403' : '0', msg, ...which, timestamp: timestamp(), ...fields },
    }
  }
}

function timestamp(): number {
  return Math.floor(realClock.now() / 1000)
}

/** What all routes that `legacy_path` names have in common. */
export const OLD_PATH = {
  tag: 'Channels and relays, old paths',
  params: z.looseObject({}),
  maxBodyBytes: 64 << 20,
  bodyLimits: { values: 2_000_000, atOnce: 100_000 },
  getBody: true,
  answers: {
    200: {
      description: '`code` says whether it is done',
      schema: z.looseObject({ code: z.string(), msg: z.unknown(), timestamp: z.int() }),
    },
  },
} as const

/** What answers on each old path: several sections may name one. */
export function byOldPath<T extends { readonly legacyPaths: readonly string[] }>(
  specs: readonly T[],
): ReadonlyMap<`/${string}`, readonly T[]> {
  const found = new Map<`/${string}`, T[]>()
  for (const spec of specs)
    for (const path of spec.legacyPaths as readonly `/${string}`[])
      found.set(path, [...(found.get(path) ?? []), spec])
  return found
}
