import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { linesOf, newDaemon, redisClient, type TestDaemon } from '../support/daemon.ts'
import { startRedis, type TestServer, tempDir } from '../support/servers.ts'
import { waitFor } from '../support/wait.ts'

/** Two machines on one Redis, with one cron.ini: here two data folders. */
interface Pair extends AsyncDisposable {
  readonly server: TestServer
  readonly a: TestDaemon
  readonly b: TestDaemon
  /** A folder for what the scripts of both write. */
  readonly shared: string
}

async function pair(): Promise<Pair> {
  const server = await startRedis()
  const shared = tempDir('taskd-two-')
  const a = newDaemon({ taskd: { redis: server.url } })
  const b = newDaemon({ taskd: { redis: server.url } })
  return {
    server,
    a,
    b,
    shared: shared.path,
    async [Symbol.asyncDispose]() {
      await Promise.all([a.remove(), b.remove()])
      await server.remove()
      await shared.remove()
    },
  }
}

/** A job of every second, in both; it notes which tick it is, and who runs it. */
function tickEverySecond({ a, b, server, shared }: Pair): void {
  const script = a.script(
    'tick.sh',
    '#!/bin/sh\necho "$TASKD_SCHEDULED_AT $TASKD_WORKER_ID $TASKD_ATTEMPT" >> "$1"\n',
  )
  const job = `[every_second]
task_key = async_tasks
run_time = * * * * * *
overlap = allow
misfire = all
script = ${script}
controller = ${join(shared, 'ticks')}
`
  for (const daemon of [a, b]) daemon.configure({ taskd: { redis: server.url }, ini: job })
}

const ticksOf = ({ shared }: Pair) =>
  linesOf(join(shared, 'ticks')).map(line => {
    const [at = '', worker = '', attempt = ''] = line.split(' ')
    return { at: Date.parse(at), worker, attempt }
  })

const untilTicks = (both: Pair, count: number) =>
  waitFor(() => ticksOf(both).length >= count, {
    timeoutMs: (count + 30) * 1000,
    what: `${count} ticks have run`,
  })

/** Consecutive seconds: none twice, none left out. */
function expectNoGap(both: Pair): void {
  const all = ticksOf(both)
    .map(one => one.at / 1000)
    .toSorted((x, y) => x - y)
  const [first = 0] = all
  expect(all).toEqual(all.map((_, n) => first + n))
}

describe.concurrent('two daemons on one Redis', () => {
  it('each tick fires once, and the two have names of their own', async () => {
    await using both = await pair()
    const { a, b } = both
    tickEverySecond(both)
    await Promise.all([a.start(), b.start()])
    const nodes = [(await a.status()).node, (await b.status()).node]
    expect(new Set(nodes).size).toBe(2)
    await untilTicks(both, 15)
    expectNoGap(both)
  })

  it.each(['KILLed', 'stopped'] as const)('the schedule goes on when either is %s', async how => {
    await using both = await pair()
    const { a, b } = both
    tickEverySecond(both)
    await Promise.all([a.start(), b.start()])
    const end = (daemon: TestDaemon) => (how === 'KILLed' ? daemon.kill() : daemon.stop())
    await untilTicks(both, 2)
    await end(a)
    await untilTicks(both, 6)
    await a.start()
    await end(b)
    await untilTicks(both, 10)
    expectNoGap(both)
    expect(ticksOf(both).every(one => one.attempt === '1')).toBe(true)
  })

  it('a sync queue with its worker on one of them runs in the order of its list', async () => {
    await using both = await pair()
    const { a, b, server, shared } = both
    const queue = (workers: number) => `[queue:order]\nmode = sync\nworkers = ${workers}\n`
    a.configure({ taskd: { redis: server.url }, ini: queue(1) })
    b.configure({ taskd: { redis: server.url }, ini: queue(0) })
    await Promise.all([a.start(), b.start()])
    const script = a.script('note.sh', '#!/bin/sh\necho "$2" >> "$1"\n')
    using redis = redisClient(server.path)
    const numbers = Array.from({ length: 150 }, (_, n) => `${n}`)
    // One by one: what comes in a batch stays together, whoever takes it.
    for (const number of numbers)
      await redis.lpush(
        'order',
        JSON.stringify({ script, controller: join(shared, 'order'), function: number }),
      )
    const ran = () => linesOf(join(shared, 'order'))
    await waitFor(() => ran().length >= numbers.length, { what: 'all have run' })
    expect(ran()).toEqual(numbers)
  })

  it('a task that one of them runs is cancelled through the other', async () => {
    await using both = await pair()
    const { a, b, server, shared } = both
    await Promise.all([a.start(), b.start()])
    using redis = redisClient(server.path)
    const script = a.script('long.sh', '#!/bin/sh\necho "$$" >> "$1"\nsleep 60\n')
    const begun = join(shared, 'begun')
    // One more than a node runs at once on its sync queue: both have one.
    for (const id of ['x', 'y'])
      await redis.lpush(
        'sync_tasks',
        JSON.stringify({ script, controller: begun, unique_task_id: id }),
      )
    await waitFor(() => linesOf(begun).length === 2, { what: 'each runs one' })
    for (const id of ['x', 'y']) expect((await a.cli('cancel', id)).code).toBe(0)
    await waitFor(async () => (await redis.keys('Task:List:*')).length === 0, { what: 'both end' })
    await waitFor(async () => (await redis.keys('Task:Fail:*')).length === 2, { what: 'as failed' })
  })

  it('the death of one gives nothing of the other away', async () => {
    await using both = await pair()
    const { a, b, server, shared } = both
    await Promise.all([a.start(), b.start()])
    using redis = redisClient(server.path)
    const script = a.script(
      'held.sh',
      '#!/bin/sh\necho "$TASKD_TASK_ID $TASKD_ATTEMPT" >> "$1.begun"\nn=0\nwhile [ ! -e "$1.go" ] && [ $n -lt 600 ]; do sleep 0.05; n=$((n + 1)); done\necho "$TASKD_TASK_ID" >> "$1.ended"\n',
    )
    const held = join(shared, 'held')
    for (const id of ['x', 'y'])
      await redis.lpush(
        'sync_tasks',
        JSON.stringify({ script, controller: held, unique_task_id: id }),
      )
    await waitFor(() => linesOf(`${held}.begun`).length === 2, { what: 'each runs one' })
    const [worker] = a.processes().filter(one => one.command.includes('sync_tasks'))
    process.kill(worker?.pid ?? 0, 'SIGKILL')
    await waitFor(() => linesOf(`${held}.begun`).length === 3, { what: 'the lost one runs again' })
    expect(linesOf(`${held}.begun`).filter(line => line.endsWith(' 2'))).toHaveLength(1)
    await b.kill()
    writeFileSync(`${held}.go`, '')
    await waitFor(() => linesOf(`${held}.ended`).length === 2, { what: 'both end' })
    expect(linesOf(`${held}.ended`).toSorted()).toEqual(['x', 'y'])
  })
})
