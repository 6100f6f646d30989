import { rmSync, symlinkSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { newDaemon, type TestDaemon } from '../support/daemon.ts'

let daemon: TestDaemon
/** Its file names the same data_dir. */
let other: TestDaemon

beforeAll(async () => {
  daemon = newDaemon()
  other = newDaemon({ dataDir: daemon.dataDir })
  await daemon.start()
})
afterAll(async () => {
  await other.remove()
  await daemon.remove()
})

// Whatever reaches the daemon: an answer about another configuration's jobs is as wrong as a stop.
test.each([
  'stop',
  'stop --now',
  'restart',
  'start',
  'reload',
  'plan',
  'drain',
  'status',
  'fails',
  'why redis',
  'pause sync_tasks',
  'push sync_tasks --script /bin/true',
])('taskd %s with the file of another is refused, naming both', async words => {
  const { pid } = daemon
  const { code, stderr } = await other.cli(...words.split(' '))
  const both = `the daemon that runs with this data_dir reads ${daemon.config}, not ${other.config}.`
  expect(stderr).toContain(both)
  // As for everything that status cannot show.
  expect(code).toBe(words === 'status' ? 4 : 1)
  expect((await daemon.status()).pid).toBe(pid)
})

test('a link to the file is the file', async () => {
  rmSync(other.config)
  symlinkSync(daemon.config, other.config)
  expect(await other.cli('reload')).toMatchObject({ code: 0, stderr: '' })
})
