import { lstatSync, realpathSync } from 'node:fs'
import { join, sep } from 'node:path'
import { codeOf, messageOf } from './errors.ts'
import type { Parsed } from './parsed.ts'

/**
 * The real path of a regular file inside a folder, wherever links lead; or why there is none, in
 * words that do not say where the folder is.
 * @param name its path within the folder, `report.sh` or `points/report.sh`
 */
export function fileInside(folder: string, name: string): Parsed<string> {
  const no = (reason: string) => ({ ok: false, reason }) as const
  let root: string
  try {
    root = realpathSync.native(folder)
  } catch (error) {
    return no(`the folder itself cannot be used (${codeOf(error)})`)
  }
  return realFile(join(root, name), root)
}

/**
 * The real path of a regular file, wherever links lead; or why there is none, in words.
 * @param within the real path of a folder that it must lie in
 */
export function realFile(path: string, within: string = sep): Parsed<string> {
  const no = (reason: string) => ({ ok: false, reason }) as const
  try {
    const file = realpathSync.native(path)
    if (!file.startsWith(within.endsWith(sep) ? within : within + sep)) return no('leads out of it')
    // Not through a link: the path is a real one.
    return lstatSync(file).isFile() ? { ok: true, value: file } : no('is no regular file')
  } catch (error) {
    return no(explain(error))
  }
}

function explain(error: unknown): string {
  switch (codeOf(error)) {
    case 'ENOENT':
    case 'ENOTDIR':
      return 'there is no such file'
    case 'EACCES':
      return 'no permission to look at it'
    case 'ELOOP':
      return 'is a link that leads nowhere'
    case 'ENAMETOOLONG':
      return 'the name is too long'
    default:
      return messageOf(error)
  }
}
