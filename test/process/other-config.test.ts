import { execFile } from 'node:child_process'
import { readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { promisify } from 'node:util'
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

test('when its file is gone, the command that is named ends it', async () => {
  rmSync(other.config)
  writeFileSync(other.config, readFileSync(daemon.config))
  rmSync(daemon.config)
  const { stderr } = await other.cli('stop')
  const [, command = ''] = /to replace it: env (.*) stop, then/.exec(stderr) ?? []
  expect(command).toContain(`TASKD_SOCKET=${daemon.dataDir}/taskd.sock`)
  const named = command.replace(/ taskd$/, ` ${resolve('bin/taskd')}`)
  await promisify(execFile)('sh', ['-c', `cd /; exec env ${named} stop`])
  expect(await daemon.ended).toMatchObject({ code: 0 })
})
