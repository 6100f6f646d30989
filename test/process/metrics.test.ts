import { join } from 'node:path'
import { sql } from 'kysely'
import { expect, test } from 'vitest'
import { freePort } from '../support/agent.ts'
import { newDaemon, startDaemon } from '../support/daemon.ts'
import { smsTable } from '../support/sources.ts'
import { waitFor } from '../support/wait.ts'
import { startWeb } from '../support/web.ts'

/** The samples of one label, by what follows `taskd_<prefix>_`. */
async function samplesOf(port: number, prefix: string, label: string) {
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
  const line = new RegExp(`^taskd_${prefix}_(\\w+)\\{${label}\\} (\\d+)$`, 'gm')
  return Object.fromEntries([...text.matchAll(line)].map(([, name, value]) => [name, value]))
}

test('messages that wait in a list, and a key that is no list, are seen everywhere', async () => {
  const port = await freePort()
  const ini = '[queue:narrow]\nmode = sync\ncapacity = 1\n[queue:text]\nmode = async\n'
  await using daemon = await startDaemon({ taskd: { http: `127.0.0.1:${port}` }, ini })
  const queue = async (name: string) =>
    (await daemon.status()).queues.find(one => one.task_key === name)
  const inList = async (name: string) =>
    (await samplesOf(port, 'queue', `queue="${name}",state="listed"`))['tasks']
  expect(await queue('narrow')).toMatchObject({ listed: 0, waiting: 0 })
  expect(await inList('narrow')).toBe('0')

  await daemon.cli('pause', 'narrow')
  const task = { script: '/bin/true' }
  await daemon.push('narrow', task, task, task)
  await daemon.redis.set('text', 'of somebody else')
  await waitFor(async () => (await queue('narrow'))?.listed === 2, { what: 'one is taken in' })
  expect(await queue('narrow')).toMatchObject({ waiting: 1, paused: true })
  expect(await queue('text')).toMatchObject({ listed: null, waiting: 0, paused: false })
  const { stdout } = await daemon.cli('status')
  expect(stdout).toMatch(/^narrow +PAUSED +sync queue, 1 waiting, 2 in the list$/m)
  expect(stdout).toMatch(/^text +OPEN +async queue, 0 waiting, its key is no list$/m)
  expect((await daemon.cli('why', 'narrow')).stdout).toContain(
    'messages in the list narrow: 2; the queue is full (capacity = 1)',
  )
  expect((await daemon.cli('why', 'text')).stdout).toContain('the Redis key text is no list')
  expect(await inList('narrow')).toBe('2')
  expect(await inList('text')).toBeUndefined()

  await daemon.cli('resume', 'narrow')
  await waitFor(async () => (await queue('narrow'))?.listed === 0, { what: 'all are taken in' })
  expect((await daemon.cli('status', 'narrow')).stdout).not.toContain('in the list')
  expect((await daemon.cli('why', 'narrow')).stdout).not.toContain('in the list')
  await daemon.cli('drain')
  await waitFor(async () => (await daemon.status()).state === 'drained', { what: 'drained' })
  await daemon.push('narrow', task)
  await waitFor(async () => (await queue('narrow'))?.listed === 1, { what: 'it is seen' })
  expect((await daemon.cli('why', 'narrow')).stdout).toContain(
    'messages in the list narrow: 1; they are not taken in yet',
  )
})

test('the metrics show what notices and table queues have done, and what waits', async () => {
  let refusals = 2
  await using web = await startWeb((_, response) => {
    if (refusals > 0) response.statusCode = 500
    refusals -= 1
    response.end()
  })
  await using daemon = newDaemon()
  const port = await freePort()
  const url = `sqlite:${join(daemon.dir, 'app.db')}`
  const app = await smsTable(url)
  // It takes no row that is done, as a column does that is too narrow.
  await sql`create trigger narrow before update on sms when new.status = 2
    begin select raise(abort, 'not now'); end`.execute(app.db)
  const script = daemon.script('even.sh', '#!/bin/sh\ntest "$3" != n=2\n')
  const table = ['[source:sms]', `database = ${url}`, 'table = sms', 'task_key = async_tasks']
  const rows = [
    `script = ${script}`,
    'param_column = param',
    'poll = 100ms',
    'result_column = result',
  ]
  const hook = ['[notify:hook]', `url = ${web.origin}/hook`, 'on = fail', 'group = 100ms']
  const ini = [...table, ...rows, ...hook].join('\n')
  daemon.configure({ taskd: { http: `127.0.0.1:${port}` }, ini })
  await daemon.start()
  const up = async () => (await samplesOf(port, 'source', 'source="sms"'))['up']
  await waitFor(async () => (await up()) === '1', { what: 'the table queue is up' })
  await app.insert(1, 2)

  // A result that the table refuses is missing from its row: the table queue is not well.
  const source = { up: '0', taken_rows_total: '2', bad_rows_total: '0', open_rows: '1' }
  const expected = {
    source: { ...source, written_results_total: '1', waiting_results: '1' },
    notify: {
      up: '1',
      sent_notices_total: '1',
      failed_attempts_total: '2',
      waiting_events: '0',
      dropped_events_total: '0',
    },
  }
  await waitFor(
    async () => {
      expect({
        source: await samplesOf(port, 'source', 'source="sms"'),
        notify: await samplesOf(port, 'notify', 'notify="hook"'),
      }).toEqual(expected)
      return true
    },
    { what: 'one result is written, one waits, and the notice is taken at the third attempt' },
  )
  await app.close()
})
