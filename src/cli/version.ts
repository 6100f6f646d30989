import { readFileSync } from 'node:fs'

/** As package.json says; this file is two folders below it, built or not. */
export function version(): string {
  const file = new URL('../../package.json', import.meta.url)
  const { version } = JSON.parse(readFileSync(file, 'utf8')) as { version: string }
  return version
}
