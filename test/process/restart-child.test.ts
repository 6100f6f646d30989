import { writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { expect, it } from 'vitest'
import { newDaemon, startDaemon } from '../support/daemon.ts'
import { startSupervisord } from '../support/supervisord.ts'
import { tempDir } from '../support/temp-dir.ts'
import { waitFor } from '../support/wait.ts'

/** `taskd restart` must not take a daemon away from whoever has it as a child. */

it('under supervisord it names supervisorctl, and that one does it', async () => {
  await using daemon = newDaemon()
  await using folder = tempDir('taskd-sv-conf-')
  const conf = join(folder.path, 'programs.conf')
  const command = `${resolve('bin/taskd')} start -n -c ${daemon.config}`
  writeFileSync(conf, `[program:cron]\ncommand=${command}\nstopwaitsecs=30\n`)
  await using supervisord = await startSupervisord(conf, () => undefined)
  const isUp = async () => {
    const status = await daemon.status()
    return status.state === 'running' && status.pid
  }
  const pid = await waitFor(isUp, { what: 'it is ready', timeoutMs: 40_000 })
  const refused = await daemon.cli('restart')
  expect(refused.code).toBe(1)
  expect(refused.stderr).toBe(
    'taskd: this daemon is run by supervisord. restart it with supervisorctl restart cron\n',
  )
  const [process] = await supervisord.processes()
  expect(process).toMatchObject({ name: 'cron', pid, state: 'RUNNING' })
  expect((await daemon.status()).state).toBe('running')
  await supervisord.stopProcess('cron')
  await supervisord.startProcess('cron')
  const next = await waitFor(isUp, { what: 'it is ready again', timeoutMs: 40_000 })
  expect((await supervisord.processes())[0]).toMatchObject({ name: 'cron', pid: next })
  expect((await daemon.cli('stop')).code).toBe(0)
})

it('in the foreground it stays, with the command that starts it anew', async () => {
  await using daemon = await startDaemon()
  const { pid } = await daemon.status()
  for (const args of [['restart'], ['restart', '--now']]) {
    const refused = await daemon.cli(...args)
    expect(refused.code).toBe(1)
    expect(refused.stderr).toMatch(/in the foreground of .*taskd stop, and start it there again/)
  }
  expect(await daemon.status()).toMatchObject({ pid, state: 'running' })
  expect(await daemon.stop()).toEqual({ code: 0, signal: null })
})
