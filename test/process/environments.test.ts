import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { jsonOf, newDaemon, type TestDaemon } from '../support/daemon.ts'
import { waitFor } from '../support/wait.ts'

const SAYS = '#!/bin/sh\necho "$APP_ENV ${TASKD_SECRET-none} $3" >> "$1"\n'

/** A daemon under APP_ENV=online whose overlay and secret are files of its folder. */
function onlineDaemon(): TestDaemon & { overlay(text: string): void; secret(text: string): void } {
  const secret = (folder: string, text: string) => writeFileSync(join(folder, 'secret'), text)
  const env: Record<string, string> = { APP_ENV: 'online' }
  const daemon = newDaemon({ env })
  secret(daemon.dir, 'hunter2-the-first-one\n')
  const script = daemon.script('says.sh', SAYS)
  daemon.configure({
    taskd: { http: '127.0.0.1:0', secret: `@${daemon.dir}/secret`, log_level: 'error' },
    ini: `[tell]\ntask_key = sync_tasks\nrun_time = 0 0 1 1 *\nscript = ${script}\ncontroller = ${daemon.dir}/said\nparam = main\n[program:p]\ncommand = sleep 1000\n`,
  })
  mkdirSync(join(daemon.dir, 'conf/online'))
  return Object.assign(daemon, {
    overlay: (text: string) => writeFileSync(join(daemon.dir, 'conf/online/site.ini'), text),
    secret: (text: string) => secret(daemon.dir, text),
  })
}

it('a daemon runs under its overlay and reads it again at a reload, and the secrets too', async () => {
  await using daemon = onlineDaemon()
  daemon.overlay('[tell]\nparam = first\n[taskd]\nlog_level = info\n')
  await daemon.start()
  const said = join(daemon.dir, 'said')
  const run = async () => {
    expect(await daemon.cli('run', 'tell', '--wait')).toMatchObject({ code: 0 })
    return readFileSync(said, 'utf8').trim().split('\n').at(-1)
  }
  expect(await run()).toBe('online none first')

  daemon.overlay(
    '[tell]\nparam = second\n[program:p]\ncommand = sleep 2000\n[taskd]\nsecret_read = @/gone\n',
  )
  const refused = await daemon.cli('reload')
  expect(refused).toMatchObject({ code: 2 })
  expect(refused.stderr).toContain('conf/online/site.ini:6: secret_read = ******: cannot be read')
  expect(await run()).toBe('online none first')

  daemon.overlay('[tell]\nparam = second\n[program:p]\ncommand = sleep 2000\n')
  daemon.secret('hunter2-the-second-one\n')
  const planned = await daemon.cli('plan')
  expect(planned.stdout).toContain('job tell: changed (param)')
  expect(planned.stdout).toContain('program p: restarts (command)')
  expect(planned.stdout).toContain('secret: changed live')
  expect(await daemon.cli('reload')).toMatchObject({ code: 0 })
  expect(await run()).toBe('online none second')
  await waitFor(
    async () => (await daemon.status()).programs.every(one => one.state === 'RUNNING'),
    {
      what: 'the program runs anew',
    },
  )
  const shown = [planned, refused, await daemon.cli('status', '--json')]
  for (const one of shown) expect(one.stdout + one.stderr).not.toContain('hunter2')
  expect(daemon.log()).not.toContain('hunter2')
})

it('config shows what is in force without a daemon, and who says so', async () => {
  await using daemon = onlineDaemon()
  daemon.overlay('[tell]\nparam = over\n[taskd]\nsecret_push = hunter2-written-out\n')
  const whole = await daemon.cli('config')
  expect(whole).toMatchObject({ code: 0, stderr: '' })
  expect(whole.stdout).toContain('; what is in force of conf/cron.ini with APP_ENV=online\n')
  expect(whole.stdout).toMatch(/^param +=\sover +; conf\/online\/site\.ini:2$/m)
  expect(whole.stdout).toMatch(/^secret_push +=\s\*\*\* +; conf\/online\/site\.ini:4$/m)
  expect(whole.stdout).not.toContain('hunter2')

  const some = jsonOf(await daemon.cli('config', 'tell', '--changed', '--json'))
  expect(some).toContainEqual({
    section: 'tell',
    key: 'param',
    value: 'over',
    source: join(daemon.dir, 'conf/online/site.ini'),
    line: 2,
  })
  expect(JSON.stringify(some)).not.toContain('default')
  expect(jsonOf(await daemon.cli('config', 'taskd', '--json'))).toContainEqual({
    section: 'taskd',
    key: 'max_run_time',
    value: '1h',
    source: 'default',
  })
  const queues = await daemon.cli('config', 'queue')
  expect(queues.stdout.match(/^\[.*\]$/gm)).toEqual(['[queue:sync_tasks]', '[queue:async_tasks]'])

  const unknown = await daemon.cli('config', 'tel')
  expect(unknown).toMatchObject({ code: 4, stdout: '' })
  expect(unknown.stderr).toContain('no section [tel]. did you mean tell?')
  daemon.overlay('[tell]\npriority = 10\nparam = x=1\n[taskd]\nsecret = @hunter2\n')
  const wrong = await daemon.cli('config')
  expect(wrong).toMatchObject({ code: 2, stdout: '' })
  expect(wrong.stderr.trim().split('\n')).toHaveLength(2)
  expect(wrong.stderr).not.toContain('hunter2')
})
