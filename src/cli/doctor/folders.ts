import { accessSync, constants, existsSync, statfsSync } from 'node:fs'
import { dirname } from 'node:path'
import { codeOf, messageOf } from '../../lib/errors.ts'
import { fail, type Look, ok, warn } from './finding.ts'

const LITTLE_BYTES = 100 << 20

export const lookAtFolders: Look = ({ config }) => {
  if (config === undefined) return []
  const { dataDir } = config.settings
  const there = nearest(dataDir)
  const problem = mayWrite(there)
  if (problem !== '')
    return [
      fail(
        'data_dir',
        `${there}: ${problem}`,
        'make it writable for the user of taskd, or run as it',
      ),
    ]
  const made = there === dataDir ? dataDir : `${dataDir} will be made at the first start`
  const { bavail, bsize } = statfsSync(there)
  const free = bavail * bsize
  if (free < LITTLE_BYTES)
    return [warn('data_dir', `${made}: ${free >> 20} MB are free`, 'make room on its disk')]
  return [ok('data_dir', made)]
}

/** The folder itself, or the one it would be made in. */
function nearest(folder: string): string {
  return existsSync(folder) || folder === dirname(folder) ? folder : nearest(dirname(folder))
}

/** Why not, or ''. */
export function mayWrite(path: string): string {
  try {
    accessSync(path, constants.W_OK)
    return ''
  } catch (error) {
    if (codeOf(error) === 'ENOENT' && dirname(path) !== path) return mayWrite(dirname(path))
    return codeOf(error) === 'EACCES' ? 'this user may not write there' : messageOf(error)
  }
}
