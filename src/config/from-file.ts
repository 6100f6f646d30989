import { readFileSync, statSync } from 'node:fs'
import { messageOf } from '../lib/errors.ts'
import { decode } from './decode.ts'
import { no, type Read, yes } from './fields.ts'

const MAX_BYTES = 65_536

/**
 * `@/run/secrets/x` stands for what is in that file, so that a password need not be in a file
 * that many may read. Messages about it never quote it. What the file holds is the
 * value itself, also when that begins with an @.
 */
export function orFromFile<T>(read: Read<T>, literal = ''): Read<T> {
  return text => {
    if (!text.startsWith('@')) return read(text)
    const path = text.slice(1)
    if (!path.startsWith('/'))
      return no('names no absolute path after the @', `write @/path${literal}`)
    const content = readSecret(path)
    if (!content.ok) return content
    const result = read(content.value)
    // The hint might quote what the file holds.
    return result.ok ? result : no(`holds what ${result.reason}`)
  }
}

/** For values of which any text is one. */
export const A_FILE_FOR_AN_AT = '; a value that begins with an @ itself can stand in that file'

function readSecret(path: string): ReturnType<Read<string>> {
  try {
    const stat = statSync(path)
    // A pipe would never end.
    if (!stat.isFile()) return no('is not a regular file', 'name a file after the @')
    if (stat.size > MAX_BYTES) return no(`is a file of more than ${MAX_BYTES} bytes`)
    const decoded = decode(readFileSync(path))
    if (!decoded.ok) return no('is a file that is no text in UTF-8', 'save the value as plain text')
    const value = decoded.text.trim()
    return value === '' ? no('is an empty file') : yes(value)
  } catch (error) {
    return no(`cannot be read: ${messageOf(error)}`, 'look at the path and its permissions')
  }
}
