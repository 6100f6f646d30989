/**
 * Finds the parts of a JSON text, so that they can be kept byte for byte: JSON that is parsed and
 * written again loses digits of large numbers, white space, and keys that come twice.
 */

/** The elements of an array, each as it is in `text`, which must be valid JSON. */
export function elementsOf(text: string): string[] {
  const slices: string[] = []
  const end = text.lastIndexOf(']')
  let depth = 0
  let from = text.indexOf('[') + 1
  for (let at = from; at < end; at += 1) {
    const char = text.charCodeAt(at)
    if (char === QUOTE) at = endOfString(text, at)
    else if (char === OPEN_BRACE || char === OPEN_BRACKET) depth += 1
    else if (char === CLOSE_BRACE || char === CLOSE_BRACKET) depth -= 1
    else if (char === COMMA && depth === 0) {
      slices.push(text.slice(from, at).trim())
      from = at + 1
    }
  }
  const last = text.slice(from, end).trim()
  if (last !== '') slices.push(last)
  return slices
}

/** The value of a member of an object as it is in `text`; the last of several, as with JSON.parse. */
export function memberOf(text: string, name: string): string | undefined {
  const start = text.indexOf('{')
  const members = elementsOf(`[${text.slice(start + 1, text.lastIndexOf('}'))}]`)
  const found = members.findLast(
    member => JSON.parse(member.slice(0, endOfString(member, 0) + 1)) === name,
  )
  if (found === undefined) return undefined
  return found.slice(found.indexOf(':', endOfString(found, 0)) + 1).trim()
}

const QUOTE = 0x22
const COMMA = 0x2c
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d
const OPEN_BRACKET = 0x5b
const CLOSE_BRACKET = 0x5d

/** The place of the quote that ends the string which begins at `start`. */
function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); ; end = text.indexOf('"', end + 1)) {
    let slashes = 0
    while (text.charAt(end - 1 - slashes) === '\\') slashes += 1
    if (slashes % 2 === 0) return end
  }
}
