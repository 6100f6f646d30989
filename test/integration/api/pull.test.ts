import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { pullRoutes } from '../../../src/api/routes/pull.ts'
import { far, type PullMaster, pullMaster } from '../../support/pull-master.ts'
import { type Answered, codeOf, type OpenDoor, openDoor } from './open-door.ts'

const curl = promisify(execFile)

let master: PullMaster
let door: OpenDoor
beforeAll(async () => {
  master = await pullMaster()
})
beforeEach(async () => {
  master.specs.splice(1, Number.POSITIVE_INFINITY, far())
  door = await openDoor({ modules: [pullRoutes(master.control)] })
})
afterEach(async () => {
  await door[Symbol.asyncDispose]()
  await master.bench.reset()
})
afterAll(() => master.remove())

const JSON_TYPE = { 'content-type': 'application/json' }
const post = (path: string, body: unknown, headers = JSON_TYPE) =>
  door.ask(`/api/queue/far/${path}`, {
    method: 'POST',
    headers,
    body: typeof body === 'string' ? body : JSON.stringify(body),
  })
const wordsOf = (answer: Answered, list = 'answers') =>
  (answer.json()[list] as { task_id: string; answer: string }[]).map(
    one => `${one.task_id} ${one.answer}`,
  )
const counts = async () => (await door.ask('/api/queue/far/counts')).json()
const claim = async (count = 500) =>
  (await post('claim', { count })).json() as {
    tasks: { task_id: string; attempt: number; lease_until: string; content: object }[]
    lease_s: number
  }

/** How many a claim gets; a queue that was paused is known to be open for a second yet. */
const heldBack = async () => {
  const { tasks } = await claim()
  await post('report', { returned: tasks.map(task => task.task_id) })
  return tasks.length
}

describe('handing tasks in', () => {
  test('one, a list, or a list by name; each is answered for, a second time as a duplicate', async () => {
    expect((await post('tasks', { task_id: 'a', url: 'x' })).json()).toEqual({
      accepted: 1,
      room: 499_999,
      answers: [{ task_id: 'a', answer: 'accepted', promoted: false }],
    })
    expect(wordsOf(await post('tasks', [{ task_id: 'a' }, { task_id: 7 }]))).toEqual([
      'a duplicate',
      '7 accepted',
    ])
    expect(wordsOf(await post('tasks', { tasks: [{ task_id: 'b' }] }))).toEqual(['b accepted'])
    expect(await counts()).toMatchObject({ todo: 3, doing: 0, finish: 0, failed: 0 })
  })

  test('content comes back byte for byte: long numbers, keys that come twice, white space', async () => {
    const content = '{"task_id": 12345678901234567890, "n":1e400 ,"a":1,"a":2, "promote":"no"}'
    expect(wordsOf(await post('tasks', `[ ${content} ]`))).toEqual([
      '12345678901234567890 accepted',
    ])
    const { text } = await post('claim', {})
    expect(text).toContain(`"content":${content}}`)
  })

  test('a form and a query are one task too', async () => {
    const form = { 'content-type': 'application/x-www-form-urlencoded' }
    expect(wordsOf(await post('tasks', 'task_id=f&url=http%3A%2F%2Fx', form))).toEqual([
      'f accepted',
    ])
    expect(wordsOf(await post('tasks?task_id=q&n=1', '', form))).toEqual(['q accepted'])
    const { tasks } = await claim()
    expect(tasks.map(task => task.content)).toEqual([
      { task_id: 'f', url: 'http://x' },
      { task_id: 'q', n: '1' },
    ])
  })

  test('in front when promoted, also what waits already', async () => {
    await post('tasks', [{ task_id: 'a' }, { task_id: 'b' }, { task_id: 'c' }])
    const promoted = await post('tasks?promote=1', [{ task_id: 'c' }, { task_id: 'd' }])
    expect(promoted.json()['answers']).toEqual([
      { task_id: 'c', answer: 'duplicate', promoted: true },
      { task_id: 'd', answer: 'accepted', promoted: false },
    ])
    await post('tasks', { task_id: 'e', promote: 1 })
    await post('tasks', { tasks: [{ task_id: 'f' }], promote: true })
    const { tasks } = await claim()
    expect(tasks.map(task => task.task_id)).toEqual(['f', 'c', 'd', 'a', 'b', 'e'])
  })

  test('at capacity: 429, which have fit, and room for none', async () => {
    master.specs[1] = far({ capacity: 2 })
    const answer = await post('tasks', [{ task_id: 'a' }, { task_id: 'b' }, { task_id: 'c' }])
    expect(answer.status).toBe(429)
    expect(wordsOf(answer)).toEqual(['a accepted', 'b accepted', 'c full'])
    expect(answer.json()).toMatchObject({ accepted: 2, room: 0, error: { code: 'E_FULL' } })
    expect((await post('tasks', { task_id: 'a' })).status).toBe(200)
    const refused = await post('tasks', { task_id: 'd' })
    expect([refused.status, refused.json()['accepted']]).toEqual([429, 0])
  })

  test('5,000 at once', async () => {
    const tasks = Array.from({ length: 5000 }, (_, n) => ({ task_id: `t${n}`, page: n }))
    const answer = await post('tasks', tasks)
    expect(answer.json()['accepted']).toBe(5000)
    expect((await claim(5000)).tasks.map(task => task.task_id)).toEqual(
      tasks.map(one => one.task_id),
    )
  })

  test.each([
    ['not JSON', '{"task_id":'],
    ['no object', '"x"'],
    ['no id', '{"url":"x"}'],
    ['an empty list', '[]'],
    ['a list with a wrong one', '[{"task_id":"a"},5]'],
    ['too many', JSON.stringify(Array.from({ length: 5001 }, (_, n) => ({ task_id: n })))],
    ['an odd promote', '{"tasks":[{"task_id":"a"}],"promote":"perhaps"}'],
  ])('%s: 400, and nothing is taken', async (_what, body) => {
    const answer = await post('tasks', body)
    expect([answer.status, String(codeOf(answer))]).toEqual([
      400,
      expect.stringMatching(/^E_BAD_(TASK|REQUEST)$/),
    ])
    expect(await counts()).toMatchObject({ todo: 0 })
  })
})

describe('claiming and reporting', () => {
  test('an attempt and a lease for each; finished, failed and returned ones are counted once', async () => {
    await post(
      'tasks',
      ['a', 'b', 'c', 'd'].map(task_id => ({ task_id })),
    )
    const { tasks, lease_s } = await claim(4)
    expect(lease_s).toBe(60)
    expect(tasks[0]).toEqual({
      task_id: 'a',
      attempt: 1,
      lease_until: expect.stringMatching(/^2026-11-2.T.*[+-]\d\d:\d\d$/),
      content: { task_id: 'a' },
    })
    expect(Date.parse(tasks[0]?.lease_until ?? '')).toBe(master.bench.now + 60_000)
    expect((await claim()).tasks).toEqual([])
    const reports = {
      finish: ['a', { task_id: 'b', attempt: 1 }, 'ghost'],
      failed: [{ task_id: 'c', attempt: 1, msg: 'no such page' }],
      returned: ['d'],
    }
    expect((await post('report', reports)).json()).toEqual({
      counted: 4,
      unknown: ['ghost'],
      finish: [
        { task_id: 'a', answer: 'finished' },
        { task_id: 'b', answer: 'finished' },
        { task_id: 'ghost', answer: 'unknown' },
      ],
      failed: [{ task_id: 'c', answer: 'requeued' }],
      returned: [{ task_id: 'd', answer: 'returned' }],
    })
    expect((await post('report', reports)).json()).toMatchObject({ counted: 0 })
    expect(await counts()).toMatchObject({ todo: 2, doing: 0, finish: 2, finished_total: 2 })
    expect((await claim()).tasks.map(task => [task.task_id, task.attempt])).toEqual([
      ['d', 2],
      ['c', 2],
    ])
  })

  test('a claim with a name may be repeated, also while the queue is paused', async () => {
    await post('tasks', [{ task_id: 'a' }, { task_id: 'b' }, { task_id: 'c' }])
    const named = async (claim_id: string) => {
      const asked = { count: 2, worker: 'agent-1', claim_id }
      const { tasks } = (await post('claim', asked)).json() as Awaited<ReturnType<typeof claim>>
      return tasks.map(task => `${task.task_id} ${task.attempt}`)
    }
    expect(await named('x')).toEqual(['a 1', 'b 1'])
    expect(await named('x')).toEqual(['a 1', 'b 1'])
    await master.queues.pause('far')
    await expect.poll(heldBack, { timeout: 3000 }).toBe(0)
    expect(await named('x')).toEqual(['a 1', 'b 1'])
    expect(await named('y')).toEqual([])
    expect(await counts()).toMatchObject({ todo: 1, doing: 2 })
    await master.queues.resume('far')
    await expect.poll(heldBack, { timeout: 3000 }).toBe(1)
  })

  test('ids may be numbers, and lists may come as forms', async () => {
    await post('tasks', [{ task_id: 1 }, { task_id: 2 }, { task_id: 3 }])
    await claim()
    const form = { 'content-type': 'application/x-www-form-urlencoded' }
    expect(wordsOf(await post('report', { finish: [1] }), 'finish')).toEqual(['1 finished'])
    expect(wordsOf(await post('report', 'finish=2', form), 'finish')).toEqual(['2 finished'])
    expect(wordsOf(await post('report', 'failed[]=3', form), 'failed')).toEqual(['3 requeued'])
  })

  test.each([
    ['claim', { count: 0 }],
    ['claim', { count: 5001 }],
    ['claim', { worker: 'with blanks' }],
    ['claim', { claim_id: 'with blanks' }],
    ['claim', { claim_id: '' }],
    ['report', '{"finish":[12345678901234567890]}'],
    ['report', { finish: [''] }],
    ['report', { failed: [{ attempt: 1 }] }],
    ['report', { finish: 'a\nb' }],
    ['report', { finished: ['a'] }],
  ])('%s with %j: 400', async (path, body) => {
    const answer = await post(path, body)
    expect([answer.status, codeOf(answer)]).toEqual([400, 'E_BAD_REQUEST'])
  })

  test('a dead one is told of by whom, and what was said of it', async () => {
    master.specs[1] = far({ retries: 1 })
    await master.keeper.start()
    await post('tasks', { task_id: 'a', script: '/x.sh', param: { q: 1 } })
    await post('claim', { worker: 'crawler-7' })
    const failed = [{ task_id: 'a', attempt: 1, msg: 'no such page' }]
    expect(wordsOf(await post('report', { failed }), 'failed')).toEqual(['a dead'])
    const row = await master.bench.redis.hgetall('Task:Fail:crawler-7:a')
    await expect.poll(() => master.recorded).toBe(1)
    expect(await master.bench.redis.hgetall('Task:Fail:crawler-7:a')).toMatchObject({
      ...row,
      task_key: 'far',
      script: '/x.sh',
      param: 'q=1',
      kind: 'fail',
      msg: 'no such page',
      attempt: '1',
      node: 'crawler-7',
    })
    expect(await master.bench.redis.xlen('Task:Outbox')).toBe(1)
    await master.keeper.stop()
  })

  test('a lease that is over brings the task back, and max_leases buries it', async () => {
    master.specs[1] = far({ retries: 1, maxLeases: 2, leaseMs: 1000 })
    await post('tasks', { task_id: 'a', any: 'thing' })
    for (const attempt of [1, 2]) {
      const { tasks } = await claim()
      expect(tasks.map(task => task.attempt)).toEqual([attempt])
      master.bench.now += 1001
      await master.keeper.start()
      const over = attempt === 1 ? { todo: 1, failed: 0 } : { todo: 0, failed: 1 }
      await expect.poll(counts).toMatchObject({ ...over, doing: 0 })
      await master.keeper.stop()
    }
    const [key = ''] = await master.bench.redis.keys('Task:Fail:*:a')
    expect(await master.bench.redis.hgetall(key)).toMatchObject({
      kind: 'lost',
      msg: 'claimed 2 times, and not reported before the lease was over (max_leases = 2)',
      script: '',
      param: '{"task_id":"a","any":"thing"}',
    })
  })

  test('a paused queue has nothing to claim', async () => {
    await post('tasks', { task_id: 'a' })
    await master.queues.pause('far')
    await expect.poll(heldBack, { timeout: 3000 }).toBe(0)
    expect(await counts()).toMatchObject({ todo: 1, paused: true })
    await master.queues.resume('far')
    await expect.poll(async () => (await claim()).tasks.length, { timeout: 3000 }).toBe(1)
  })
})

describe('a queue that is none', () => {
  test.each([
    ['sync_tasks', 'queue sync_tasks is no pull queue: its tasks are run by workers (mode = sync)'],
    ['farr', 'no pull queue named farr. did you mean far?'],
    ['other', 'no pull queue named other. there are: far'],
  ])('%s: 404, and what to do', async (name, message) => {
    for (const [method, path, body] of [
      ['POST', 'tasks', '{"task_id":"a"}'],
      ['POST', 'claim', '{}'],
      ['POST', 'report', '{"finish":["a"]}'],
      ['GET', 'counts', undefined],
    ] as const) {
      const headers = JSON_TYPE
      const asked = { method, headers, ...(body !== undefined && { body }) }
      const answer = await door.ask(`/api/queue/${name}/${path}`, asked)
      expect([answer.status, codeOf(answer)]).toEqual([404, 'E_NO_QUEUE'])
      expect((answer.json()['error'] as { message: string }).message).toContain(message)
    }
  })
})

test('each route opens for its scope alone', async () => {
  const secrets = { all: 'all', read: 'read', push: 'push', pull: 'pull' }
  await using closed = await openDoor({ secrets, modules: [pullRoutes(master.control)] })
  const opened = async (secret: string) => {
    const found: string[] = []
    for (const [method, path, body] of [
      ['POST', 'tasks', '{"task_id":"a"}'],
      ['POST', 'claim', '{}'],
      ['POST', 'report', '{"finish":["a"]}'],
      ['GET', 'counts', ''],
    ] as const) {
      const headers = { ...JSON_TYPE, secret }
      const { status } = await closed.ask(`/api/queue/far/${path}`, { method, headers, body })
      if (status === 200) found.push(path)
    }
    return found.join(' ')
  }
  expect(await opened('push')).toBe('tasks')
  expect(await opened('pull')).toBe('claim report')
  expect(await opened('read')).toBe('counts')
  expect(await opened('all')).toBe('tasks claim report counts')
  expect(await opened('none')).toBe('')
})

test('curl as a person types it', async () => {
  const base = `http://127.0.0.1:${door.port}/api/queue/far`
  const run = async (...args: string[]) => JSON.parse((await curl('curl', ['-s', ...args])).stdout)
  expect(await run(`${base}/tasks`, '-d', '[{"task_id":"a"},{"task_id":"b"}]')).toMatchObject({
    accepted: 2,
  })
  expect((await run('-X', 'POST', `${base}/claim?count=1`)).tasks).toHaveLength(1)
  expect(await run(`${base}/report`, '-d', '{"finish":["a"]}')).toMatchObject({ counted: 1 })
})

test('Redis away: 503 within a second or so, also in the middle of a claim', async () => {
  await post('tasks', { task_id: 'a' })
  master.bench.server.freeze()
  try {
    const began = performance.now()
    const answers = await Promise.all([
      post('claim', {}),
      post('tasks', { task_id: 'b' }),
      post('report', { finish: ['a'] }),
      door.ask('/api/queue/far/counts'),
    ])
    expect(answers.map(answer => `${answer.status} ${String(codeOf(answer))}`)).toEqual(
      answers.map(() => '503 E_REDIS_AWAY'),
    )
    expect(performance.now() - began).toBeLessThan(2500)
  } finally {
    master.bench.server.thaw()
  }
  await expect.poll(() => master.bench.redis.ping().catch(() => '')).toBe('PONG')
})

test('the documentation has the routes and what they take', async () => {
  const { paths } = (await door.ask('/openapi.json')).json() as { paths: Record<string, object> }
  expect(Object.keys(paths).filter(path => path.startsWith('/api/queue'))).toEqual([
    '/api/queue/{task_key}/tasks',
    '/api/queue/{task_key}/claim',
    '/api/queue/{task_key}/report',
    '/api/queue/{task_key}/counts',
  ])
  expect(JSON.stringify(paths['/api/queue/{task_key}/report'])).toContain('"attempt"')
})
