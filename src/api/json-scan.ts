import { TaskdError } from '../lib/errors.ts'

export interface JsonLimits {
  /** Values in all. */
  readonly values: number
  /** Values outside of the lists that are read one entry after another, and in each entry. */
  readonly atOnce: number
  /** Bytes of these; 8 MiB when not given. */
  readonly atOnceBytes?: number
}

/** No real data is nested deeper, and writing it out again would overflow the stack. */
export const MAX_DEPTH = 64
/** An entry is parsed in one go. */
const AT_ONCE_BYTES = 8 << 20
/**
 * The most names of one object: making and checking an object takes far longer than a list of as
 * many values.
 */
export const MAX_NAMES = 5000

/**
 * Scans JSON as it comes, before it is parsed: how deep it is and how many values it
 * has. It says as well where the entries lie of the outermost list, or of those in the outermost
 * object, so that they can be parsed one after another. It does not find every mistake: parsing does.
 */
export class JsonScan {
  /**
   * The places of the brackets of the outermost value and of the lists in it, and of the commas between
   * their entries. Bytes from the beginning.
   */
  readonly cuts: number[] = []
  readonly #limits: JsonLimits
  /** The opening brackets that are not closed yet. */
  readonly #open: number[] = []
  /** The commas in each of these. */
  readonly #commas: number[] = []
  #at = 0
  #inString = false
  #escaped = false
  #values = 1
  /** Values since the last entry began. */
  #since = 0
  #loose = 1
  #cutAt = 0

  /** @param from how many bytes were before it, all of them blank */
  constructor(limits: JsonLimits, from = 0) {
    this.#limits = limits
    this.#at = from
    this.#cutAt = from
  }

  /** Whether all that was opened is closed. */
  get isWhole(): boolean {
    return this.#open.length === 0 && !this.#inString
  }

  /** @throws TaskdError E_BAD_REQUEST, E_TOO_LARGE */
  push(chunk: Uint8Array): void {
    for (let n = 0; n < chunk.length; n += 1) {
      const byte = chunk[n] ?? 0
      if (this.#inString) {
        if (this.#escaped) this.#escaped = false
        else if (byte === BACKSLASH) this.#escaped = true
        else if (byte === QUOTE) this.#inString = false
      } else if (byte === QUOTE) this.#inString = true
      else if (byte === COMMA) this.#comma(this.#at + n)
      else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) this.#opens(byte, this.#at + n)
      else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) this.#closes(byte, this.#at + n)
    }
    this.#at += chunk.length
    const { atOnceBytes = AT_ONCE_BYTES } = this.#limits
    if (this.#at - this.#cutAt > atOnceBytes)
      throw tooLarge(`more than ${atOnceBytes >> 20} MiB at one place`)
  }

  /** Whether the place is directly in a list that is read one entry after another. */
  #inList(): boolean {
    const depth = this.#open.length
    if (depth === 1) return this.#open[0] === OPEN_BRACKET
    return depth === 2 && this.#open[0] === OPEN_BRACE && this.#open[1] === OPEN_BRACKET
  }

  #inEntry(): boolean {
    const [first, second] = this.#open
    return first === OPEN_BRACKET || (first === OPEN_BRACE && second === OPEN_BRACKET)
  }

  #count(): void {
    this.#values += 1
    if (this.#inEntry()) this.#since += 1
    else this.#loose += 1
    const { values, atOnce } = this.#limits
    if (this.#values > values) throw tooLarge(`more than ${values} values`)
    if (this.#loose > atOnce || this.#since > atOnce)
      throw tooLarge(`more than ${atOnce} values at one place`)
  }

  #cut(at: number): void {
    this.cuts.push(at)
    this.#cutAt = at
  }

  #comma(at: number): void {
    if (this.#inList()) this.#since = 0
    if (this.#inList() || this.#open.length === 1) this.#cut(at)
    this.#count()
    const last = this.#open.length - 1
    const names = (this.#commas[last] ?? 0) + 1
    this.#commas[last] = names
    if (names >= MAX_NAMES && this.#open[last] === OPEN_BRACE)
      throw tooLarge(`an object with more than ${MAX_NAMES} names`)
  }

  #opens(byte: number, at: number): void {
    this.#count()
    this.#open.push(byte)
    this.#commas.push(0)
    const depth = this.#open.length
    if (depth > MAX_DEPTH)
      throw new TaskdError(
        'E_BAD_REQUEST',
        `the body is nested deeper than ${MAX_DEPTH} levels, or is not valid JSON`,
      )
    if (depth > 1 && !this.#inList()) return
    this.#since = 0
    this.#cut(at)
  }

  #closes(byte: number, at: number): void {
    if (this.#open.length === 1 || this.#inList()) this.#cut(at)
    this.#commas.pop()
    // `{` and `[` are followed by `}` and `]` at a distance of two.
    if (this.#open.pop() !== byte - 2)
      throw new TaskdError('E_BAD_REQUEST', 'the body is not valid JSON')
  }
}

function tooLarge(what: string): TaskdError {
  return new TaskdError('E_TOO_LARGE', `the body has ${what}`, 'send it in several requests')
}

const QUOTE = 0x22
const COMMA = 0x2c
const BACKSLASH = 0x5c
export const OPEN_BRACKET = 0x5b
const CLOSE_BRACKET = 0x5d
export const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d
