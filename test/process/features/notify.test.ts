import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Notice, NotifyTested } from '../../../src/model/notice.ts'
import { jsonOf, newDaemon, type TestDaemon } from '../../support/daemon.ts'
import { startMail } from '../../support/mail.ts'
import { startRedis } from '../../support/servers.ts'
import { waitFor } from '../../support/wait.ts'
import { type Handler, startWeb, type Web } from '../../support/web.ts'

const take: Handler = (_, response) => response.end()

const noticesOf = (web: Web) => web.seen.map(one => JSON.parse(one.body) as Notice)
/** `kind what name`, of all that has arrived. */
const told = (web: Web) =>
  noticesOf(web).flatMap(notice =>
    notice.events.map(event => `${event.kind} ${event.what} ${event.name}`.trim()),
  )

const until = (web: Web, event: string, count = 1) =>
  waitFor(() => told(web).filter(one => one === event).length >= count, {
    what: `${count} times ${event}; so far: ${told(web).join(', ')}`,
    timeoutMs: 40_000,
  })

/** A job that fails while a file is there; it is run by hand. */
function flaky(daemon: TestDaemon) {
  const flag = join(daemon.dir, 'broken')
  const script = daemon.script(
    'job.sh',
    `#!/bin/sh\nif [ -e ${flag} ]; then echo "the disk is full"; exit 7; fi\necho fine\n`,
  )
  return {
    ini: `[backup]\ntask_key = sync_tasks\nrun_time = 0 0 1 1 *\nscript = ${script}\nparam = secret-param\n`,
    break: () => writeFileSync(flag, ''),
    mend: () => rmSync(flag),
    run: () => daemon.cli('run', 'backup'),
  }
}

const hook = (web: Web, ...lines: string[]) =>
  ['[notify:hook]', `url = ${web.origin}/hook`, 'group = 200ms', ...lines, ''].join('\n')

test('a job, a program and a schedule: each tells when it fails and when it is well again', async () => {
  await using web = await startWeb(take)
  await using mail = await startMail()
  await using daemon = newDaemon()
  const job = flaky(daemon)
  daemon.script('mailer.sh', '#!/bin/sh\nexit 3\n')
  const tick = daemon.script('tick.sh', '#!/bin/sh\necho fine\n')
  daemon.configure({
    ini: `${job.ini}
[often]
task_key = async_tasks
run_time = * * * * * *
script = ${tick}
[program:mailer]
command = ${join(daemon.dir, 'mailer.sh')}
startretries = 0
backoff = 100ms
fatal_retry = 0
${hook(web, 'on = all', 'silence_after = 5s', 'max = 1000/1h')}
[notify:post]
mail = smtp://taskd:geheim@127.0.0.1:${mail.port}
to = ops@example.org
from = taskd@example.org
on = fail
names = back*
group = 200ms
`,
  })
  await daemon.start()

  await until(web, 'fatal program mailer')
  daemon.script('mailer.sh', '#!/bin/sh\nexec sleep 1000\n')
  await daemon.cli('start', 'mailer')
  await until(web, 'recovery program mailer')

  job.break()
  await job.run()
  await until(web, 'fail job backup')
  job.mend()
  await job.run()
  await until(web, 'recovery job backup')

  await daemon.cli('pause', 'often')
  await until(web, 'silence job often')
  await daemon.cli('resume', 'often')
  await until(web, 'recovery job often')

  const events = noticesOf(web).flatMap(one => one.events)
  expect(events.find(one => one.kind === 'fail')).toMatchObject({
    msg: 'the disk is full',
    reason: 'exit',
    task_key: 'sync_tasks',
    attempt: 1,
    count: 1,
  })
  expect(events.find(one => one.kind === 'silence')?.msg).toContain('it is paused')
  // Each was told once, and nothing that the script was given went out.
  expect(told(web).toSorted()).toEqual([...new Set(told(web))].toSorted())
  expect(web.seen.every(one => !one.body.includes('secret-param'))).toBe(true)

  await waitFor(() => mail.mails.length > 0, { what: 'a mail' })
  expect(mail.mails).toHaveLength(1)
  expect(mail.mails[0]).toMatchObject({ user: 'taskd', secure: true, to: ['ops@example.org'] })
  expect(mail.mails[0]?.text).toMatch(/^Subject: taskd .*job backup failed \(exit\):/m)

  const { notices } = await daemon.status()
  expect(notices).toMatchObject([
    { name: 'hook', to: `${web.origin}/…`, ok: true, error: '', waiting: 0, dropped: 0 },
    { name: 'post', ok: true, sent: 1, waiting: 0 },
  ])
  expect(notices[0]?.sent).toBe(noticesOf(web).length)
  const { stdout } = await daemon.cli('status')
  expect(stdout).toMatch(/^hook +OPEN +notices to http:/m)
  expect(stdout).not.toContain('geheim')
})

test('a daemon that is KILLed repeats nothing, and knows what is still broken', async () => {
  await using web = await startWeb(take)
  await using daemon = newDaemon()
  const job = flaky(daemon)
  daemon.configure({ ini: `${job.ini}\n${hook(web)}` })
  await daemon.start()
  job.break()
  await job.run()
  await until(web, 'fail job backup')
  await waitFor(async () => (await daemon.status()).notices[0]?.sent === 1, { what: 'it is noted' })
  await daemon.kill()
  await daemon.start()
  job.mend()
  await job.run()
  await until(web, 'recovery job backup')
  expect(told(web)).toEqual(['fail job backup', 'recovery job backup'])
  expect((await daemon.stop()).code).toBe(0)
})

test('a webhook that hangs holds up nothing, is seen, and gets all when it has moved', async () => {
  await using hanging = await startWeb(() => undefined)
  await using web = await startWeb(take)
  await using daemon = newDaemon()
  const script = daemon.script('fail.sh', '#!/bin/sh\nexit 1\n')
  daemon.configure({ ini: hook(hanging) })
  await daemon.start()
  const tasks = Array.from({ length: 150 }, (_, n) => ({ script, unique_task_id: `t${n}` }))
  await daemon.push('async_tasks', ...tasks)
  await waitFor(
    async () => {
      const { notices, queues } = await daemon.status()
      const idle = queues.every(one => one.waiting === 0 && one.active === 0)
      return idle && notices[0]?.waiting === 150 && !notices[0].ok
    },
    { what: 'all have run, and their notices wait', timeoutMs: 50_000 },
  )
  const [stuck] = (await daemon.status()).notices
  expect(stuck).toMatchObject({ sent: 0, dropped: 0, error: 'no answer within 10 s' })
  expect((await daemon.cli('status')).stdout).toMatch(/^hook +FAILING +notices to .*150 events/ms)
  expect(daemon.log().match(/a notice was not taken/g)).toHaveLength(1)

  daemon.configure({ ini: hook(web) })
  expect((await daemon.cli('plan')).stdout).toContain('notify hook: changed live (url)')
  await daemon.cli('reload')
  const arrived = () =>
    noticesOf(web)
      .flatMap(one => one.events)
      .reduce((sum, event) => sum + event.count, 0)
  await waitFor(() => arrived() === 150, { what: 'all are told at the new address' })
  const stopped = performance.now()
  await daemon.stop()
  expect(performance.now() - stopped).toBeLessThan(10_000)
})

test('a job in SQL is told by its name, and a silence by one of two nodes', async () => {
  await using web = await startWeb(take)
  await using redis = await startRedis()
  await using one = newDaemon({ taskd: { redis: redis.url, node: 'one' } })
  const database = `sqlite:${one.dataDir}/task_schedule.db`
  await using two = newDaemon({ taskd: { redis: redis.url, node: 'two' } })
  const folder = join(one.dir, 'tasks', 'cron')
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'broken.mjs'), 'export default () => { throw new Error("no luck") }\n')
  const tick = one.script('tick.sh', '#!/bin/sh\necho fine\n')
  for (const daemon of [one, two])
    daemon.configure({
      taskd: {
        redis: redis.url,
        node: daemon === one ? 'one' : 'two',
        database,
        tasks: join(one.dir, 'tasks'),
      },
      ini: `[often]
task_key = async_tasks
run_time = * * * * * *
script = ${tick}
${hook(web, 'on = all', 'silence_after = 5s', 'max = 1000/1h')}`,
    })
  await one.start()
  await two.start()
  const added = await one.cli(
    'task',
    'add',
    'ko',
    '--trigger',
    'cron',
    '--spec',
    '0 0 1 1 *',
    '--func',
    'broken',
  )
  expect([added.code, added.stderr]).toEqual([0, ''])
  expect((await one.cli('run', 'task:ko', '--wait')).code).toBe(1)
  await until(web, 'fail job task:ko')

  // Both look, and see it within the time that they look in.
  await one.cli('pause', 'often')
  await until(web, 'silence job often')
  await waitFor(
    async () => {
      const states = [one, two].map(daemon =>
        JSON.parse(readFileSync(join(daemon.dataDir, 'notices.json'), 'utf8')),
      ) as { sections: { hook: { open: Record<string, { kind: string }> } } }[]
      return states.every(state => state.sections.hook.open['job often']?.kind === 'silence')
    },
    { what: 'both have seen that it is silent' },
  )
  await one.cli('resume', 'often')
  await until(web, 'recovery job often')
  // Told by one of them; on a machine that is slow enough it may become silent again.
  const often = told(web).filter(event => event.endsWith(' often'))
  expect(often.slice(0, 2)).toEqual(['silence job often', 'recovery job often'])
})

test('taskd notify says what came of it', async () => {
  await using web = await startWeb((request, response) =>
    request.url === '/hook' ? response.end() : response.writeHead(403).end('who are you?'),
  )
  await using daemon = newDaemon()
  daemon.configure({ ini: `${hook(web)}\n[notify:bad]\nurl = ${web.origin}/bad\n` })
  await daemon.start()
  const good = await daemon.cli('notify', 'hook')
  expect(good).toEqual({ code: 0, stderr: '', stdout: `hook: sent to ${web.origin}/…: HTTP 200\n` })
  expect(noticesOf(web)).toMatchObject([{ notify: 'hook', events: [] }])
  expect(noticesOf(web)[0]?.title).toContain('a test of [notify:hook]')
  const bad = await daemon.cli('notify', 'bad')
  expect(bad).toMatchObject({ code: 1, stdout: '' })
  expect(bad.stderr).toBe(`taskd: bad: not sent to ${web.origin}/…: HTTP 403: who are you?\n`)
  const json = await daemon.cli('notify', 'bad', '--json')
  expect(json.code).toBe(1)
  expect((jsonOf(json) as NotifyTested).ok).toBe(false)
  const none = await daemon.cli('notify', 'hok')
  expect(none.code).toBe(4)
  expect(none.stderr).toBe('taskd: no [notify:hok] is configured. did you mean hook?\n')
  // Refused is not away: a test says nothing about what is sent otherwise.
  expect((await daemon.status()).notices.every(one => one.ok)).toBe(true)
})
