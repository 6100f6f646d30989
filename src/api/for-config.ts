import { existsSync } from 'node:fs'
import { TaskdError } from '../lib/errors.ts'
import { type FileName, fileName, isSameFile } from '../lib/same-file.ts'

/**
 * Two configurations may name one data_dir, and so one control socket. A command says whose daemon
 * it means, and the daemon of the other one refuses whatever is asked: also an answer to a question
 * would be wrong.
 */
export const CONFIG_HEADER = 'taskd-config'

/** The file that a command works on, as the header has it. */
export function configHeader(file: string): string {
  const { path, inode } = safely(file)
  return `${encodeURIComponent(path)} ${inode}`
}

/**
 * @param own the file of this daemon, and the socket that it listens on
 * @throws TaskdError E_OTHER_CONFIG when the header names another file
 */
export function checkConfig(
  header: string | null | undefined,
  own: { readonly file: string; readonly socket: string },
): void {
  const [encoded = '', inode = ''] = (header ?? '').split(' ')
  if (encoded === '') return
  const asked = { path: decoded(encoded), inode }
  if (isSameFile(asked, safely(own.file))) return
  const isGone = !existsSync(own.file)
  throw new TaskdError(
    'E_OTHER_CONFIG',
    `the daemon that runs with this data_dir reads ${own.file}${isGone ? ', which is gone' : ''}, not ${asked.path}`,
    isGone
      ? `to replace it: env -u TASKD_CONFIG TASKD_SOCKET=${own.socket} taskd stop, then taskd start -c ${asked.path}`
      : `name its file with -c ${own.file}, or give each file a data_dir of its own`,
  )
}

/** A folder that may not be looked into says nothing about the name. */
function safely(path: string): FileName {
  try {
    return fileName(path)
  } catch {
    return { path, inode: '' }
  }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
