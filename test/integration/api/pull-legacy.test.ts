import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { legacyPullRoutes } from '../../../src/api/routes/pull-legacy.ts'
import { far, type PullMaster, pullMaster } from '../../support/pull-master.ts'
import { type OpenDoor, openDoor } from './open-door.ts'

let master: PullMaster
let door: OpenDoor
beforeAll(async () => {
  master = await pullMaster()
})
beforeEach(async () => {
  master.specs.splice(1, Number.POSITIVE_INFINITY, far())
  const secrets = { push: 'hand-in', pull: 'fetch' }
  door = await openDoor({ secrets, modules: [legacyPullRoutes(master.control)] })
})
afterEach(async () => {
  await door[Symbol.asyncDispose]()
  await master.bench.reset()
})
afterAll(() => master.remove())

const ask = async (method: string, path: string, secret: string, body?: unknown, more = {}) => {
  const headers = { secret, 'content-type': 'application/json', ...more }
  const sent = body === undefined ? {} : { body: JSON.stringify(body) }
  const answer = await door.ask(path, { method, headers, ...sent })
  return { status: answer.status, ...answer.json() } as Record<string, unknown>
}
const push = (path: string, body: unknown) => ask('POST', path, 'hand-in', body)

describe('the paths of before', () => {
  test('one, several and promoted tasks go into the only pull queue', async () => {
    const one = await push('/queue', { task_id: 'a', url: 'x' })
    expect(one).toEqual({
      status: 200,
      code: 0,
      msg: 'accepted',
      timestamp: expect.any(Number),
      data: [{ task_id: 'a', answer: 'accepted' }],
    })
    expect(Math.abs(Number(one['timestamp']) - Date.now() / 1000)).toBeLessThan(5)
    expect(await push('/queue', { task_id: 'a' })).toMatchObject({ code: 0, msg: 'duplicate' })
    expect(await push('/queues', [{ task_id: 'b' }, { task_id: 'c' }])).toMatchObject({ msg: 'ok' })
    await push('/promote', { task_id: 'd' })
    const { tasks } = await ask('GET', '/get_tasks', 'fetch')
    expect(tasks).toEqual([
      { task_id: 'd' },
      { task_id: 'a', url: 'x' },
      { task_id: 'b' },
      { task_id: 'c' },
    ])
  })

  test('count is a header, a query or a field', async () => {
    await push(
      '/queues',
      Array.from({ length: 9 }, (_, n) => ({ task_id: n })),
    )
    const sizes = []
    for (const [method, path, body, more] of [
      ['GET', '/get_tasks', undefined, { count: '1' }],
      ['GET', '/get_tasks?count=2', undefined, {}],
      ['POST', '/get_tasks', { count: 3 }, {}],
      ['GET', '/get_tasks', undefined, {}],
    ] as const)
      sizes.push(((await ask(method, path, 'fetch', body, more))['tasks'] as object[]).length)
    expect(sizes).toEqual([1, 2, 3, 3])
    expect(await ask('GET', '/get_tasks?count=none', 'fetch')).toMatchObject({
      status: 400,
      code: 105,
    })
  })

  test('ids come back in two lists, and are counted once', async () => {
    await push('/queues', [{ task_id: 'a' }, { task_id: 'b' }, { task_id: 'c' }])
    await ask('GET', '/get_tasks', 'fetch')
    const back = { finish: ['a', 'b'], failed: ['c', 'ghost'] }
    expect(await ask('POST', '/back_taskids', 'fetch', back)).toMatchObject({
      status: 200,
      code: 0,
      msg: 'ok',
      finish: 2,
      failed: 1,
      unknown: ['ghost'],
    })
    expect(await ask('POST', '/back_taskids', 'fetch', back)).toMatchObject({
      finish: 0,
      failed: 0,
    })
    expect(await ask('POST', '/back_taskids', 'fetch', { finish: [{}] })).toMatchObject({
      status: 400,
      code: 106,
    })
    const { todo, finish } = await master.control.counts('far')
    expect([todo, finish]).toEqual([1, 2])
  })

  test('a message of the plain list has its id in it too', async () => {
    await master.control.push('far', [{ id: 'x"1', content: '{"n":1}' }], { promote: false })
    await master.control.push('far', [{ id: 'x2', content: ' { } ' }], { promote: false })
    const { tasks } = await ask('GET', '/get_tasks', 'fetch')
    expect(tasks).toEqual([{ task_id: 'x"1', n: 1 }, { task_id: 'x2' }])
  })

  test('of several queues, one is named', async () => {
    master.specs.push(far({ taskKey: 'near' }))
    expect(await push('/queue', { task_id: 'a' })).toMatchObject({
      status: 400,
      code: 102,
      msg: 'there are several pull queues: far, near. say which one with ?queue=NAME',
    })
    expect(await push('/queue?queue=near', { task_id: 'a', queue: 'mine' })).toMatchObject({
      code: 0,
    })
    expect(await ask('GET', '/get_tasks?queue=near', 'fetch')).toMatchObject({
      tasks: [{ task_id: 'a', queue: 'mine' }],
    })
    expect(await ask('POST', '/back_taskids', 'fetch', { queue: 'near', finish: ['a'] })).toEqual(
      expect.objectContaining({ finish: 1 }),
    )
  })

  test('errors have the codes of before and the status of now', async () => {
    master.specs[1] = far({ capacity: 1 })
    await push('/queue', { task_id: 'a' })
    expect(await push('/queue', { task_id: 'b' })).toMatchObject({ status: 429, code: 102 })
    expect(await push('/queues', [{ task_id: 'a' }, { task_id: 'b' }])).toMatchObject({
      status: 429,
      code: 103,
      data: [
        { task_id: 'a', answer: 'duplicate' },
        { task_id: 'b', answer: 'full' },
      ],
    })
    expect(await push('/promote', { url: 'x' })).toMatchObject({ status: 400, code: 104 })
    master.specs.splice(1, 1)
    expect(await ask('GET', '/get_tasks', 'fetch')).toMatchObject({ status: 404, code: 105 })
    expect(await ask('POST', '/back_taskids?queue=no', 'fetch', { finish: ['a'] })).toMatchObject({
      status: 404,
      code: 106,
    })
  })

  test('the secret is asked for, and opens its part', async () => {
    expect((await ask('POST', '/queue', 'wrong', { task_id: 'a' })).status).toBe(401)
    expect((await ask('POST', '/queue', 'fetch', { task_id: 'a' })).status).toBe(403)
    expect((await ask('GET', '/get_tasks', 'hand-in')).status).toBe(403)
  })
})
