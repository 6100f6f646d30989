import { readFileSync } from 'node:fs'

/**
 * The statements by which people made `task` and `execute_task` in MySQL long before there was a
 * migration, letter by letter: what they made must be served as it is.
 */
export function givenTables(): string[] {
  const text = readFileSync(new URL('given-tables.sql', import.meta.url), 'utf8')
  return text.split(';').filter(part => part.trim() !== '')
}
