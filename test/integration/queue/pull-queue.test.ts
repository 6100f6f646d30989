import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { PULL_CLAIM_MS, pullClaim } from '../../../src/queue/keys.ts'
import {
  aTask,
  deathsIn,
  idsOf,
  LEASE_MS,
  type PullBench,
  pullBench,
  someTasks,
} from '../../support/pull-bench.ts'

let bench: PullBench
beforeAll(async () => {
  bench = await pullBench()
})
afterEach(() => bench.reset())
afterAll(() => bench.remove())

const answers = (items: readonly { readonly answer: string }[]) => items.map(one => one.answer)
const named = (...ids: string[]) => ids.map(id => aTask(id))
const reports = (...ids: string[]) => ids.map(id => ({ id }))

describe('push', () => {
  test('keeps the order, also over the parts of a large batch', async () => {
    const queue = bench.queue()
    const pushed = await queue.push(someTasks(1800))
    expect(pushed).toMatchObject({ accepted: 1800, room: 500_000 - 1800 })
    expect(new Set(answers(pushed.answers))).toEqual(new Set(['accepted']))
    await queue.push([aTask('last')])
    expect(idsOf(await queue.claim(5000))).toEqual([...idsOf(someTasks(1800)), 'last'])
  })

  test('promoted tasks go before all others, in their own order; so does a later batch', async () => {
    const queue = bench.queue()
    await queue.push(named('x'))
    await queue.push(someTasks(1200, 'first'), { promote: true })
    await queue.push(someTasks(700, 'second'), { promote: true })
    expect(idsOf(await queue.claim(5000))).toEqual([
      ...idsOf(someTasks(700, 'second')),
      ...idsOf(someTasks(1200, 'first')),
      'x',
    ])
  })

  test('what waits or runs is a duplicate and keeps its content; promoted, it moves when it waits', async () => {
    const queue = bench.queue()
    await queue.push(named('running', 'b', 'c'))
    await queue.claim(1)
    const again = [aTask('running', { new: 1 }), aTask('c', { new: 1 })]
    expect((await queue.push(again)).answers).toEqual([
      { id: 'running', answer: 'duplicate', promoted: false },
      { id: 'c', answer: 'duplicate', promoted: false },
    ])
    expect((await queue.push(again, { promote: true })).answers).toEqual([
      { id: 'running', answer: 'duplicate', promoted: false },
      { id: 'c', answer: 'duplicate', promoted: true },
    ])
    const claimed = await queue.claim(10)
    expect(claimed.map(({ id, content }) => [id, content])).toEqual([
      ['c', '{"task_id":"c"}'],
      ['b', '{"task_id":"b"}'],
    ])
  })

  test('an id that comes twice in a batch is one task', async () => {
    const queue = bench.queue({ capacity: 2 })
    const pushed = await queue.push(named('a', 'a', 'b', 'c', 'c'), { promote: true })
    expect(answers(pushed.answers)).toEqual(['accepted', 'duplicate', 'accepted', 'full', 'full'])
    expect(idsOf(await queue.claim(10))).toEqual(['a', 'b'])
  })

  test('at capacity the first ones fit, the others are told so, duplicates still are', async () => {
    const queue = bench.queue({ capacity: 1000 })
    await queue.push(named('known'))
    const pushed = await queue.push([...someTasks(1500), aTask('known')])
    expect(pushed).toMatchObject({ accepted: 999, room: 0 })
    expect(answers(pushed.answers)).toEqual([
      ...Array<string>(999).fill('accepted'),
      ...Array<string>(501).fill('full'),
      'duplicate',
    ])
    await queue.claim(1)
    expect(await queue.push(named('new'))).toMatchObject({ accepted: 1, room: 0 })
  })

  test('a finished id is a new task again', async () => {
    const queue = bench.queue()
    await queue.push(named('a'))
    await queue.claim(1)
    await queue.report({ finish: reports('a') })
    expect(answers((await queue.push([aTask('a', { round: 2 })])).answers)).toEqual(['accepted'])
    expect(await queue.counts()).toMatchObject({ todo: 1, finish: 0, finishedTotal: 1 })
    expect(await queue.claim(1)).toMatchObject([
      { attempt: 1, content: '{"task_id":"a","round":2}' },
    ])
  })

  test('contents come back byte for byte', async () => {
    const queue = bench.queue()
    const contents = [
      '{"task_id":1,"n":12345678901234567890,\n "n": 1.0}',
      '{"task_id":"€😀\\ud800","empty":{},"list":[]}',
      `{"task_id":"big","data":"${'ä'.repeat(500_000)}"}`,
    ]
    await queue.push(contents.map((content, n) => ({ id: `id ${n} €😀`, content })))
    expect((await queue.claim(10)).map(one => one.content)).toEqual(contents)
  })
})

describe('claim', () => {
  test('counts the attempt and leases for a time', async () => {
    const queue = bench.queue()
    await queue.push(named('a'))
    const leaseUntil = bench.now + LEASE_MS
    expect(await queue.claim(5, 'agent 1')).toEqual([
      { id: 'a', attempt: 1, content: '{"task_id":"a"}', leaseUntil },
    ])
    expect(await queue.claim(5)).toEqual([])
    expect(await queue.counts()).toMatchObject({ todo: 0, doing: 1 })
  })

  test('of large tasks it hands out fewer than asked, and all in the end', async () => {
    const queue = bench.queue()
    const large = Array.from({ length: 40 }, (_, n) => aTask(`t${n}`, { data: 'x'.repeat(1e6) }))
    await queue.push(large)
    const rounds = []
    for (let round = await queue.claim(5000); round.length > 0; round = await queue.claim(5000))
      rounds.push(round)
    expect(rounds.length).toBeGreaterThan(1)
    expect(Math.max(...rounds.map(round => round.length))).toBeLessThanOrEqual(20)
    expect(idsOf(rounds.flat())).toEqual(idsOf(large))
  })

  test('of two claimers at once none gets what the other has', async () => {
    const one = bench.queue()
    const other = bench.queue({}, await bench.connect())
    const tasks = someTasks(4000)
    await one.push(tasks)
    const rounds = Array.from({ length: 30 }, (_, n) => (n % 2 ? one : other).claim(150))
    const ids = idsOf((await Promise.all(rounds)).flat())
    expect(ids.toSorted()).toEqual(idsOf(tasks).toSorted())
  })
})

describe('a claim with a name', () => {
  test('brings the same tasks again, leased anew, and not those that are over meanwhile', async () => {
    const queue = bench.queue()
    await queue.push(named('a', 'b', 'c', 'd'))
    const first = await queue.claim(3, 'agent 1', 'x')
    expect(idsOf(first)).toEqual(['a', 'b', 'c'])
    await queue.report({ finish: [{ id: 'b', attempt: 1 }] })
    bench.now += LEASE_MS / 2
    const leaseUntil = bench.now + LEASE_MS
    // However little is asked for now; and what is new comes only where there is room.
    const again = await queue.claim(2, 'agent 1', 'x')
    expect(again).toEqual([first[0], first[2]].map(one => ({ ...one, leaseUntil })))
    bench.now += LEASE_MS / 2
    expect(await queue.expire()).toEqual({ requeued: 0, dead: 0 })
    expect(idsOf(await queue.claim(9, 'agent 1', 'x'))).toEqual(['a', 'c', 'd'])
    expect(idsOf(await queue.claim(9, 'agent 1', 'y'))).toEqual([])
    expect(await queue.counts()).toMatchObject({ todo: 0, doing: 3, finish: 1 })
  })

  test('is the worker’s own: the same name of another one is another claim', async () => {
    const queue = bench.queue()
    await queue.push(named('a', 'b'))
    expect(idsOf(await queue.claim(1, 'agent 1', 'x'))).toEqual(['a'])
    expect(idsOf(await queue.claim(1, 'agent 2', 'x'))).toEqual(['b'])
    expect(idsOf(await queue.claim(1, 'agent 1', 'x'))).toEqual(['a'])
  })

  test('brings nothing that somebody else has claimed since, also under an id used again', async () => {
    const queue = bench.queue()
    await queue.push(named('a', 'b', 'c'))
    await queue.claim(3, 'agent 1', 'x')
    await queue.report({ finish: reports('a'), failed: reports('b') })
    await queue.giveBack(reports('c'))
    await queue.push(named('a'))
    bench.now += 1
    const other = await queue.claim(3, 'agent 2', 'y')
    expect(other.map(({ id, attempt }) => [id, attempt])).toEqual([
      ['c', 2],
      ['b', 2],
      ['a', 1],
    ])
    expect(await queue.claim(3, 'agent 1', 'x')).toEqual([])
    bench.now += LEASE_MS
    await queue.expire()
    expect(await queue.claim(0, 'agent 2', 'y')).toEqual([])
  })

  test('sent twice at once gets one answer, also when it takes several parts and large tasks', async () => {
    const one = bench.queue()
    const other = bench.queue({}, await bench.connect())
    const large = Array.from({ length: 9 }, (_, n) => aTask(`l${n}`, { data: 'x'.repeat(1e6) }))
    await one.push([...someTasks(1300), ...large, ...someTasks(300, 'u')])
    const asks = [one, other, one].map(queue => queue.claim(1500, 'agent 1', 'x'))
    const answered = (await Promise.all(asks)).map(idsOf)
    expect(answered[0]).toHaveLength(1500)
    expect(answered[1]).toEqual(answered[0])
    expect(answered[2]).toEqual(answered[0])
    expect(await one.counts()).toMatchObject({ todo: 109, doing: 1500 })
    expect(idsOf(await other.claim(1, 'agent 1', 'x'))).toEqual(answered[0])
  })

  test('is forgotten after some minutes', async () => {
    const queue = bench.queue()
    await queue.push(named('a'))
    await queue.claim(1, 'agent 1', 'x')
    const [list = ''] = await bench.redis.keys('Task:Pull:*:claim:*')
    expect(list).toBe(pullClaim('far', 'agent 1', 'x'))
    expect(await bench.redis.pttl(list)).toBeGreaterThan(PULL_CLAIM_MS - 60_000)
    expect(await bench.redis.pttl(list)).toBeLessThanOrEqual(PULL_CLAIM_MS)
    await queue.claim(1, 'agent 1')
    expect(await bench.redis.keys('Task:Pull:*:claim:*')).toEqual([list])
  })
})

describe('report', () => {
  test('finishes what was claimed once; unknown, unclaimed and repeated ones are told apart', async () => {
    const queue = bench.queue()
    await queue.push(named('a', 'b'))
    await queue.claim(1)
    const finish = reports('a', 'a', 'b', 'nobody')
    expect((await queue.report({ finish })).finish).toEqual([
      { id: 'a', answer: 'finished' },
      { id: 'a', answer: 'already' },
      { id: 'b', answer: 'stale' },
      { id: 'nobody', answer: 'unknown' },
    ])
    expect(answers((await queue.report({ finish, failed: reports('a') })).finish)).toEqual([
      'already',
      'already',
      'stale',
      'unknown',
    ])
    expect(await queue.counts()).toMatchObject({ todo: 1, doing: 0, finish: 1, finishedTotal: 1 })
  })

  test('a failed one goes to the back until its tries are used up, then it is dead', async () => {
    const queue = bench.queue({ retries: 2 })
    await queue.push(named('a', 'b'))
    await queue.claim(1, 'agent 1')
    expect(answers((await queue.report({ failed: reports('a') })).failed)).toEqual(['requeued'])
    expect(idsOf(await queue.claim(2, 'agent 2'))).toEqual(['b', 'a'])
    const claimedAt = bench.now
    bench.now += 1000
    const failed = [{ id: 'a', attempt: 2, msg: 'no such page' }]
    expect(answers((await queue.report({ failed })).failed)).toEqual(['dead'])
    expect(answers((await queue.report({ failed })).failed)).toEqual(['already'])
    expect(await queue.counts()).toMatchObject({ todo: 0, doing: 1, failed: 1, deadTotal: 1 })
    expect(await deathsIn(queue)).toEqual([
      {
        id: 'a',
        attempt: 2,
        content: '{"task_id":"a"}',
        why: 'failed',
        worker: 'agent 2',
        msg: 'no such page',
        claimedAt,
        diedAt: bench.now,
        leases: 0,
      },
    ])
  })

  test('a late finish counts once: in todo again, claimed by another, dead', async () => {
    const queue = bench.queue({ maxLeases: 1 })
    const patient = bench.queue()
    await queue.push(named('dead'))
    await queue.claim(1)
    bench.now += LEASE_MS
    await queue.expire()
    await queue.push(named('again', 'todo'))
    await patient.claim(2)
    bench.now += LEASE_MS
    await patient.expire()
    expect(idsOf(await patient.claim(1, 'another'))).toEqual(['again'])
    expect(await queue.counts()).toMatchObject({ todo: 1, doing: 1, failed: 1 })
    const late = ['dead', 'again', 'todo'].map(id => ({ id, attempt: 1 }))
    expect(answers((await queue.report({ finish: late })).finish)).toEqual([
      'finished',
      'finished',
      'finished',
    ])
    expect(await queue.counts()).toMatchObject({ todo: 0, doing: 0, failed: 0, finishedTotal: 3 })
    expect(answers((await queue.report({ finish: [{ id: 'again', attempt: 2 }] })).finish)).toEqual(
      ['already'],
    )
  })

  test('a late failure does not end the claim of another', async () => {
    const queue = bench.queue()
    await queue.push(named('a'))
    await queue.claim(1)
    bench.now += LEASE_MS
    await queue.expire()
    const failed = [{ id: 'a', attempt: 1 }]
    expect(answers((await queue.report({ failed })).failed)).toEqual(['already'])
    expect(await queue.claim(1)).toMatchObject([{ id: 'a', attempt: 2 }])
    expect(answers((await queue.report({ failed })).failed)).toEqual(['stale'])
    expect(await queue.counts()).toMatchObject({ todo: 0, doing: 1 })
  })

  test('a report of an earlier life of an id does not end the new one', async () => {
    const queue = bench.queue({ retries: 1 })
    await queue.push(named('a', 'b'))
    await queue.claim(2)
    await queue.report({ finish: reports('a'), failed: reports('b') })
    await queue.push(named('a', 'b'))
    expect(answers((await queue.report({ finish: reports('a', 'b') })).finish)).toEqual([
      'stale',
      'stale',
    ])
    const claimed = await queue.claim(2)
    expect(claimed.map(({ id, attempt }) => [id, attempt])).toEqual([
      ['a', 1],
      ['b', 2],
    ])
    expect(answers((await queue.report({ finish: [{ id: 'b', attempt: 1 }] })).finish)).toEqual([
      'stale',
    ])
  })

  test('of two attempts in one report, the one that is current counts', async () => {
    const queue = bench.queue()
    await queue.push(named('a', 'b'))
    for (const round of [1, 2]) {
      await queue.claim(2)
      if (round === 1) await queue.report({ failed: reports('a', 'b') })
    }
    const both = (id: string) => [1, 2, 2, 1].map(attempt => ({ id, attempt }))
    const told = await queue.report({ finish: both('a'), failed: both('b') })
    expect(answers(told.finish)).toEqual(['finished', 'already', 'already', 'already'])
    expect(answers(told.failed)).toEqual(['stale', 'requeued', 'already', 'already'])
    expect(await queue.counts()).toMatchObject({ todo: 1, doing: 0, finish: 1, finishedTotal: 1 })
  })

  test('only the newest finished ids are kept', async () => {
    const queue = bench.queue({ finishKeep: 100 })
    const tasks = someTasks(1500)
    await queue.push(tasks)
    for (let part = 0; part < 3; part += 1) {
      bench.now += 1
      await queue.report({ finish: idsOf(await queue.claim(500)).map(id => ({ id })) })
    }
    expect(await queue.counts()).toMatchObject({ finish: 100, finishedTotal: 1500 })
    const finish = reports('t0', 't999')
    expect(answers((await queue.report({ finish })).finish)).toEqual(['unknown', 'unknown'])
    const kept = (await queue.report({ finish: reports(...idsOf(tasks.slice(1000))) })).finish
    expect(kept.filter(one => one.answer === 'already')).toHaveLength(100)
  })

  test('none is kept when none is wanted', async () => {
    const queue = bench.queue({ finishKeep: 0 })
    await queue.push(named('a'))
    await queue.claim(1)
    await queue.report({ finish: reports('a') })
    expect(await queue.counts()).toMatchObject({ finish: 0, finishedTotal: 1 })
  })
})

describe('giving back', () => {
  test('puts it in front, and it has not lost a try', async () => {
    const queue = bench.queue({ retries: 2 })
    await queue.push(named('a', 'b', 'c'))
    await queue.claim(2)
    expect(answers(await queue.giveBack(reports('a', 'b', 'c', 'x')))).toEqual([
      'returned',
      'returned',
      'stale',
      'unknown',
    ])
    expect((await queue.claim(3)).map(({ id, attempt }) => [id, attempt])).toEqual([
      ['a', 2],
      ['b', 2],
      ['c', 1],
    ])
    expect(answers(await queue.giveBack([{ id: 'a', attempt: 1 }]))).toEqual(['stale'])
    const fail = async () => answers((await queue.report({ failed: reports('a', 'c') })).failed)
    expect(await fail()).toEqual(['requeued', 'requeued'])
    await queue.claim(3)
    expect(await fail()).toEqual(['dead', 'dead'])
  })
})

describe('leases', () => {
  test('go back to the front when they are over, in their order, and not before', async () => {
    const queue = bench.queue()
    await queue.push(named('a', 'b', 'c'))
    await queue.claim(2)
    bench.now += LEASE_MS - 1
    expect(await queue.expire()).toEqual({ requeued: 0, dead: 0 })
    bench.now += 1
    expect(await queue.expire()).toEqual({ requeued: 2, dead: 0 })
    expect((await queue.claim(3)).map(({ id, attempt }) => [id, attempt])).toEqual([
      ['a', 2],
      ['b', 2],
      ['c', 1],
    ])
  })

  test('go back however often they are over: only reports of failure use up the tries', async () => {
    const queue = bench.queue({ retries: 2 })
    await queue.push(named('a'))
    const outlive = async () => {
      const [claimed] = await queue.claim(1)
      bench.now += LEASE_MS
      expect(await queue.expire()).toEqual({ requeued: 1, dead: 0 })
      return claimed?.attempt
    }
    const attempts = []
    for (let n = 0; n < 10; n += 1) attempts.push(await outlive())
    expect(attempts).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
    const fail = async () => {
      await queue.claim(1)
      return answers((await queue.report({ failed: reports('a') })).failed)
    }
    expect(await fail()).toEqual(['requeued'])
    await outlive()
    expect(await fail()).toEqual(['dead'])
    expect(await queue.counts()).toMatchObject({ todo: 0, doing: 0, failed: 1, deadTotal: 1 })
  })

  test('with max_leases a task whose machines never report is dead, and thousands at once are', async () => {
    const queue = bench.queue({ retries: 9, maxLeases: 2 })
    await queue.push(someTasks(2300))
    await queue.claim(5000, 'gone')
    bench.now += LEASE_MS
    expect(await queue.expire()).toEqual({ requeued: 2300, dead: 0 })
    await queue.claim(5000, 'gone')
    bench.now += LEASE_MS
    expect(await queue.expire()).toEqual({ requeued: 0, dead: 2300 })
    const deaths = await deathsIn(queue)
    expect(idsOf(deaths).toSorted()).toEqual(idsOf(someTasks(2300)).toSorted())
    expect(deaths[0]).toMatchObject({ why: 'lease', worker: 'gone', attempt: 2, leases: 2 })
    // Tried again, or handed in anew, it begins with none.
    expect(await queue.retryDead(['t0'])).toMatchObject({ accepted: 1 })
    await queue.claim(1)
    bench.now += LEASE_MS
    expect(await queue.expire()).toEqual({ requeued: 1, dead: 0 })
    await queue.claim(1)
    await queue.report({ finish: reports('t0') })
    expect(await bench.redis.hget('Task:Pull:{far}:leases', 't0')).toBeNull()
  })

  test('of two nodes that look at once, each task is put back by one', async () => {
    const [one, other] = [bench.queue(), bench.queue({}, await bench.connect())]
    await one.push(someTasks(3000))
    await one.claim(5000)
    bench.now += LEASE_MS
    const found = await Promise.all([one.expire(), other.expire(), one.expire()])
    expect(found.reduce((sum, { requeued }) => sum + requeued, 0)).toBe(3000)
    expect(await one.counts()).toMatchObject({ todo: 3000, doing: 0 })
  })

  test('nothing due is one small command', async () => {
    const queue = bench.queue()
    await queue.push(someTasks(10))
    await queue.claim(5)
    await bench.redis.config('RESETSTAT')
    await queue.expire()
    await queue.handOverDead(() => Promise.reject(new Error('none')))
    const stats = await bench.redis.info('commandstats')
    expect([...stats.matchAll(/cmdstat_(\w+)[^:]*:calls=(\d+)/g)].map(one => one.slice(1))).toEqual(
      expect.arrayContaining([
        ['zrangebyscore', '1'],
        ['xrange', '1'],
      ]),
    )
    expect(stats).not.toContain('eval')
  })
})

describe('the dead', () => {
  const bury = async (...ids: string[]) => {
    const queue = bench.queue({ retries: 1 })
    for (const id of ids) {
      bench.now += 1
      await queue.push([aTask(id, { page: id })])
      await queue.claim(1)
      await queue.report({ failed: reports(id) })
    }
    return queue
  }

  test('are listed, newest first, with their content', async () => {
    const queue = await bury('a', 'b', 'c')
    expect(await queue.dead(2)).toEqual([
      { id: 'c', content: '{"task_id":"c","page":"c"}', diedAt: bench.now },
      { id: 'b', content: '{"task_id":"b","page":"b"}', diedAt: bench.now - 1 },
    ])
    expect(idsOf(await queue.dead(100))).toEqual(['c', 'b', 'a'])
  })

  test('are tried again as they were, with all their tries and attempts that count on', async () => {
    await bury('a', 'b')
    const queue = bench.queue({ retries: 2 })
    expect(await queue.retryDead(['b', 'nobody'])).toMatchObject({ accepted: 1 })
    expect(await queue.retryDead([])).toMatchObject({ accepted: 0, answers: [] })
    expect(await queue.counts()).toMatchObject({ todo: 1, failed: 1 })
    expect(await queue.claim(5)).toMatchObject([
      { id: 'b', attempt: 2, content: '{"task_id":"b","page":"b"}' },
    ])
    expect(answers((await queue.report({ failed: reports('b') })).failed)).toEqual(['requeued'])
    await queue.claim(5)
    expect(answers((await queue.report({ failed: reports('b') })).failed)).toEqual(['dead'])
    expect((await deathsIn(queue)).map(({ id, attempt }) => [id, attempt])).toEqual([
      ['a', 1],
      ['b', 1],
      ['b', 3],
    ])
  })

  test('may be pushed with another content, but not beyond the capacity', async () => {
    await bury('a')
    const full = bench.queue({ capacity: 1 })
    await full.push(named('x'))
    expect(answers((await full.push([aTask('a', { page: 2 })])).answers)).toEqual(['full'])
    expect(idsOf(await full.dead(10))).toEqual(['a'])
    await full.claim(1)
    expect(answers((await full.push([aTask('a', { page: 2 })])).answers)).toEqual(['accepted'])
    expect(await full.claim(1)).toMatchObject([{ content: '{"task_id":"a","page":2}' }])
    expect(await full.dead(10)).toEqual([])
  })

  test('are told of again until that has succeeded', async () => {
    const queue = await bury(...idsOf(someTasks(40)))
    const told: string[] = []
    const telling = queue.handOverDead(async deaths => {
      if (told.length > 0) throw new Error('away')
      told.push(...idsOf(deaths))
    })
    await expect(telling).rejects.toThrow('away')
    const rest = idsOf(await deathsIn(queue))
    expect([...told, ...rest]).toEqual(idsOf(someTasks(40)))
    expect(await deathsIn(queue)).toEqual([])
  })
})

describe('counts', () => {
  test('tell the longest wait, wherever in the queue it is', async () => {
    const queue = bench.queue()
    expect(await queue.counts()).toEqual({
      todo: 0,
      doing: 0,
      finish: 0,
      failed: 0,
      oldestMs: 0,
      finishedTotal: 0,
      deadTotal: 0,
    })
    const oldest = async () => (await queue.counts()).oldestMs
    await queue.push(named('in front'), { promote: true })
    bench.now += 1000
    await queue.push(named('at the back'))
    bench.now += 1000
    await queue.push(named('first of all'), { promote: true })
    expect(await oldest()).toBe(2000)
    await queue.claim(2)
    expect(await oldest()).toBe(1000)
    await queue.claim(1)
    expect(await oldest()).toBe(0)
  })

  test('a clock that goes back keeps the order, and no wait is negative', async () => {
    const queue = bench.queue()
    await queue.push(named('a'))
    bench.now -= 3_600_000
    await queue.push(named('b'))
    await queue.push(named('front'), { promote: true })
    expect((await queue.counts()).oldestMs).toBe(0)
    expect(idsOf(await queue.claim(5))).toEqual(['front', 'a', 'b'])
  })
})

test('queues know nothing of each other', async () => {
  const [one, other] = [bench.queue(), bench.queue({ taskKey: 'near' })]
  await one.push(named('a'))
  await other.push(named('a'))
  await one.claim(1)
  expect((await other.counts()).todo).toBe(1)
  expect(answers((await other.report({ finish: reports('a') })).finish)).toEqual(['stale'])
})
