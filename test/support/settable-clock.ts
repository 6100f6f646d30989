import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { tempDir } from './temp-dir.ts'
import { waitFor } from './wait.ts'

/** Where Debian has libfaketime, by machine; undefined where it is not installed. */
const LIBRARY = ['x86_64', 'aarch64', 'arm']
  .map(machine => `/usr/lib/${machine}-linux-gnu${machine === 'arm' ? 'eabihf' : ''}/faketime`)
  .map(folder => join(folder, 'libfaketimeMT.so.1'))
  .find(file => existsSync(file))

export const CAN_SET_CLOCK = LIBRARY !== undefined

/** A wall clock that the test sets, for all that is started with `env`; monotonic time stays real. */
export interface SettableClock extends AsyncDisposable {
  readonly env: Readonly<Record<string, string>>
  /** From now on it shows the right time and so many seconds more. */
  set(seconds: number): void
}

/** @throws Error where libfaketime is not installed */
export async function settableClock(): Promise<SettableClock> {
  if (LIBRARY === undefined)
    throw new Error('libfaketime is missing: scripts/setup test installs it')
  const folder = tempDir('taskd-clock-')
  const file = join(folder.path, 'clock')
  const set = (seconds: number) => {
    writeFileSync(`${file}.new`, `${seconds < 0 ? '' : '+'}${seconds}\n`)
    renameSync(`${file}.new`, file)
  }
  set(0)
  const fixed = {
    LD_PRELOAD: LIBRARY,
    FAKETIME_TIMESTAMP_FILE: file,
    FAKETIME_NO_CACHE: '1',
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
    // A file keeps the time that it has.
    NO_FAKE_STAT: '1',
  }
  // The first process under the library makes a semaphore and shared memory, and its children use
  // them. They would be left in /dev/shm when that one is KILLed, and be gone when it has ended and its
  // children have not. So the first one is this, which ends by itself, and in order, when we do.
  const keeper = spawn('cat', {
    env: { ...process.env, ...fixed },
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  const ended = once(keeper, 'exit')
  const shared = ['sem', 'shm'].map(part => `/faketime_${part}_${keeper.pid}`)
  const places = [`/dev/shm/sem.faketime_sem_${keeper.pid}`, `/dev/shm/faketime_shm_${keeper.pid}`]
  await waitFor(() => places.every(place => existsSync(place)), { what: 'libfaketime is loaded' })
  return {
    env: { ...fixed, FAKETIME_SHARED: shared.join(' ') },
    set,
    async [Symbol.asyncDispose]() {
      keeper.stdin.end()
      await ended
      await folder.remove()
    },
  }
}
