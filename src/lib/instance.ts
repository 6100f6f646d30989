import { randomBytes } from 'node:crypto'
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/**
 * The id of a data folder, made when there is none: it marks everything that is started from it.
 * @throws the system's error
 */
export function instanceOf(dataDir: string): string {
  const file = join(dataDir, 'instance')
  const known = readIfThere(file)
  if (/^[\da-f]{12}$/.test(known)) return known
  const made = randomBytes(6).toString('hex')
  writeFileSync(`${file}.new`, made)
  renameSync(`${file}.new`, file)
  return made
}

function readIfThere(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim()
  } catch {
    return ''
  }
}
