import { isUtf8 } from 'node:buffer'
import { TaskdError } from '../lib/errors.ts'
import type { Turns } from '../lib/turns.ts'
import { OPEN_BRACE, OPEN_BRACKET } from './json-scan.ts'

/**
 * What JSON means, parsed one entry after another, with turns of the event loop between: the result
 * is that of JSON.parse.
 * @param cuts of json-scan.ts
 * @throws TaskdError E_BAD_REQUEST
 */
export async function parseParts(
  bytes: Buffer,
  cuts: readonly number[],
  turns: Turns,
): Promise<unknown> {
  const [first] = cuts
  if (first === undefined) return parse(bytes, 0, bytes.length)
  const at = new Places(bytes, cuts)
  if (at.text(0, first).trim() !== '') throw invalidJson()
  const value = bytes[first] === OPEN_BRACKET ? await list(at, turns) : await object(at, turns)
  if (!at.atEnd || at.text(at.last + 1, bytes.length).trim() !== '') throw invalidJson()
  return value
}

/** Goes through the cuts, one after another. */
class Places {
  readonly bytes: Buffer
  readonly #cuts: readonly number[]
  #n = 0

  constructor(bytes: Buffer, cuts: readonly number[]) {
    this.bytes = bytes
    this.#cuts = cuts
  }

  /** The cut at the present place. */
  get last(): number {
    return this.#cuts[this.#n] ?? this.bytes.length
  }

  /** Whether there is no further cut. */
  get atEnd(): boolean {
    return this.#n === this.#cuts.length - 1
  }

  get byte(): number {
    return this.bytes[this.last] ?? 0
  }

  /** Steps on to the next cut. @returns where the part between begins and ends */
  next(): readonly [from: number, to: number] {
    const from = this.last + 1
    if (this.#n >= this.#cuts.length - 1) throw invalidJson()
    this.#n += 1
    return [from, this.last]
  }

  text(from: number, to: number): string {
    const part = this.bytes.subarray(from, to)
    if (!isUtf8(part)) throw new TaskdError('E_BAD_REQUEST', 'the body is not UTF-8')
    return part.toString('utf8')
  }
}

const TEXTS = new WeakMap<readonly unknown[], (n: number) => string>()

/** The text of each entry of a list that came from here, byte for byte; of another list, nothing. */
export function textsOf(list: readonly unknown[]): ((n: number) => string) | undefined {
  return TEXTS.get(list)
}

async function list(at: Places, turns: Turns): Promise<unknown[]> {
  const values: unknown[] = []
  const places: number[] = []
  TEXTS.set(values, n => at.text(places[2 * n] ?? 0, places[2 * n + 1] ?? 0))
  for (;;) {
    const [from, to] = at.next()
    await turns.wait()
    const isLast = at.byte === CLOSE_BRACKET
    if (isLast && values.length === 0 && at.text(from, to).trim() === '') return values
    values.push(parse(at.bytes, from, to))
    places.push(from, to)
    if (isLast) return values
  }
}

async function object(at: Places, turns: Turns): Promise<object> {
  const fields = new Map<string, unknown>()
  for (;;) {
    const [from, to] = at.next()
    if (at.byte === OPEN_BRACKET) {
      const head = at.text(from, to).trimEnd()
      const [name] = head.endsWith(':') ? members(`${head}0`) : []
      if (name === undefined) throw invalidJson()
      fields.set(name[0], await list(at, turns))
      const [after, end] = at.next()
      if (at.text(after, end).trim() !== '') throw invalidJson()
    } else {
      await turns.wait()
      const text = at.text(from, to)
      const found = members(text)
      for (const [name, value] of found) fields.set(name, value)
      const isEmpty = fields.size === 0 && at.byte === CLOSE_BRACE && text.trim() === ''
      if (found.length !== 1 && !isEmpty) throw invalidJson()
    }
    // Own properties all of them, also one that is called __proto__.
    if (at.byte === CLOSE_BRACE) return Object.fromEntries(fields)
  }
}

function members(text: string): [string, unknown][] {
  return Object.entries(parseText(`{${text}}`) as object)
}

function parse(bytes: Buffer, from: number, to: number): unknown {
  const part = bytes.subarray(from, to)
  if (!isUtf8(part)) throw new TaskdError('E_BAD_REQUEST', 'the body is not UTF-8')
  return parseText(part.toString('utf8'))
}

export function parseText(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // The parser's message quotes the body, which may hold secrets.
    throw invalidJson()
  }
}

export function invalidJson(): TaskdError {
  return new TaskdError('E_BAD_REQUEST', 'the body is not valid JSON')
}

const CLOSE_BRACKET = 0x5d
const CLOSE_BRACE = OPEN_BRACE + 2
