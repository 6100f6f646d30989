import { realpathSync, statSync } from 'node:fs'

/** A file by its name, and by what the system knows it by; '' where it cannot be looked at. */
export interface FileName {
  /** Absolute. */
  readonly path: string
  /** Device and inode: the same through every link, and in every container that has it mounted. */
  readonly inode: string
}

export function fileName(path: string): FileName {
  const found = statSync(path, { throwIfNoEntry: false, bigint: true })
  return { path, inode: found === undefined ? '' : `${found.dev}:${found.ino}` }
}

/** Whether both lead to one file, also when it was replaced, or is gone, since one was read. */
export function isSameFile(a: FileName, b: FileName): boolean {
  return a.path === b.path || (a.inode !== '' && a.inode === b.inode) || real(a) === real(b)
}

function real({ path }: FileName): string {
  try {
    return realpathSync(path)
  } catch {
    return path
  }
}
