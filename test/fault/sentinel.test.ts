import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { jsonOf, linesOf, newDaemon, type TestDaemon } from '../support/daemon.ts'
import { failLog, Ledger, tickSeconds } from '../support/ledger.ts'
import { startSentinels } from '../support/redis-groups.ts'
import { waitFor } from '../support/wait.ts'

/** Waits until it is let go, by a file. */
const HELD = `#!/bin/sh
echo "$TASKD_TASK_ID $TASKD_ATTEMPT" >> "$1/begun"
n=0
while [ ! -e "$1/go" ] && [ $n -lt 1200 ]; do sleep 0.05; n=$((n + 1)); done
echo "$TASKD_TASK_ID $TASKD_ATTEMPT" >> "$1/ledger"
`
const SLOW = { timeoutMs: 40_000 }
const PUSH_EVERY_MS = 5
/** One of the sync worker, sixteen of the async one. */
const IN_FLIGHT = 17

it.each(['killed', 'frozen'] as const)(
  'a master that is %s while tasks flow: none of them is lost',
  { timeout: 90_000 },
  async how => {
    await using group = await startSentinels()
    await using daemon = newDaemon()
    const ledger = new Ledger(daemon)
    daemon.configure({
      taskd: { redis: group.url, node: 'here' },
      ini:
        `[tick]\ntask_key = async_tasks\nrun_time = * * * * * *\nscript = ${ledger.script}\n` +
        `controller = ${daemon.dir}\noverlap = allow\nmisfire = all\n`,
    })
    await daemon.start()
    const first = await group.master()
    expect((await daemon.status()).redis).toMatchObject({
      ok: true,
      servers: [`127.0.0.1:${first.port}`],
    })
    expect(await doctorSays(daemon)).toEqual({
      sentinels: '3 of 3 know the master of mymaster',
      redis: expect.stringContaining(`at 127.0.0.1:${first.port}, a master`),
      'maxmemory-policy': `noeviction at 127.0.0.1:${first.port}`,
      replicas: '2 of the master',
    })
    using redis = group.client()
    const held = daemon.script('held.sh', HELD)
    for (const [n, key] of ['sync_tasks', 'async_tasks'].entries()) {
      const task = { script: held, controller: daemon.dir, unique_task_id: `held${n}` }
      await redis.lpush(key, JSON.stringify(task))
      ledger.pushed.set(`held${n}`, { code: '', planned: 1 })
    }
    const begun = () => linesOf(join(daemon.dir, 'begun'))
    await waitFor(() => begun().length === 2, { ...SLOW, what: 'two run' })

    const producing = new AbortController()
    const producer = produce(ledger, redis, producing.signal)
    await waitFor(() => ledger.pushed.size > 200, { ...SLOW, what: 'tasks flow' })
    if (how === 'killed') await first.kill()
    else first.freeze()
    await refusesWithinASecond(daemon)
    writeFileSync(join(daemon.dir, 'go'), '')
    await waitFor(async () => (await daemon.status()).redis.ok, { ...SLOW, what: 'a new master' })
    const pushed = ledger.pushed.size
    await waitFor(() => ledger.pushed.size > pushed + 200, { ...SLOW, what: 'tasks flow again' })
    producing.abort()
    await producer

    const second = await group.master()
    expect(second.port).not.toBe(first.port)
    expect((await daemon.status()).redis.servers).toEqual([`127.0.0.1:${second.port}`])
    await ledger.complete(40_000)
    await waitFor(
      async () => {
        expect(new Set(await failLog(daemon))).toEqual(new Set(ledger.failedRuns()))
        return (await redis.xlen('Task:Outbox')) === 0
      },
      { ...SLOW, what: 'each failed run is in fail_log, and nothing else' },
    )
    // What ran is settled late, and not run again.
    expect(begun()).toHaveLength(2)
    // A run that the old master knew to be over, and the new one does not, is run again.
    expect(tooOften(ledger).length).toBeLessThanOrEqual(IN_FLIGHT)
    const ticks = await waitFor(
      () => {
        const seen = tickSeconds(ledger.ids(), 'tick')
        return (seen.at(-1) ?? 0) >= Math.floor(Date.now() / 1000) - 3 && seen
      },
      { ...SLOW, what: 'the schedule has caught up' },
    )
    expect(ticks).toEqual(ticks.map((_, n) => (ticks[0] ?? 0) + n))

    // The old master comes back, and becomes a replica; nobody takes it for the master.
    if (how === 'killed') await first.restart()
    else first.thaw()
    await ledger.push(redis, 'sync_tasks', 'afterwards')
    await ledger.complete()
    expect((await daemon.cli('status')).code).toBe(0)
    expect(await daemon.stop()).toEqual({ code: 0, signal: null })
    expect(daemon.processes()).toEqual([])
  },
)

/** Those that ran more often than their retries say. */
function tooOften(ledger: Ledger): string[] {
  const runs = new Map<string, number>()
  for (const id of ledger.ids()) runs.set(id, (runs.get(id) ?? 0) + 1)
  return [...ledger.pushed].flatMap(([id, { planned }]) =>
    (runs.get(id) ?? 0) > planned ? id : [],
  )
}

/** LPUSHes without end; one in eight fails, and some of those are tried again. */
async function produce(
  ledger: Ledger,
  redis: Parameters<Ledger['push']>[0],
  signal: AbortSignal,
): Promise<void> {
  for (let n = 0; !signal.aborted; n += 1) {
    const key = n % 3 === 0 ? 'sync_tasks' : 'async_tasks'
    const more = n % 16 === 1 ? { time_interval: '0' } : {}
    const code = n % 8 === 1 ? '3' : ''
    // A master that waits for its replicas says so; it has not taken the task then.
    while (true) {
      const taken = await ledger.push(redis, key, `t${n}`, code, more).then(
        () => true,
        () => false,
      )
      if (taken) break
      await delay(20)
    }
    await delay(PUSH_EVERY_MS)
  }
}

/** What the doctor finds of Redis, by name. */
async function doctorSays(daemon: TestDaemon): Promise<Record<string, string>> {
  const answer = await daemon.cli('doctor', '--json')
  const all = jsonOf(answer) as { name: string; message: string }[]
  const about = /^(?:redis|sentinels|replicas|maxmemory-policy)$/
  return Object.fromEntries(
    all.filter(one => about.test(one.name)).map(one => [one.name, one.message]),
  )
}

/** While there is no master, whoever asks has an answer within a second, and status says why. */
async function refusesWithinASecond(daemon: TestDaemon): Promise<void> {
  const task = { script: '/bin/true' }
  const request = { task_key: 'async_tasks', task, wait: false }
  const begin = performance.now()
  await expect(daemon.control.push(request, AbortSignal.timeout(5000))).rejects.toMatchObject({
    code: 'E_REDIS_AWAY',
  })
  expect(performance.now() - begin).toBeLessThan(1500)
  await waitFor(async () => !(await daemon.status()).redis.ok, { what: 'status says away' })
  expect((await daemon.status()).redis.error).not.toBe('')
}
