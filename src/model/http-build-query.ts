import type { Parsed } from '../lib/parsed.ts'

/** Deeper nesting is refused; PHP's own json_decode stops at 512. */
const MAX_DEPTH = 64

/**
 * An object or list as a URL-encoded query string, the way PHP's `http_build_query` makes it
 * (RFC 1738), so that `parse_str($argv[3], $p)` gives the value back:
 * `{a: {b: [1, true]}}` becomes `a%5Bb%5D%5B0%5D=1&a%5Bb%5D%5B1%5D=1`. Nulls are left out.
 * https://www.php.net/manual/function.http-build-query.php
 */
export function buildQuery(value: object): Parsed<string> {
  const pairs: string[] = []
  const deep = collect(value, undefined, 1, pairs)
  if (deep) return { ok: false, reason: `"param" is nested more than ${MAX_DEPTH} levels deep` }
  return { ok: true, value: pairs.join('&') }
}

function collect(
  value: object,
  prefix: string | undefined,
  depth: number,
  pairs: string[],
): boolean {
  if (depth > MAX_DEPTH) return true
  for (const [key, one] of Object.entries(value)) {
    const name = prefix === undefined ? urlencode(key) : `${prefix}%5B${urlencode(key)}%5D`
    if (one === null || one === undefined) continue
    if (typeof one === 'object') {
      if (collect(one as object, name, depth + 1, pairs)) return true
    } else {
      pairs.push(`${name}=${urlencode(scalar(one))}`)
    }
  }
  return false
}

function scalar(value: unknown): string {
  if (value === true) return '1'
  if (value === false) return '0'
  return String(value)
}

/** PHP's urlencode: everything but letters, digits and `-_.`; a space is `+`. */
function urlencode(text: string): string {
  return encodeURIComponent(text.toWellFormed())
    .replace(/[!'()*~]/g, one => `%${one.charCodeAt(0).toString(16).toUpperCase()}`)
    .replace(/%20/g, '+')
}
