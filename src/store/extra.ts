/** The width of MySQL's `text`, bytes; the same everywhere, so that a row is the same everywhere. */
const WIDTH = 65_535
const HEAD = 1000

export function fitsExtra(text: string): boolean {
  return text.length <= WIDTH / 4 || Buffer.byteLength(text) <= WIDTH
}

/** PostgreSQL holds no U+0000, so it becomes its picture U+2400; half a surrogate pair becomes U+FFFD. */
export function plain(text: string): string {
  return text.replaceAll('\0', '\u2400').toWellFormed()
}

/** An answer as `extra` can hold it. One that is too long keeps its beginning, and stays JSON. */
export function answerExtra(answer: string): string {
  const text = plain(answer)
  if (fitsExtra(text)) return text
  const bytes = Buffer.byteLength(text)
  const { code, msg } = fieldsOf(text)
  return JSON.stringify({
    ...(typeof code === 'string' && { code: head(code) }),
    ...(typeof msg === 'string' && { msg: head(msg) }),
    cut: `the answer has ${bytes} bytes, more than extra holds`,
    head: head(text),
  })
}

function fieldsOf(text: string): { readonly code?: unknown; readonly msg?: unknown } {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? value : {}
  } catch {
    return {}
  }
}

/** The beginning of a text, so short that it fits even if JSON escapes all of it. */
function head(text: string): string {
  return text.slice(0, HEAD).toWellFormed()
}
