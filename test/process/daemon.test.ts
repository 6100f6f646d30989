import { existsSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { StoredFail } from '../../src/api/control.ts'
import { jsonOf, linesOf, newDaemon, startDaemon, type TestDaemon } from '../support/daemon.ts'
import { waitFor } from '../support/wait.ts'

/** Says which run it is, waits until a file is there, and ends with its third argument as code. */
const WAITING = `#!/bin/sh
echo "$TASKD_TASK_ID $TASKD_ATTEMPT" >> "$1.begun"
n=0
while [ ! -e "$1.go" ] && [ $n -lt 600 ]; do sleep 0.05; n=$((n + 1)); done
echo "$TASKD_TASK_ID" >> "$1.ended"
exit "\${2:-0}"
`

describe('one daemon with both queues', () => {
  let daemon: TestDaemon
  let waiting: string
  beforeAll(async () => {
    daemon = await startDaemon()
    waiting = daemon.script('waiting.sh', WAITING)
  })
  afterAll(() => daemon.remove())

  const place = (name: string) => join(daemon.dir, name)
  const go = (name: string) => writeFileSync(place(`${name}.go`), '')
  const begun = (name: string) =>
    waitFor(() => linesOf(place(`${name}.begun`)).length > 0, { what: `${name} has begun` })
  const task = (name: string, code = '0') => ({
    script: waiting,
    controller: place(name),
    function: code,
    unique_task_id: name,
  })

  it('answers a producer that waits on its reply_to list', async () => {
    const script = daemon.script(
      'answer.sh',
      '#!/bin/sh\nprintf \'{"code":"succ","msg":"%s","data":[1,2]}\' "$3"\n',
    )
    await daemon.push('async_tasks', {
      script,
      param: { a: { b: 1 } },
      unique_task_id: 'ask-1',
      reply_to: 'answers',
    })
    const waits = daemon.redis.duplicate()
    const reply = await waits.brpop('answers', 20)
    waits.disconnect()
    expect(JSON.parse(reply?.[1] ?? '')).toEqual({
      code: 'succ',
      msg: 'a%5Bb%5D=1',
      data: [1, 2],
      unique_task_id: 'ask-1',
    })
  })

  it('push --wait exits 0 for succ only, and prints what was answered', async () => {
    const good = daemon.script('good.sh', '#!/bin/sh\necho \'{"code":"succ","msg":"done"}\'\n')
    const bad = daemon.script('bad.sh', '#!/bin/sh\necho no money >&2; exit 4\n')
    const other = daemon.script('other.sh', '#!/bin/sh\necho \'{"code":"empty","msg":"none"}\'\n')
    const push = (script: string, ...more: string[]) =>
      daemon.cli('push', 'async_tasks', '--script', script, '--wait', '--json', ...more)
    const results = await Promise.all([push(good), push(bad), push(other), push('/no/such')])
    expect(results.map(one => one.code)).toEqual([0, 1, 1, 1])
    expect(results.map(one => jsonOf(one))).toEqual([
      { code: 'succ', msg: 'done', data: [] },
      { code: 'fail', msg: 'no money', data: [] },
      { code: 'empty', msg: 'none', data: [] },
      { code: 'fail', msg: 'no such script: /no/such', data: [] },
    ])
    const unknown = await daemon.cli('push', 'nowhere', '--script', good)
    expect(unknown).toMatchObject({ code: 4, stdout: '' })
    expect(unknown.stderr).toContain('no queue named nowhere')
  })

  it('takes a waiting task back, which then never runs', async () => {
    await daemon.push('sync_tasks', task('first'))
    await begun('first')
    await daemon.push('sync_tasks', task('second'), task('third'))
    await waitFor(async () => (await waitingIn('sync_tasks')) === 2, { what: 'both wait' })
    const cancelled = await daemon.cli('cancel', 'second')
    expect(cancelled.code).toBe(0)
    expect(cancelled.stdout).toContain('taken back before it ran')
    for (const name of ['first', 'second', 'third']) go(name)
    await waitFor(() => linesOf(place('third.ended')).length > 0, { what: 'the third has ended' })
    expect(linesOf(place('second.begun'))).toEqual([])
    expect(await failOf('second')).toMatchObject({ kind: 'cancelled', task_key: 'sync_tasks' })
  })

  it('ends a running task that is cancelled, and its row is gone', async () => {
    await daemon.push('async_tasks', task('long'))
    await begun('long')
    // Written beside the run, which does not wait for it.
    const row = await waitFor(async () => (await daemon.redis.keys('Task:List:*:long'))[0], {
      what: 'its row',
    })
    expect(await daemon.redis.hgetall(row)).toMatchObject({
      unique_task_id: 'long',
      attempt: '1',
      script: waiting,
      pid: expect.stringMatching(/^\d+$/),
    })
    const cancelled = await daemon.cli('cancel', 'long')
    expect(cancelled.stdout).toContain('told to end')
    expect(await failOf('long')).toMatchObject({ kind: 'cancelled', attempt: 1 })
    expect(linesOf(place('long.ended'))).toEqual([])
    const rows = async () => (await daemon.redis.keys('Task:List:*')).length
    await waitFor(async () => (await rows()) === 0, { what: 'the row is gone' })
    expect(await daemon.cli('cancel', 'long')).toMatchObject({ code: 1 })
  })

  it('retries a failed task by hand, with the attempts counted on', async () => {
    await daemon.push('async_tasks', task('again', '7'))
    go('again')
    expect(await failOf('again')).toMatchObject({ kind: 'exit', exit_code: 7, attempt: 1 })
    expect((await daemon.cli('retry', 'again')).code).toBe(0)
    await waitFor(() => linesOf(place('again.ended')).length === 2, { what: 'it ran once more' })
    expect(linesOf(place('again.begun'))).toEqual(['again 1', 'again 2'])
    const unknown = await daemon.cli('retry', 'never-there')
    expect(unknown.code).toBe(1)
    expect(unknown.stderr).toContain('no task never-there')
  })

  it('holds the tasks of a paused queue until it is resumed', async () => {
    expect((await daemon.cli('pause', 'async_tasks')).code).toBe(0)
    await daemon.push('async_tasks', task('held'))
    go('held')
    await waitFor(async () => (await waitingIn('async_tasks')) === 1, { what: 'it waits' })
    // Another queue goes on: what was pushed later has run, and this has not.
    await daemon.push('sync_tasks', task('beside'))
    go('beside')
    await waitFor(() => linesOf(place('beside.ended')).length > 0, { what: 'the other queue runs' })
    expect(linesOf(place('held.begun'))).toEqual([])
    const status = await daemon.status()
    expect(status.queues.find(one => one.task_key === 'async_tasks')?.paused).toBe(true)
    expect((await daemon.cli('resume', 'async_tasks')).code).toBe(0)
    await waitFor(() => linesOf(place('held.ended')).length > 0, { what: 'the held one runs' })
  })

  it('has more workers and fewer by scale, and only the surplus leaves', async () => {
    const pids = async () =>
      (await daemon.status()).workers
        .filter(one => one.task_key === 'sync_tasks' && one.pid > 0)
        .map(one => one.pid)
    const [first = 0] = await pids()
    expect((await daemon.cli('scale', 'sync_tasks', '3')).code).toBe(0)
    await waitFor(async () => (await pids()).length === 3, { what: 'three workers run' })
    await daemon.push('sync_tasks', task('s1'), task('s2'), task('s3'))
    for (const name of ['s1', 's2', 's3']) await begun(name)
    expect((await daemon.cli('scale', 'sync_tasks', '1')).code).toBe(0)
    for (const name of ['s1', 's2', 's3']) go(name)
    for (const name of ['s1', 's2', 's3'])
      await waitFor(() => linesOf(place(`${name}.ended`)).length === 1, { what: `${name} ends` })
    await waitFor(async () => (await daemon.status()).workers.length === 2, {
      what: 'two workers, one for each queue',
    })
    expect(await pids()).toEqual([first])
  })

  async function waitingIn(taskKey: string): Promise<number | null | undefined> {
    const { queues } = await daemon.status()
    return queues.find(one => one.task_key === taskKey)?.waiting
  }

  async function failOf(id: string): Promise<StoredFail> {
    const find = async () => {
      const rows = jsonOf(await daemon.cli('fails', '--json', '--limit', '100')) as StoredFail[]
      return rows.find(row => row.unique_task_id === id)
    }
    return waitFor(find, { timeoutMs: 20_000, what: `${id} is in fail_log` })
  }
})

describe('one daemon for each data folder', () => {
  it('a second one says who holds it, changes nothing and exits 1', async () => {
    await using daemon = await startDaemon()
    const again = await daemon.cli('start', '-n')
    expect(again.code).toBe(1)
    expect(again.stderr).toContain(`already runs on ${daemon.dataDir}: pid ${daemon.pid}`)
    expect(again.stderr.trim().split('\n')).toHaveLength(1)
    const background = await daemon.cli('start')
    expect(background.code).toBe(1)
    expect(background.stderr).toContain(`pid ${daemon.pid}`)
    expect((await daemon.status()).pid).toBe(daemon.pid)
  })

  it('starts over the socket and the pid file of one that was KILLed', async () => {
    await using daemon = newDaemon()
    await daemon.start()
    await daemon.kill()
    expect(existsSync(join(daemon.dataDir, 'taskd.sock'))).toBe(true)
    expect(existsSync(join(daemon.dataDir, 'taskd.pid'))).toBe(true)
    await daemon.start()
    expect((await daemon.status()).pid).toBe(daemon.pid)
    expect(linesOf(join(daemon.dataDir, 'taskd.pid'))).toEqual([String(daemon.pid)])
  })

  it('starts over a pid file that names a process of somebody else', async () => {
    await using daemon = await startDaemon()
    await daemon.stop()
    writeFileSync(join(daemon.dataDir, 'taskd.pid'), `${process.pid}\n`)
    writeFileSync(join(daemon.dataDir, 'redis', 'redis.pid'), `${process.pid}\n`)
    const stale = createServer()
    await new Promise<void>(done => stale.listen(join(daemon.dataDir, 'redis.sock'), done))
    try {
      await daemon.start()
      expect((await daemon.status()).redis.ok).toBe(true)
    } finally {
      stale.close()
    }
  })
})

describe('start in the background', () => {
  it('returns once it is ready, and stop returns once it is gone with all it had', async () => {
    await using daemon = newDaemon()
    const started = await daemon.cli('start', '--json')
    expect(started.code).toBe(0)
    const { pid } = jsonOf(started) as { pid: number }
    expect(await daemon.status()).toMatchObject({ pid, state: 'running', redis: { ok: true } })
    expect((await daemon.cli('status')).code).toBe(0)
    expect((await daemon.cli('stop')).code).toBe(0)
    expect(daemon.processes()).toEqual([])
    expect((await daemon.cli('status')).code).toBe(4)
  })

  it('shows every mistake of the configuration and exits 2', async () => {
    await using daemon = newDaemon({ ini: '[queue:a]\nworkers = x\nratte = 3\n' })
    const started = await daemon.cli('start')
    expect(started.code).toBe(2)
    expect(started.stderr).toContain('workers = x')
    expect(started.stderr).toContain('ratte')
    expect(daemon.processes()).toEqual([])
  })

  it('says why when it cannot start', async () => {
    await using daemon = newDaemon({ taskd: { redis_server: '/no/such/redis-server' } })
    void daemon.spawn()
    await waitFor(
      async () => (await daemon.status()).programs[0]?.detail.includes('not installed'),
      {
        what: 'status says what is missing',
      },
    )
    expect((await daemon.cli('status')).code).toBe(3)
    await daemon.stop()
    expect(daemon.processes()).toEqual([])
  })
})
