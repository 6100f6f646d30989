import type { Turns } from '../lib/turns.ts'

export type Pair = readonly [name: string, value: string]

/**
 * The pairs of `a=1&b=2`, read one after another with turns of the event loop between. The result
 * is that of URLSearchParams.
 * @param bytes UTF-8
 */
export async function readForm(bytes: Buffer, turns: Turns): Promise<Pair[]> {
  const pairs: Pair[] = []
  for (let from = MARK.equals(bytes.subarray(0, 3)) ? 3 : 0; from < bytes.length; ) {
    await turns.wait()
    const found = bytes.indexOf(AMPERSAND, from)
    const to = found < 0 ? bytes.length : found
    const pair = bytes.subarray(from, to)
    const at = pair.indexOf(EQUALS)
    if (pair.length > 0)
      pairs.push(
        at < 0 ? [textOf(pair), ''] : [textOf(pair.subarray(0, at)), textOf(pair.subarray(at + 1))],
      )
    from = to + 1
  }
  return pairs
}

function textOf(part: Buffer): string {
  if (!part.includes(PERCENT) && !part.includes(PLUS)) return part.toString('utf8')
  const plain = Buffer.allocUnsafe(part.length)
  let size = 0
  for (let at = 0; at < part.length; at += 1) {
    const byte = part[at] ?? 0
    const high = byte === PERCENT ? digit(part[at + 1]) : NONE
    const low = high === NONE ? NONE : digit(part[at + 2])
    if (low !== NONE) at += 2
    plain[size] = low !== NONE ? high * 16 + low : byte === PLUS ? BLANK : byte
    size += 1
  }
  return plain.toString('utf8', 0, size)
}

const NONE = -1

/** Of a hexadecimal digit. */
function digit(byte = 0): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30
  const small = byte | 0x20
  return small >= 0x61 && small <= 0x66 ? small - 0x57 : NONE
}

/** Some editors begin a file with it. */
const MARK = Buffer.from('\uFEFF')
const AMPERSAND = 0x26
const EQUALS = 0x3d
const PERCENT = 0x25
const PLUS = 0x2b
const BLANK = 0x20
