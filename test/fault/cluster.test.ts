import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Status } from '../../src/api/status.ts'
import type { RunRecord } from '../../src/model/run-record.ts'
import { jsonOf, linesOf, newDaemon, type TestDaemon } from '../support/daemon.ts'
import { failLog, Ledger, tickSeconds } from '../support/ledger.ts'
import { type RedisGroup, startCluster } from '../support/redis-groups.ts'
import { waitFor } from '../support/wait.ts'

/** Waits until it is let go, by a file of its name. */
const HELD = `#!/bin/sh
echo "$TASKD_TASK_ID $TASKD_ATTEMPT $$" >> "$1/begun"
n=0
while [ ! -e "$1/go-$TASKD_TASK_ID" ] && [ $n -lt 1200 ]; do sleep 0.05; n=$((n + 1)); done
`
const QUEUES = ['sync_tasks', 'async_tasks', 'mail', 'letters', 'far']
const SLOW = { timeoutMs: 30_000 }

describe('on a cluster of three', { timeout: 180_000 }, () => {
  let group: RedisGroup
  let daemon: TestDaemon
  let ledger: Ledger
  let redis: ReturnType<RedisGroup['client']>

  beforeAll(async () => {
    group = await startCluster()
    daemon = newDaemon()
    ledger = new Ledger(daemon)
    const taskd = { redis: group.url, node: 'here', fail_keep_time: '1h' }
    const queues = QUEUES.slice(2).map(name => `[queue:${name}]\nmode = async\nconcurrency = 4\n`)
    const job = (name: string, key: string) =>
      `[${name}]\ntask_key = ${key}\nrun_time = * * * * * *\nscript = ${ledger.script}\n` +
      `controller = ${daemon.dir}\noverlap = allow\nmisfire = all\n`
    daemon.configure({ taskd, ini: [...queues, job('tick', 'mail'), job('tock', 'far')].join('') })
    redis = group.client()
    await daemon.start()
  }, 60_000)

  afterAll(async () => {
    redis?.disconnect()
    await daemon?.remove()
    await group?.[Symbol.asyncDispose]()
  })

  async function hold(taskKey: string, id: string, more: object = {}): Promise<void> {
    const script = daemon.script('held.sh', HELD)
    const task = { script, controller: daemon.dir, unique_task_id: id, ...more }
    await redis.lpush(taskKey, JSON.stringify(task))
    await waitFor(() => begun().some(line => line.startsWith(`${id} `)), { ...SLOW, what: id })
  }
  const begun = () => linesOf(join(daemon.dir, 'begun'))
  const letGo = (id: string) => writeFileSync(join(daemon.dir, `go-${id}`), '')
  const queue = async (name: string) => {
    const found = (await daemon.status()).queues.find(one => one.task_key === name)
    if (!found) throw new Error(`no queue ${name}`)
    return found
  }

  it('keys lie on all three nodes, and status knows them', async () => {
    const slots = await Promise.all(QUEUES.map(name => redis.cluster('KEYSLOT', name)))
    const thirds = slots.map(slot => Math.floor(slot / 5462))
    expect(new Set(thirds).size).toBe(3)
    const { redis: seen } = await daemon.status()
    expect(seen).toMatchObject({ ok: true, url: group.url })
    expect(seen.servers.toSorted()).toEqual(
      group.servers.map(one => `127.0.0.1:${one.port}`).toSorted(),
    )
  })

  it('doctor looks at each master', async () => {
    const { code, stdout } = await daemon.cli('doctor', '--json')
    expect(code).toBe(0)
    const all = jsonOf({ code, stdout, stderr: '' }) as { name: string; message: string }[]
    const told = (name: string) => all.filter(one => one.name === name).map(one => one.message)
    expect(told('cluster')).toEqual(['serves all slots'])
    expect(told('replicas')).toEqual([expect.stringContaining('no master has one')])
    for (const { port } of group.servers)
      expect([...told('redis'), ...told('maxmemory-policy')]).toEqual(
        expect.arrayContaining([
          expect.stringMatching(`^\\d.* at 127.0.0.1:${port}, a master$`),
          `noeviction at 127.0.0.1:${port}`,
        ]),
      )
  })

  it('takes tasks from every list, and answers those who wait', async () => {
    for (const name of QUEUES)
      for (let n = 0; n < 50; n += 1) await ledger.push(redis, name, `${name}-${n}`)
    await ledger.push(redis, 'sync_tasks', 'asked', '', { reply_to: 'answers:far away' })
    await ledger.complete()
    const [, answer = ''] = (await redis.brpop('answers:far away', 20)) ?? []
    expect(JSON.parse(answer)).toMatchObject({ code: 'succ', unique_task_id: 'asked' })
    const pushed = await daemon.cli('push', 'far', '--script', '/bin/true', '--wait')
    expect(pushed).toMatchObject({ code: 0 })
    // Read once: the ticks go on.
    const ids = ledger.ids()
    expect(ids.filter((id, n) => ids.indexOf(id) !== n)).toEqual([])
  })

  it('sets aside what is no task', async () => {
    await redis.lpush('letters', 'not json', Buffer.alloc(2 << 20, 120))
    await waitFor(async () => (await redis.llen('Task:Bad:letters')) === 2, {
      ...SLOW,
      what: 'both are set aside',
    })
    expect((await queue('letters')).bad).toBe(2)
  })

  it('retries, and archives each failed run once', async () => {
    for (const name of QUEUES) {
      await ledger.push(redis, name, `fails-${name}`, '3')
      await ledger.push(redis, name, `again-${name}`, '4', { time_interval: '0 1' })
    }
    const expected = QUEUES.flatMap(name => [
      `fails-${name} 1`,
      ...[1, 2, 3].map(attempt => `again-${name} ${attempt}`),
    ])
    await waitFor(
      async () => {
        expect((await failLog(daemon)).toSorted()).toEqual(expected.toSorted())
        return (await redis.xlen('Task:Outbox')) === 0
      },
      { ...SLOW, what: 'all failed runs are in fail_log' },
    )
    const row = `Task:Fail:here-mail-1:again-mail`
    expect(await redis.hmget(row, 'attempt', 'kind', 'exit_code')).toEqual(['3', 'exit', '4'])
    // As long as fail_keep_time says, now that it is archived.
    await waitFor(async () => (await redis.pttl(row)) <= 3_600_000, { what: 'the hash will go' })
    expect(await redis.pttl(row)).toBeGreaterThan(3_000_000)
  })

  it('keeps the rows of workers and runs, and the history', async () => {
    await hold('mail', 'seen')
    // Written beside the run, which does not wait for it.
    const row = () => redis.hget('Task:List:here-mail-1:seen', 'task_key')
    await waitFor(async () => (await row()) === 'mail', { ...SLOW, what: 'the row of the run' })
    expect(await redis.hget('Task:taskWorker:here-mail-1', 'status')).toBe('running')
    expect(await redis.hget('Task:Worker:here-sync_tasks-1', 'status')).toBe('running')
    letGo('seen')
    await waitFor(async () => (await redis.exists('Task:List:here-mail-1:seen')) === 0, {
      ...SLOW,
      what: 'the row of the run goes',
    })
    const history = await daemon.cli('runs', '--queue', 'mail', '--json', '--limit', '500')
    const runs = (jsonOf(history) as RunRecord[]).map(run => run.unique_task_id)
    expect(runs).toContain('seen')
  })

  it('pauses, resumes and cancels', async () => {
    expect((await daemon.cli('pause', 'letters', 'tock')).code).toBe(0)
    await waitFor(async () => (await queue('letters')).paused, { what: 'it is paused' })
    await redis.lpush('letters', ledger.message('unwanted'))
    await ledger.push(redis, 'letters', 'patient')
    await waitFor(async () => (await queue('letters')).waiting === 2, { ...SLOW, what: 'two wait' })
    expect((await daemon.cli('cancel', 'unwanted')).code).toBe(0)
    expect((await daemon.cli('resume', 'letters', 'tock')).code).toBe(0)
    await ledger.complete()
    expect(ledger.ids()).not.toContain('unwanted')
    await hold('far', 'too-long')
    expect((await daemon.cli('cancel', 'too-long')).code).toBe(0)
    await waitFor(
      async () => {
        const rows = await failLog(daemon)
        return rows.includes('unwanted 1') && rows.includes('too-long 1')
      },
      { ...SLOW, what: 'both are noted as cancelled' },
    )
  })

  it('gives back at once what a killed worker had', async () => {
    await hold('async_tasks', 'orphan')
    process.kill(await daemon.worker('-async_tasks-1'), 'SIGKILL')
    await waitFor(() => begun().some(line => line.startsWith('orphan 2 ')), {
      ...SLOW,
      what: 'it runs again',
    })
    letGo('orphan')
    await waitFor(async () => (await queue('async_tasks')).active === 0, { ...SLOW, what: 'done' })
    expect(begun().filter(line => line.startsWith('orphan '))).toHaveLength(2)
  })

  it('fires each tick of the schedule once', async () => {
    const ticks = await waitFor(
      () => {
        const seen = tickSeconds(ledger.ids(), 'tick')
        return seen.length > 4 && seen
      },
      { ...SLOW, what: 'some ticks' },
    )
    expect(ticks).toEqual(secondsFrom(ticks))
  })

  it('lives through the KILL of each node in turn, and loses nothing', async () => {
    const { pid } = daemon
    for (const [turn, server] of group.servers.entries()) {
      const held = `held-${turn}`
      await hold('async_tasks', held)
      await server.kill()
      const away = await waitFor(
        async () => {
          const { redis: seen } = await daemon.status()
          return !seen.ok && seen
        },
        { ...SLOW, what: 'status says that Redis is away' },
      )
      expect(away.error).not.toBe('')
      letGo(held)
      // The client waits, as producers would.
      const pushes = Promise.all(
        QUEUES.flatMap(name =>
          [0, 1, 2, 3, 4].map(n =>
            ledger.push(redis, name, `turn${turn}-${name}-${n}`, n ? '' : '5'),
          ),
        ),
      )
      const before = performance.now()
      const refused = await Promise.all(
        QUEUES.map(name => daemon.cli('push', name, '--script', '/bin/true')),
      )
      expect(performance.now() - before).toBeLessThan(25_000)
      // The engine's keys are on the first; without another, the cluster goes down a little later.
      const taken = refused.filter(one => one.code === 0)
      expect(taken.length).toBeLessThanOrEqual(turn === 0 ? 0 : QUEUES.length)
      const why = refused.map(one => one.stderr).filter(Boolean)
      expect(why.filter(text => !/Redis/.test(text))).toEqual([])
      // Longer than any wait for tasks or messages, each of which is then given up.
      if (turn === 0) await delay(9000)
      await server.restart()
      await waitFor(async () => (await daemon.status()).redis.ok, { ...SLOW, what: 'it is back' })
      await pushes
      await ledger.complete()
    }
    await waitFor(
      async () => {
        const rows = (await failLog(daemon)).filter(row => row.startsWith('turn'))
        expect(rows.toSorted()).toEqual(
          ledger
            .failedRuns()
            .filter(run => run.startsWith('turn'))
            .toSorted(),
        )
        return true
      },
      { ...SLOW, what: 'the failed runs are archived' },
    )
    const ids = ledger.ids().filter(id => !id.startsWith('again-'))
    expect(ids.length - new Set(ids).size).toBe(0)
    const last = Math.floor(Date.now() / 1000) - 3
    const ticks = await waitFor(
      () => {
        const seen = tickSeconds(ledger.ids(), 'tick')
        return (seen.at(-1) ?? 0) >= last && seen
      },
      { ...SLOW, what: 'the schedule has caught up' },
    )
    expect(ticks).toEqual(secondsFrom(ticks))
    expect(daemon.pid).toBe(pid)
    await waitFor(async () => (await daemon.cli('status')).code === 0, {
      ...SLOW,
      what: 'all well',
    })
    expect((jsonOf(await daemon.cli('status', '--json')) as Status).redis.error).toBe('')
    expect(existsSync(join(daemon.dataDir, 'taskd.sock'))).toBe(true)
  })

  it('stops in order', async () => {
    expect(await daemon.stop()).toEqual({ code: 0, signal: null })
    expect(daemon.processes()).toEqual([])
  })
})

/** From the first to the last, each once. */
function secondsFrom(seen: readonly number[]): number[] {
  const [first = 0] = seen
  return seen.map((_, n) => first + n)
}
