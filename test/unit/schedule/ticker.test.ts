import { afterEach, describe, expect, test } from 'vitest'
import { Ticker } from '../../../src/schedule/ticker.ts'
import { aJob, START, schedule, ticking } from '../../support/ticking.ts'

const MINUTE = 60_000
const HOUR = 3_600_000
const running: { stop(): Promise<void> }[] = []

/** A started ticker that the end of the test stops. */
async function started(...given: Parameters<typeof ticking>) {
  const one = ticking(...given)
  running.push(one.ticker)
  await one.ticker.start()
  await one.time.advance(0)
  return one
}

afterEach(async () => {
  for (const ticker of running.splice(0)) await ticker.stop()
})

const at = (...minutes: number[]) => minutes.map(minute => START + minute * MINUTE)

describe('the ticker', () => {
  test('fires each tick once, on time, under an id made of job and tick', async () => {
    const { time, queue } = await started([aJob()])
    await time.advance(3 * MINUTE)
    expect(queue.added).toEqual(
      at(1, 2, 3).map(tick => ({
        id: `cron-job-${tick}`,
        tick,
        addedAt: tick,
        startAt: undefined,
      })),
    )
  })

  test('moves the cursor after the task is on its queue, never before', async () => {
    const { time, queue, store } = await started([aJob()])
    queue.onAdd = () => expect(store.state('job').cursor).toBe(START)
    await time.advance(MINUTE)
    expect(queue.added).toHaveLength(1)
    expect(store.state('job')).toMatchObject({ cursor: START + MINUTE, lastAt: START + MINUTE })
  })

  test('does not lose the tick that follows when everything it knew is flushed', async () => {
    const { time, queue, store } = await started([aJob()])
    await time.advance(MINUTE)
    store.change('job', { cursor: undefined, spec: '', lastId: '', lastAt: undefined })
    await time.advance(2 * MINUTE)
    expect(queue.ids).toEqual(at(1, 2, 3).map(tick => `cron-job-${tick}`))
  })

  test('dies between the two: the next one repeats the tick harmlessly', async () => {
    const shared = schedule()
    const first = await started([aJob()], shared)
    shared.store.broken = 'advance'
    await first.time.advance(MINUTE)
    await first.ticker.stop()
    expect([shared.queue.ids, shared.store.state('job').cursor]).toEqual([
      [`cron-job-${START + MINUTE}`],
      START,
    ])
    shared.store.broken = undefined
    await started([aJob()], shared)
    await shared.time.advance(MINUTE)
    expect(shared.queue.ids).toEqual(at(1, 2).map(tick => `cron-job-${tick}`))
    expect(shared.ticks('queued').map(tick => tick.at)).toEqual(at(1, 2))
  })

  test('two on one store fire each tick once, and one goes on alone', async () => {
    const shared = schedule()
    const one = await started([aJob()], shared)
    await started([aJob()], shared)
    await shared.time.advance(3 * MINUTE)
    await one.ticker.stop()
    await shared.time.advance(2 * MINUTE)
    expect(shared.queue.ids).toEqual(at(1, 2, 3, 4, 5).map(tick => `cron-job-${tick}`))
    expect(shared.ticks('queued').map(tick => tick.at)).toEqual(at(1, 2, 3, 4, 5))
  })

  test('10,000 jobs at one tick all fire at it', async () => {
    const jobs = Array.from({ length: 10_000 }, (_, n) => aJob({ name: `job-${n}` }))
    const { time, queue } = await started(jobs)
    await time.advance(MINUTE)
    expect(queue.added).toHaveLength(10_000)
    expect(new Set(queue.added.map(one => one.addedAt))).toEqual(new Set([START + MINUTE]))
  })

  test('an interval, a date and a disabled job fire as they should', async () => {
    const { time, queue, ticker } = await started([
      aJob({ name: 'each', trigger: { kind: 'interval', everyMs: 90_000 } }),
      aJob({ name: 'once', trigger: { kind: 'date', wallTime: '2026-11-21 09:02:00' } }),
      aJob({ name: 'gone', trigger: { kind: 'date', wallTime: '2026-11-21 08:59:00' } }),
      aJob({ name: 'off', enabled: false }),
    ])
    await time.advance(3 * MINUTE)
    expect(queue.added.map(one => [one.id.split('-')[1], (one.tick - START) / 1000])).toEqual([
      ['each', 90],
      ['once', 120],
      ['each', 180],
    ])
    expect([ticker.nextOf('once'), ticker.nextOf('off')]).toEqual([undefined, undefined])
    expect(ticker.nextOf('each')).toBe(START + 270_000)
  })

  test('start and stop repeat, and a stopped one fires nothing', async () => {
    const { time, queue, ticker } = await started([aJob()])
    await ticker.start()
    await ticker.stop()
    await ticker.stop()
    await time.advance(5 * MINUTE)
    expect(queue.added).toEqual([])
    await ticker.start()
    await time.advance(MINUTE)
    expect(queue.added.length).toBeGreaterThan(0)
  })

  test('starts anew while its stop hangs on a Redis that is away', async () => {
    const { time, queue, ticker } = await started([aJob()])
    const add = queue.add.bind(queue)
    let goOn = (): void => undefined
    const away = new Promise<void>(resolve => {
      goOn = resolve
    })
    queue.add = async (...args) => {
      await away
      return add(...args)
    }
    await time.advance(MINUTE)
    const stopped = ticker.stop()
    await ticker.start()
    goOn()
    await stopped
    await time.advance(2 * MINUTE)
    expect(queue.added.map(one => one.tick)).toEqual(at(1, 2, 3))
    await ticker.stop()
    await time.advance(MINUTE)
    expect(queue.added).toHaveLength(3)
  })

  test('jitter puts the start off, not the tick', async () => {
    const { time, queue } = await started([aJob({ jitterMs: 10_000 })])
    await time.advance(MINUTE)
    const [tick = 0] = at(1)
    expect(queue.added).toEqual([
      { id: `cron-job-${tick}`, tick, addedAt: tick, startAt: tick + 5000 },
    ])
  })
})

describe('a clock that jumps', () => {
  test('forward: the tick it passed is noticed within half a minute', async () => {
    const { time, queue } = await started([
      aJob({ trigger: { kind: 'cron', expression: '0 * * * *' } }),
    ])
    await time.advance(1000)
    time.step(HOUR)
    await time.advance(31_000)
    expect(queue.added.map(one => one.tick)).toEqual([START + HOUR])
  })

  test('back by less than three hours: fixed times do not run twice, and go on where they were', async () => {
    const { time, queue } = await started([
      aJob({ trigger: { kind: 'cron', expression: '0 0-23 * * *' } }),
    ])
    await time.advance(HOUR)
    time.step(-HOUR)
    await time.advance(HOUR + MINUTE)
    expect(queue.added).toHaveLength(1)
    await time.advance(HOUR)
    expect(queue.added.map(one => one.tick)).toEqual([START + HOUR, START + 2 * HOUR])
  })

  test('back by more: it was a correction, and the schedule goes on from now', async () => {
    const { time, queue } = await started([
      aJob({ trigger: { kind: 'cron', expression: '30 * * * *' } }),
    ])
    time.step(48 * HOUR)
    await time.advance(HOUR)
    const ahead = queue.added.length
    expect(ahead).toBeGreaterThan(0)
    time.step(-48 * HOUR)
    await time.advance(HOUR)
    expect(queue.added.slice(ahead).map(one => one.tick)).toEqual([START + 1.5 * HOUR])
  })
})

describe('ticks that were missed', () => {
  /** A job whose daemon slept for ten ticks, five minutes of which are forgiven. */
  async function late(misfire: 'skip' | 'once' | 'all', changes = {}) {
    const job = aJob({ misfire, misfireGraceMs: 1000, ...changes })
    const shared = schedule()
    const before = await started([job], shared)
    await before.ticker.stop()
    await shared.time.advance(10 * MINUTE + 30_000)
    await started([job], shared)
    await shared.time.advance(0)
    return shared
  }

  test('skip: none is run, and they are told', async () => {
    const { queue, ticks, time } = await late('skip')
    expect(queue.added).toEqual([])
    expect(ticks('missed').map(tick => tick.detail)).toEqual(['10 ticks too late to run'])
    await time.advance(MINUTE)
    expect(queue.added.map(one => one.tick)).toEqual(at(11))
  })

  test('once: the newest is run', async () => {
    const { queue, ticks } = await late('once')
    expect(queue.added.map(one => one.tick)).toEqual(at(10))
    expect(ticks('missed').map(tick => tick.detail)).toEqual(['9 ticks too late to run'])
  })

  test('all: each is run, oldest first, up to max_backfill', async () => {
    expect((await late('all')).queue.added.map(one => one.tick)).toEqual(
      at(1, 2, 3, 4, 5, 6, 7, 8, 9, 10),
    )
    expect((await late('all', { maxBackfill: 3 })).queue.added.map(one => one.tick)).toEqual(
      at(8, 9, 10),
    )
  })

  test('within the grace a tick is late, not missed', async () => {
    const { queue } = await late('skip', { misfireGraceMs: 150_000 })
    expect(queue.added.map(one => one.tick)).toEqual(at(8, 9, 10))
  })

  test('a thousand and more are made up for in order', async () => {
    const { queue, time, ticks } = await late('all', {
      maxBackfill: 10_000,
      trigger: { kind: 'interval', everyMs: 200 },
    })
    await time.advance(1000)
    const found = queue.added.map(one => one.tick)
    expect(found.length).toBeGreaterThan(3150)
    expect(found).toEqual(found.toSorted((a, b) => a - b))
    expect([new Set(found).size, ticks('missed')]).toEqual([found.length, []])
  })
})

describe('the run before is not finished', () => {
  test('allow: it is run beside it', async () => {
    const { time, queue } = await started([aJob({ overlap: 'allow' })])
    await time.advance(2 * MINUTE)
    expect(queue.ids).toHaveLength(2)
  })

  test('skip: its tick passes, and is told', async () => {
    const { time, queue, ticks } = await started([aJob({ overlap: 'skip' })])
    await time.advance(MINUTE)
    queue.open.add(queue.ids[0] ?? '')
    await time.advance(2 * MINUTE)
    expect(queue.added.map(one => one.tick)).toEqual(at(1))
    expect(ticks('skipped').map(tick => [tick.at, tick.taskId])).toEqual(
      at(2, 3).map(tick => [tick, queue.ids[0]]),
    )
    queue.open.clear()
    await time.advance(MINUTE)
    expect(queue.added.map(one => one.tick)).toEqual(at(1, 4))
  })

  test('replace: the old one is cancelled first', async () => {
    const { time, queue, ticks } = await started([aJob({ overlap: 'replace' })])
    await time.advance(MINUTE)
    const [first = ''] = queue.ids
    queue.open.add(first)
    await time.advance(MINUTE)
    expect(queue.log.slice(-2)).toEqual([`cancel ${first}`, `add cron-job-${START + 2 * MINUTE}`])
    expect(ticks('replaced').map(tick => tick.at)).toEqual(at(2))
  })

  test('queue: its ticks wait, and run one after another when it has ended', async () => {
    const { time, queue, end } = await started([aJob({ overlap: 'queue', misfireGraceMs: 1000 })])
    queue.keepsOpen = true
    await time.advance(4 * MINUTE)
    expect(queue.added.map(one => one.tick)).toEqual(at(1))
    for (const minute of [2, 3, 4]) {
      end()
      await time.advance(0)
      expect(queue.added.at(-1)?.tick).toBe(START + minute * MINUTE)
      await time.advance(2000)
      expect(queue.added).toHaveLength(minute)
    }
  })

  test('queue: an end that comes while it is asked about counts at once', async () => {
    const { time, queue, end } = await started([aJob({ overlap: 'queue' })])
    queue.keepsOpen = true
    await time.advance(2 * MINUTE + 100)
    const isOpen = queue.isOpen.bind(queue)
    queue.isOpen = async (...args) => {
      const open = await isOpen(...args)
      queue.isOpen = isOpen
      end()
      return open
    }
    await time.advance(900)
    expect(queue.added.map(one => one.tick)).toEqual(at(1, 2))
  })

  test('queue: another job that is slow with its ticks keeps no tick waiting', async () => {
    const { time, queue, end } = await started([
      aJob({ overlap: 'queue' }),
      aJob({ name: 'slow', overlap: 'allow' }),
    ])
    const add = queue.add.bind(queue)
    let goOn = (): void => undefined
    const hangs = new Promise<void>(resolve => {
      goOn = resolve
    })
    queue.add = async (key, tasks) => {
      if (tasks[0]?.job === 'slow') await hangs
      return add(key, tasks)
    }
    queue.keepsOpen = true
    await time.advance(3 * MINUTE)
    for (const minute of [2, 3]) {
      end()
      await time.advance(200)
      expect(queue.added.at(-1)?.tick).toBe(START + minute * MINUTE)
    }
    expect(queue.added).toHaveLength(3)
    goOn()
    await time.advance(1000)
    expect(queue.added).toHaveLength(6)
  })

  test('queue: without an event (it ran on another node) the end is found within a second', async () => {
    const { time, queue } = await started([aJob({ overlap: 'queue' })])
    queue.keepsOpen = true
    await time.advance(2 * MINUTE + 100)
    queue.open.clear()
    await time.advance(1000)
    expect(queue.added.map(one => one.tick)).toEqual(at(1, 2))
  })

  test('queue: of more ticks than max_backfill the oldest pass, each told once', async () => {
    const { time, queue, store, ticks, end } = await started([
      aJob({ overlap: 'queue', maxBackfill: 2 }),
    ])
    queue.keepsOpen = true
    await time.advance(6 * MINUTE + 30_000)
    expect(queue.added.map(one => one.tick)).toEqual(at(1))
    const why = 'more ticks wait than max_backfill = 2'
    const told = ticks('missed').map(({ detail, count, at: tick }) => ({ detail, count, tick }))
    expect(told).toEqual(at(2, 3, 4).map(tick => ({ detail: why, count: 1, tick })))
    expect(store.state('job').cursor).toBe(START + 4 * MINUTE)
    for (const _ of [1, 2]) {
      end()
      await time.advance(0)
    }
    expect(queue.added.map(one => one.tick)).toEqual(at(1, 5, 6))
  })

  test('missed ticks are told by one of several nodes', async () => {
    const shared = schedule()
    const job = aJob({ misfire: 'skip', misfireGraceMs: 1000 })
    const before = await started([job], shared)
    await before.ticker.stop()
    await shared.time.advance(5 * MINUTE)
    const both = [ticking([job], shared), ticking([job], shared)]
    running.push(...both.map(one => one.ticker))
    await Promise.all(both.map(one => one.ticker.start()))
    await shared.time.advance(1000)
    expect(shared.ticks('missed')).toHaveLength(1)
  })

  test('queue: an outage meanwhile makes no tick a missed one', async () => {
    const { time, queue, store, ticks } = await started([
      aJob({ overlap: 'queue', misfire: 'skip', misfireGraceMs: 1000 }),
    ])
    queue.keepsOpen = true
    await time.advance(4 * MINUTE)
    queue.broken = true
    store.broken = 'read'
    queue.open.clear()
    await time.advance(20_000)
    store.broken = undefined
    await time.advance(10_000)
    queue.broken = false
    for (let n = 0; n < 5; n += 1) {
      await time.advance(2000)
      queue.open.clear()
    }
    expect(queue.added.map(one => one.tick)).toEqual(at(1, 2, 3, 4))
    expect(ticks('missed')).toEqual([])
  })
})

describe('what a job has behind it', () => {
  test('after pause_on_failures failures it is paused, and fires again when resumed', async () => {
    const { time, queue, store, ticks } = await started([aJob({ pauseOnFailures: 3 })])
    store.change('job', { failures: 2 })
    await time.advance(MINUTE)
    expect(queue.added).toHaveLength(1)
    store.change('job', { failures: 3 })
    await time.advance(2 * MINUTE)
    expect(queue.added).toHaveLength(1)
    expect(store.state('job').paused).toBe('paused after 3 failures in a row')
    expect(ticks('paused').map(tick => tick.at)).toEqual(at(2, 3))
    store.change('job', { failures: 0, paused: '' })
    await time.advance(MINUTE)
    expect(queue.added.map(one => one.tick)).toEqual(at(1, 4))
  })

  test('a changed schedule starts anew; anything else that changes does not', async () => {
    const shared = schedule()
    const first = await started([aJob({ misfire: 'all' })], shared)
    await shared.time.advance(MINUTE)
    await first.ticker.stop()
    await shared.time.advance(2 * MINUTE)
    const second = await started([aJob({ misfire: 'all', jitterMs: 1 })], shared)
    expect(shared.queue.added.map(one => one.tick)).toEqual(at(1, 2, 3))
    await second.ticker.stop()
    await shared.time.advance(2 * MINUTE)
    const trigger = { kind: 'cron', expression: '*/2 * * * *' } as const
    await started([aJob({ misfire: 'all', trigger })], shared)
    await shared.time.advance(MINUTE)
    expect(shared.queue.added.map(one => one.tick)).toEqual(at(1, 2, 3, 6))
  })

  test('new jobs of a reload fire from then on, removed ones no more', async () => {
    const { time, queue, ticker } = await started([aJob()])
    await time.advance(MINUTE)
    ticker.setJobs([aJob({ name: 'other' })])
    await time.advance(MINUTE)
    expect(queue.ids).toEqual([`cron-job-${START + MINUTE}`, `cron-other-${START + 2 * MINUTE}`])
  })

  test('@reboot: once a boot and node, whoever restarts', async () => {
    const job = aJob({ trigger: { kind: 'reboot' } })
    const shared = schedule()
    for (const boot of ['b1', 'b1', 'b2']) {
      const one = await started([job], shared, { boot })
      await shared.time.advance(MINUTE)
      await one.ticker.stop()
    }
    await started([job], shared, { boot: 'b2', node: 'other' })
    expect(shared.queue.ids).toEqual([
      'cron-job-boot-node-b1',
      'cron-job-boot-node-b2',
      'cron-job-boot-other-b2',
    ])
  })

  test('@reboot: an outage at the start only puts it off', async () => {
    const shared = schedule()
    shared.queue.broken = true
    await started([aJob({ trigger: { kind: 'reboot' } })], shared)
    await shared.time.advance(5000)
    expect(shared.queue.added).toEqual([])
    shared.queue.broken = false
    await shared.time.advance(1000)
    expect(shared.queue.ids).toEqual(['cron-job-boot-node-b1'])
  })

  test.each(['read', 'readMany', 'advance', 'reset'] as const)(
    'an outage of the store (%s) puts ticks off and loses none',
    async call => {
      const shared = schedule()
      shared.store.broken = call
      await started([aJob({ misfire: 'all', misfireGraceMs: HOUR })], shared)
      if (call === 'read' || call === 'advance') await shared.time.advance(2 * MINUTE + 30_000)
      else await shared.time.advance(30_000)
      shared.store.broken = undefined
      await shared.time.advance(2 * MINUTE)
      const expected = call === 'read' || call === 'advance' ? at(1, 2, 3, 4) : at(1, 2)
      expect(shared.queue.added.map(one => one.tick)).toEqual(expected)
    },
  )
})

test('a ticker with nothing to do sleeps, and wakes for its first job', async () => {
  const shared = schedule()
  const ticker = new Ticker([], shared.deps())
  running.push(ticker)
  await ticker.start()
  await shared.time.advance(10 * MINUTE)
  expect(shared.store.calls).toBeLessThan(5)
  ticker.setJobs([aJob()])
  await shared.time.advance(MINUTE)
  expect(shared.queue.added).toHaveLength(1)
})
