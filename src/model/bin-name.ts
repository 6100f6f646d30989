import { fileInside } from '../lib/inside.ts'
import type { Parsed } from '../lib/parsed.ts'

const MAX_NAME_BYTES = 4096

/** Why this names no file inside a folder, whatever the folder holds; undefined when it may. */
export function wrongName(name: string): string | undefined {
  if (name === '') return 'is missing: the file in bin_path to run'
  if (/\p{Cc}/u.test(name)) return 'has control characters'
  if (Buffer.byteLength(name) > MAX_NAME_BYTES) return `is longer than ${MAX_NAME_BYTES} bytes`
  if (name.startsWith('/')) return 'is an absolute path: name the file as it is called in bin_path'
  if (name.split('/').some(part => part === '' || part === '.' || part === '..'))
    return 'has a part that names no file, such as ".."'
  return undefined
}

/** The real path of a file in bin_path, as it is at this moment; or why it may not be run. */
export function fileOfBin(binPath: string, name: string): Parsed<string> {
  const wrong = wrongName(name)
  if (wrong !== undefined) return { ok: false, reason: `"bin_name" ${wrong}` }
  const file = fileInside(binPath, name)
  return file.ok ? file : { ok: false, reason: `${name} in bin_path: ${file.reason}` }
}

/** The arguments, which blanks separate; so none can hold a blank or be empty. */
export function wordsOf(args: string): string[] {
  return args.split(' ').filter(word => word !== '')
}
