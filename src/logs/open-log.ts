import { close, constants, fstat, open, type Stats } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import { promisify } from 'node:util'
import { codeOf } from '../lib/errors.ts'

const openFd = promisify(open)
export const closeFd = promisify(close)
export const statFd = promisify(fstat)

/** Without O_NONBLOCK, opening a FIFO without a reader would block for ever. */
const FLAGS =
  constants.O_WRONLY |
  constants.O_APPEND |
  constants.O_CREAT |
  constants.O_NONBLOCK |
  constants.O_NOCTTY

export interface OpenLog {
  readonly fd: number
  readonly stats: Stats
}

/** Opens a log for appending; a folder that is missing is made. */
export async function openLogFile(path: string): Promise<OpenLog> {
  const fd = await openFd(path, FLAGS, 0o644).catch(async (error: unknown) => {
    if (codeOf(error) !== 'ENOENT') throw error
    await mkdir(dirname(path), { recursive: true, mode: 0o750 })
    return openFd(path, FLAGS, 0o644)
  })
  try {
    return { fd, stats: await statFd(fd) }
  } catch (error) {
    await closeFd(fd).catch(() => undefined)
    throw error
  }
}
