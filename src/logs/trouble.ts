import { codeOf, messageOf } from '../lib/errors.ts'

const REASONS: Readonly<Record<string, string>> = {
  ENOSPC: 'its disk is full; make room',
  EDQUOT: 'the disk quota is used up; make room',
  EFBIG: 'the file would be too large for its file system or for ulimit -f; rotate it earlier',
  EACCES: 'this user may not write there; change its owner or mode',
  EPERM: 'this user may not write there; change its owner or mode',
  EROFS: 'its file system is read-only',
  EISDIR: 'it is a folder; name a file in it',
  ENOTDIR: 'a part of its path is not a folder',
  EIO: 'its disk reports an error; look at the kernel log',
  ENXIO: 'it is a FIFO or socket that nobody reads; start its reader',
  EPIPE: 'it is a FIFO whose reader has gone; start it again',
  EMFILE: 'too many files are open; raise LimitNOFILE or ulimit -n',
  ENFILE: 'too many files are open on this machine',
  ESTALE: 'its network file system is away',
  ELOOP: 'its path has too many symbolic links',
  ENAMETOOLONG: 'its path is too long',
}

/** Why something could not be done with a log file, and what helps. */
export function reasonOf(error: unknown): string {
  const code = codeOf(error)
  const known = REASONS[code]
  return known === undefined ? messageOf(error) : `${known} (${code})`
}
