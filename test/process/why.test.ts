import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { startDaemon } from '../support/daemon.ts'
import { waitFor } from '../support/wait.ts'

const run = promisify(execFile)

it('what reaches out to others says how it is and why, by its name or that of its section', async () => {
  await using daemon = await startDaemon()
  const script = daemon.script('true.sh', '#!/bin/sh\n')
  daemon.configure({
    ini: `[source:sms]
database = sqlite:${join(daemon.dir, 'none', 'app.db')}
table = sms
task_key = async_tasks
script = ${script}
[notify:ops]
url = http://127.0.0.1:9/hook
[channel:ops]
database = sqlite:${join(daemon.dir, 'app.db')}
table = orders
columns = id
`,
  })
  expect((await daemon.cli('reload')).stderr).toBe('')
  const why = async (name: string) => (await daemon.cli('why', name)).stdout
  await waitFor(async () => (await why('sms')).startsWith('source sms is AWAY since '), {
    what: 'the database of the source is away',
  })
  expect(await why('source:sms')).toContain('- ready rows of sms in sqlite:')
  expect(await why('notify:ops')).toMatch(/^notify ops is OPEN since /)
  expect(await why('channel:ops')).toMatch(/^channel ops is \w+ since /)
  expect(await why('taskd')).toMatch(/^daemon taskd is RUNNING\n[^]*- nothing is down\n$/)
  expect(await why('database')).toMatch(/^server database is OPEN since /)
  const named = (await daemon.cli('status', 'sms')).stdout
  expect(named).toMatch(/^sms +AWAY +rows of sms to async_tasks/)
  expect(named.split('\n').filter(line => /^\S/.test(line))).toHaveLength(1)
  const near = await daemon.cli('why', 'smss')
  expect([near.code, near.stderr]).toEqual([4, expect.stringContaining('did you mean sms?')])
}, 60_000)

it('bad messages are found and pushed again by the lines that why prints', async () => {
  await using daemon = await startDaemon()
  const script = daemon.script('done.sh', '#!/bin/sh\necho "$1" >> "$0.ran"\n')
  await daemon.redis.lpush('async_tasks', '{"controller":"x"}')
  await waitFor(async () => (await daemon.redis.llen('Task:Bad:async_tasks')) === 1, {
    what: 'it is moved away',
  })
  expect((await daemon.cli('status')).stdout.replaceAll(/\s+/g, ' ')).toContain(
    '1 bad (taskd why async_tasks)',
  )
  const { stdout } = await daemon.cli('why', 'async_tasks')
  const lines = stdout.split('\n').filter(line => line.includes('redis-cli '))
  expect(lines).toHaveLength(2)
  const [look = '', push = ''] = lines
  expect((await run('sh', ['-c', look])).stdout).toContain('\\"script\\" is missing')
  const mended = push.replace(/'.*'/, `'${JSON.stringify({ script, controller: 'again' })}'`)
  await run('sh', ['-c', mended])
  await waitFor(async () => (await daemon.control.runs({ limit: 9 })).length === 1, {
    what: 'the mended one has run',
  })
}, 60_000)
