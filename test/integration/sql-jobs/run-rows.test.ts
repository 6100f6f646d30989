import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { realClock } from '../../../src/lib/clock.ts'
import { Mending } from '../../../src/master/sql-jobs/mending.ts'
import { RunRowKeeper } from '../../../src/master/sql-jobs/run-rows.ts'
import type { FromWorker, ToWorker } from '../../../src/model/ipc.ts'
import { badList, RUN_ENDS, runRow } from '../../../src/queue/keys.ts'
import { RunEnds } from '../../../src/queue/run-ends.ts'
import { parseAddress } from '../../../src/store/address.ts'
import { openDatabase } from '../../../src/store/dialect.ts'
import type { RunIdentity, RunRows } from '../../../src/store/run-rows.ts'
import { openStore, type Store } from '../../../src/store/store.ts'
import { ENGINE_NAMES, ENGINES, type Engine } from '../../support/engines.ts'
import { fakeClock } from '../../support/fake-clock.ts'
import { recordedLog } from '../../support/logs.ts'
import { aQueue, DONE, liveOwner, type QueueBench, queueBench } from '../../support/queue-bench.ts'
import { aTask } from '../../support/runs.ts'
import { waitFor } from '../../support/wait.ts'

const Q = 'async_tasks'
let bench: QueueBench
beforeAll(async () => {
  bench = await queueBench()
})
afterAll(() => bench.remove())

const run = (id: string, node = 'here', attempt = 1): RunIdentity => ({
  unique_task_id: id,
  attempt,
  worker_id: `${node}-${Q}-1`,
  node,
})

function keeperOf(rows: RunRows, onUnheard: () => void = () => undefined) {
  const { log, lines } = recordedLog()
  const ends = new RunEnds(bench.redis)
  const deps = { rows, ends, clock: realClock, log, random: Math.random, onUnheard }
  return { keeper: new RunRowKeeper({ ...deps, node: () => 'here' }), ends, lines }
}

/** The master's end of a worker's channel. */
function aWorker(alive = true) {
  const heard: (ToWorker & { readonly type: 'row' })[] = []
  const post = (message: ToWorker) => {
    if (message.type === 'row' && alive) heard.push(message)
    return alive
  }
  return { heard, process: { pid: 1, post, kill: () => undefined } }
}

const ask = (n: number, rowId: number, id = 'a') =>
  ({ type: 'open-row', ask: n, rowId, id, attempt: 1 }) satisfies FromWorker

describe.each(ENGINE_NAMES)('rows of execute_task in %s', name => {
  let engine: Engine
  let store: Store
  let url: string
  let letGo = () => {}
  beforeAll(async () => {
    engine = await ENGINES[name]()
  })
  afterAll(() => engine.remove())
  beforeEach(async () => {
    url = engine.freshUrl()
    store = openStore(url, recordedLog().log)
    await store.migrate()
    return async () => {
      letGo()
      await store.close()
      await bench.reset()
    }
  })

  const addTask = (key: string) =>
    store.tasks.add({
      task_key: key,
      execute_func: key,
      trigger: 'interval',
      spec: '60',
      args: '',
      is_valid: true,
    })
  const statusOf = async (key: string) => (await store.tasks.find(key))?.status
  const states = async () => {
    const rows = await store.runRows.history({ limit: 100 })
    return Object.fromEntries(rows.map(row => [row.id, row.status]))
  }

  test('begin when a worker asks, and end as Redis says, once and for all', async () => {
    const { keeper, ends } = keeperOf(store.runRows)
    const worker = aWorker()
    const task = await addTask('a')
    await keeper.open('w', ask(7, task), worker.process)
    const [answer] = worker.heard
    const id = answer?.row.ok ? answer.row.value : 0
    expect(answer).toEqual({ type: 'row', ask: 7, row: { ok: true, value: id } })
    expect(await statusOf('a')).toBe('doing')
    const [doing] = await store.runRows.doing()
    expect(JSON.parse(doing?.extra ?? '')).toEqual({ ...run('a'), worker_id: 'w' })

    await bench.redis.hset(RUN_ENDS, { junk: '{}', '99': '{"status":"odd"}' })
    await ends.put({ id, status: 'succ', extra: '{"code":"succ","n":1}' })
    await ends.put({ id: 12_345, status: 'fail', extra: '{}' })
    await keeper.start()
    await waitFor(async () => (await bench.redis.hlen(RUN_ENDS)) === 0, { what: 'all are taken' })
    expect(await states()).toEqual({ [id]: 'succ' })
    expect(await statusOf('a')).toBe('ready')
    const bad = await bench.redis.lrange(badList(RUN_ENDS), 0, -1)
    expect(bad.map(text => (JSON.parse(text) as { field: string }).field).toSorted()).toEqual([
      '99',
      'junk',
    ])

    await ends.put({ id, status: 'fail', extra: '{"code":"fail"}' })
    keeper.nudge()
    await waitFor(async () => (await bench.redis.hlen(RUN_ENDS)) === 0, { what: 'it is taken' })
    const [row] = await store.runRows.history({ limit: 1 })
    expect([row?.status, JSON.parse(row?.extra ?? '')]).toEqual(['succ', { code: 'succ', n: 1 }])
    await keeper.stop()
  })

  test('an attempt that was given back gets a new row, also when the end of the old one waits', async () => {
    const { keeper, ends } = keeperOf(store.runRows)
    const task = await addTask('a')
    const old = await store.runRows.begin(task, run('a'))
    await ends.put({ id: old, status: 'fail', extra: '{"kind":"returned"}' })
    const worker = aWorker()
    await keeper.open('w', ask(1, task), worker.process)
    const [answer] = worker.heard
    const id = answer?.row.ok ? answer.row.value : 0
    expect(await states()).toEqual({ [old]: 'fail', [id]: 'doing' })
    expect(await statusOf('a')).toBe('doing')
  })

  test('many ends are taken in batches, and by two masters at once', async () => {
    const one = keeperOf(store.runRows)
    const two = keeperOf(store.runRows)
    const tasks = await Promise.all(['a', 'b', 'c'].map(addTask))
    const ids: number[] = []
    for (let n = 0; n < 450; n += 1)
      ids.push(await store.runRows.begin(tasks[n % 3] ?? 0, run(`run-${n}`)))
    await Promise.all(ids.map(id => one.ends.put({ id, status: 'succ', extra: '{}' })))
    await Promise.all([one.keeper.start(), two.keeper.start()])
    await waitFor(async () => (await bench.redis.hlen(RUN_ENDS)) === 0, { what: 'all are taken' })
    await Promise.all([one.keeper.stop(), two.keeper.stop()])
    expect(new Set(Object.values(await states()))).toEqual(new Set(['succ']))
    expect(await Promise.all(['a', 'b', 'c'].map(statusOf))).toEqual(['ready', 'ready', 'ready'])
  })

  test('of runs that have died are mended, those of living runs on any node are not', async () => {
    const time = fakeClock()
    const { log } = recordedLog()
    const begin = async (key: string, who: RunIdentity) =>
      store.runRows.begin(await addTask(key), who)
    // Active in the engine, by a worker of another node that is at its second attempt.
    const held = new Promise<void>(resolve => {
      letGo = resolve
    })
    await bench.queues.add(Q, [aTask({ id: 'locked', taskKey: Q })])
    const { claims } = await bench.consume({
      queue: aQueue({ taskKey: Q }),
      owner: liveOwner(`there-${Q}-1`),
      handle: () => held.then(() => DONE),
    })
    await waitFor(() => claims.length === 1, { what: 'it is taken' })
    const [spoken, known] = [run('spoken', 'there'), run('known')]
    await bench.redis.hset(runRow(spoken.worker_id, 'spoken'), { attempt: '1' })
    const rows = {
      own: await begin('own', run('own')),
      other: await begin('other', run('other', 'there')),
      locked: await begin('locked', run('locked', 'there')),
      earlier: await begin('earlier', run('locked', 'there', 7)),
      spoken: await begin('spoken', spoken),
      known: await begin('known', known),
      ending: await begin('ending', run('ending')),
    }
    const ends = new RunEnds(bench.redis)
    await ends.put({ id: rows.ending, status: 'succ', extra: '{}' })
    const db = openDatabase(parseAddress(url))
    await db
      .insertInto('execute_task')
      .values({ task_id: 999, status: 'doing', extra: '{}' })
      .execute()
    await db.destroy()
    await waitFor(async () => (await store.runRows.doing()).every(row => row.ageMs > 3000), {
      what: 'no row is young',
    })

    const mending = new Mending({
      rows: store.runRows,
      ends,
      redis: bench.redis,
      clock: time.clock,
      log,
      node: () => 'here',
      taskKeys: () => ['sync_tasks', Q],
      runsHere: who => who.unique_task_id === 'known',
    })
    await mending.start()
    const ended = async () =>
      Object.entries(await states()).flatMap(([id, status]) =>
        status === 'fail' ? Number(id) : [],
      )
    await waitFor(async () => (await ended()).length === 1, { what: 'the first look is over' })
    expect(await ended()).toEqual([rows.own])
    const [own] = (await store.runRows.history({ limit: 100 })).filter(row => row.id === rows.own)
    expect(JSON.parse(own?.extra ?? '')).toMatchObject({
      code: 'fail',
      kind: 'lost',
      ...run('own'),
    })
    expect(await statusOf('own')).toBe('ready')

    const until = (count: number) =>
      waitFor(
        async () => {
          await time.advance(1000)
          return (await ended()).length === count
        },
        { what: `${count} rows are ended` },
      )
    await until(3)
    expect(await ended()).toEqual([rows.own, rows.other, rows.earlier].toSorted((a, b) => a - b))

    // Its worker is done, and its row in Redis has run out.
    letGo()
    await bench.redis.del(runRow(spoken.worker_id, 'spoken'))
    await until(5)
    expect(await ended()).toEqual(
      [rows.own, rows.other, rows.earlier, rows.locked, rows.spoken].toSorted((a, b) => a - b),
    )
    expect((await states())[rows.ending]).toBe('doing')
    expect((await states())[rows.known]).toBe('doing')
    await mending.stop()
  })

  test('of a run whose death recovery has seen is mended at once, however young', async () => {
    const { log } = recordedLog()
    const mending = new Mending({
      rows: store.runRows,
      ends: new RunEnds(bench.redis),
      redis: bench.redis,
      clock: realClock,
      log,
      node: () => 'here',
      taskKeys: () => [Q],
      runsHere: () => false,
    })
    await mending.start()
    const id = await store.runRows.begin(await addTask('a'), run('a', 'there'))
    mending.died(run('a', 'there').worker_id, 'a')
    await waitFor(async () => (await states())[id] === 'fail', {
      timeoutMs: 2500,
      what: 'it is ended',
    })
    expect(await statusOf('a')).toBe('ready')
    await mending.stop()
  })
})

describe('while the database is away', () => {
  const AWAY = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' })
  const none: RunRows = {
    begin: () => Promise.reject(AWAY),
    end: () => Promise.reject(AWAY),
    mend: () => Promise.reject(AWAY),
    doing: () => Promise.reject(AWAY),
    history: () => Promise.reject(AWAY),
  }
  const reasons = (worker: ReturnType<typeof aWorker>) =>
    worker.heard.map(one => [one.ask, one.row.ok ? '' : one.row.reason])

  test('runs are told so, and only one at a time waits to hear it', async () => {
    let begins = 0
    let answer: (error: Error) => void = () => undefined
    const slow = {
      ...none,
      begin: () => {
        begins += 1
        return new Promise<number>((_, reject) => {
          answer = reject
        })
      },
    }
    const { keeper, lines } = keeperOf(slow)
    const worker = aWorker()
    const first = keeper.open('w', ask(1, 1), worker.process)
    await waitFor(() => begins === 1, { what: 'the first asks' })
    answer(AWAY)
    await first
    expect(reasons(worker)).toEqual([[1, AWAY.message]])
    await waitFor(
      async () => {
        void keeper.open('w', ask(2, 1), worker.process)
        return begins === 2
      },
      { what: 'one asks again' },
    )
    const asked = worker.heard.length
    await keeper.open('w', ask(3, 1), worker.process)
    expect(worker.heard.length).toBeGreaterThan(asked)
    expect(begins).toBe(2)
    expect(keeper.status()).toMatchObject({ ok: false, error: AWAY.message })
    expect(lines.filter(line => line.level === 'warn')).toHaveLength(1)
    answer(AWAY)
  })

  test('ends stay in Redis, are counted, and are taken when it is back', async () => {
    let back = false
    const taken: number[] = []
    const end: RunRows['end'] = async ends => {
      if (!back) throw AWAY
      taken.push(...ends.map(one => one.id))
    }
    const { keeper, ends, lines } = keeperOf({ ...none, end })
    await ends.put({ id: 5, status: 'succ', extra: '{}' })
    await keeper.start()
    await waitFor(() => keeper.status().waiting === 1 && !keeper.status().ok, { what: 'it fails' })
    expect(await ends.count()).toBe(1)
    back = true
    await waitFor(() => keeper.status().ok && keeper.status().waiting === 0, { what: 'it is back' })
    expect(taken).toEqual([5])
    expect(lines.map(line => line.level)).toEqual(['warn', 'info'])
    await keeper.stop()
  })

  test('it is well again also where nothing is left to write', async () => {
    let away = true
    const history: RunRows['history'] = async () => {
      if (away) throw AWAY
      return []
    }
    const { keeper } = keeperOf({ ...none, history })
    await keeper.start()
    await keeper.open('w', ask(1, 1), aWorker().process)
    expect(keeper.status()).toMatchObject({ ok: false, error: AWAY.message })
    away = false
    await waitFor(() => keeper.status().ok, { what: 'it is back' })
    await keeper.stop()
  })

  test('what the database refuses stays known until it takes a row', async () => {
    let looks = 0
    const REFUSED = Object.assign(new Error('denied'), { code: 'ER_TABLEACCESS_DENIED_ERROR' })
    const begin: RunRows['begin'] = () => Promise.reject(REFUSED)
    const history: RunRows['history'] = async () => {
      looks += 1
      return []
    }
    const { keeper } = keeperOf({ ...none, begin, history })
    await keeper.open('w', ask(1, 1), aWorker().process)
    await keeper.start()
    await waitFor(() => keeper.status().waiting === 0, { what: 'it has looked' })
    await keeper.stop()
    expect(looks).toBe(0)
    expect(keeper.status()).toMatchObject({ ok: false, error: 'denied' })
  })

  test('a row for a worker that has gone is looked for at once', async () => {
    let looks = 0
    const { keeper } = keeperOf({ ...none, begin: () => Promise.resolve(3) }, () => {
      looks += 1
    })
    await keeper.open('w', ask(1, 1), aWorker(false).process)
    await keeper.open('w', ask(2, 1), undefined)
    await keeper.open('w', ask(3, 1), aWorker().process)
    expect(looks).toBe(2)
  })
})
