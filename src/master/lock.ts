import { type Lock, lockFolder } from '../lib/lock.ts'

/** One daemon per data_dir. @throws TaskdError E_LOCKED with the pid that holds it */
export function takeLock(dataDir: string): Promise<Lock> {
  return lockFolder({
    dataDir,
    pidFile: 'taskd.pid',
    holder: 'taskd already runs',
    hint: 'see it with `taskd status`, end it with `taskd stop`, or give this one its own data_dir',
  })
}
