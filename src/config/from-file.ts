import { readFileSync } from 'node:fs'
import { messageOf } from '../lib/errors.ts'
import { no, type Read } from './fields.ts'

const MAX_BYTES = 65_536

/**
 * `@/run/secrets/x` stands for what is in that file, so that a password need not stand in a file
 * that many may read. What is wrong with it is said without quoting it.
 */
export function orFromFile<T>(read: Read<T>): Read<T> {
  return text => {
    if (!text.startsWith('@')) return read(text)
    const path = text.slice(1)
    if (!path.startsWith('/')) return no('names no absolute path after the @', 'write @/path')
    let content: string
    try {
      content = readFileSync(path, 'utf8')
    } catch (error) {
      return no(`cannot be read: ${messageOf(error)}`, 'look at the path and its permissions')
    }
    if (content.length > MAX_BYTES) return no(`is a file of more than ${MAX_BYTES} bytes`)
    const value = content.trim()
    if (value === '') return no('is an empty file')
    const result = read(value)
    return result.ok ? result : no(`holds what ${result.reason}`, result.hint)
  }
}
