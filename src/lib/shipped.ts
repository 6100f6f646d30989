import { readFileSync } from 'node:fs'

/** Two folders above this file, as source (src/lib) and built (dist/chunks). */
const ROOT = new URL('../../', import.meta.url)
const CODE = import.meta.url.endsWith('.ts') ? 'src/' : 'dist/'

/** A file that lies beside our code, such as a Lua script. @param path from src or dist */
export const shipped = (path: string): URL => new URL(`${CODE}${path}`, ROOT)

/** As package.json says. */
export function version(): string {
  const text = readFileSync(new URL('package.json', ROOT), 'utf8')
  return (JSON.parse(text) as { version: string }).version
}
