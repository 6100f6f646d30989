import { randomUUID } from 'node:crypto'
import { rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { OPTIONS } from '../../scripts/esbuild-options.mjs'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/**
 * Puts code, and what it imports of src/, into a file that Node runs as it is.
 *
 * @param {string} code lines that import from './src/…'
 * @returns {Promise<string>} the path of the file, which goes when this process ends
 */
export async function bundled(code) {
  // As deep below the root as the modules are: see src/lib/shipped.ts.
  const outfile = `${ROOT}node_modules/.cache/${randomUUID()}.mjs`
  process.once('exit', () => rmSync(outfile, { force: true }))
  await build({ ...OPTIONS, stdin: { contents: code, resolveDir: ROOT }, outfile })
  return outfile
}
