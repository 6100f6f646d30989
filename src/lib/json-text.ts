/** JSON whose numbers keep every digit: `JSON.parse` rounds what a double cannot hold. */

/** A value as the JSON text that it was read from, because reading it would change its numbers. */
export class JsonText {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }

  /** For callers of JSON.stringify: the same value, with large numbers rounded. */
  toJSON(): unknown {
    return JSON.parse(this.text)
  }
}

const STRINGS = /"[^"\\]*(?:\\.[^"\\]*)*"/gs
const NUMBERS = /-?\d[\d.eE+-]*/g

/** The value of a valid JSON text; the text itself where its numbers would not come out the same. */
export function readExactly(text: string): unknown {
  const numbers = text.replace(STRINGS, '""').match(NUMBERS) ?? []
  const exact = numbers.every(digits => JSON.stringify(Number(digits)) === digits)
  return exact ? JSON.parse(text) : new JsonText(text)
}

/** As JSON.stringify, but a `JsonText` in it is written as it is. */
export function stringify(value: unknown, space?: number): string {
  const texts: string[] = []
  let mark = ''
  const written = JSON.stringify(
    value,
    function (this: Record<string, unknown>, key, shown: unknown) {
      const held = this[key]
      if (!(held instanceof JsonText)) return shown
      // Whoever wrote what is in `value` cannot know this mark.
      mark ||= `json:${crypto.randomUUID()}:`
      return `${mark}${texts.push(held.text) - 1}`
    },
    space,
  )
  if (mark === '') return written
  return written.replace(new RegExp(`"${mark}(\\d+)"`, 'g'), (_, n) => texts[Number(n)] ?? '')
}
