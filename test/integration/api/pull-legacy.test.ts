import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { legacyPullRoutes } from '../../../src/api/routes/pull-legacy.ts'
import { far, type PullMaster, pullMaster } from '../../support/pull-master.ts'
import { type OpenDoor, openDoor, whole } from './open-door.ts'

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
      code: '1',
      msg: 'success',
      timestamp: expect.any(Number),
      data: [{ task_id: 'a', answer: 'accepted' }],
    })
    expect(Math.abs(Number(one['timestamp']) - Date.now() / 1000)).toBeLessThan(5)
    expect(await push('/queue', { task_id: 'a' })).toMatchObject({
      status: 200,
      code: '0',
      msg: 'duplicate',
    })
    const more = [{ task_id: 'b' }, { task_id: 'c' }]
    expect(await push('/queues', more)).toMatchObject({ code: '1', msg: 'success' })
    await push('/promote', { task_id: 'd' })
    // What is handed in again, or moved in front, has gone well.
    expect(await push('/queues', more)).toMatchObject({ code: '1', msg: 'success' })
    expect(await push('/promote', { task_id: 'd' })).toMatchObject({ code: '1', msg: 'success' })
    const { tasks, ...rest } = await ask('GET', '/get_tasks', 'fetch')
    expect(rest).toMatchObject({ status: 200, code: '1', msg: 'success' })
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
      code: '0',
      errcode: '105',
    })
    const fetch = async (count: string) =>
      ((await ask('GET', '/get_tasks', 'fetch', undefined, { count }))['tasks'] as object[]).length
    // In the header any number was taken, and anything else meant 500.
    await push('/queues', [{ task_id: 'x' }, { task_id: 'y' }])
    expect([await fetch('0'), await fetch('-1'), await fetch('many')]).toEqual([0, 0, 2])
    await push('/queue', { task_id: 'z' })
    expect(await fetch('1000000')).toBe(1)
  })

  test('ids come back in two lists, and are counted once', async () => {
    await push('/queues', [{ task_id: 'a' }, { task_id: 'b' }, { task_id: 'c' }])
    await ask('GET', '/get_tasks', 'fetch')
    const back = { finish: ['a', 'b'], failed: ['c', 'ghost'] }
    expect(await ask('POST', '/back_taskids', 'fetch', back)).toMatchObject({
      status: 200,
      code: '1',
      msg: 'success',
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
      code: '0',
      errcode: '106',
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
      code: '0',
      errcode: '102',
      msg: 'there are several pull queues: far, near. say which one with ?queue=NAME',
    })
    expect(await push('/queue?queue=near', { task_id: 'a', queue: 'mine' })).toMatchObject({
      code: '1',
    })
    expect(await ask('GET', '/get_tasks?queue=near', 'fetch')).toMatchObject({
      tasks: [{ task_id: 'a', queue: 'mine' }],
    })
    expect(await ask('POST', '/back_taskids', 'fetch', { queue: 'near', finish: ['a'] })).toEqual(
      expect.objectContaining({ finish: 1 }),
    )
  })

  test('errors are told as before, and have the numbers of its list', async () => {
    master.specs[1] = far({ capacity: 1 })
    await push('/queue', { task_id: 'a' })
    expect(await push('/queue', { task_id: 'b' })).toMatchObject({
      status: 200,
      code: '0',
      errcode: '102',
      msg: expect.stringMatching(/^full/),
    })
    expect(await push('/queues', [{ task_id: 'a' }, { task_id: 'b' }])).toMatchObject({
      status: 200,
      code: '0',
      errcode: '103',
      data: [
        { task_id: 'a', answer: 'duplicate' },
        { task_id: 'b', answer: 'full' },
      ],
    })
    expect(await push('/promote', { url: 'x' })).toMatchObject({
      status: 400,
      code: '0',
      errcode: '104',
    })
    master.specs.splice(1, 1)
    expect(await ask('GET', '/get_tasks', 'fetch')).toMatchObject({
      status: 404,
      code: '0',
      errcode: '105',
    })
    expect(await ask('POST', '/back_taskids?queue=no', 'fetch', { finish: ['a'] })).toMatchObject({
      status: 404,
      code: '0',
      errcode: '106',
    })
  })

  test('the secret is asked for, and opens its part', async () => {
    const forbidden = { status: 403, code: '403', timestamp: expect.any(Number) }
    for (const path of ['/queue', '/queues', '/promote', '/get_tasks', '/back_taskids'])
      for (const method of ['GET', 'POST'])
        expect(await ask(method, path, 'wrong', { task_id: 'a' })).toMatchObject(forbidden)
    expect(await ask('POST', '/queue', 'fetch', { task_id: 'a' })).toMatchObject(forbidden)
    expect(await ask('GET', '/get_tasks', 'hand-in')).toMatchObject(forbidden)
  })

  test('GET takes the same JSON as POST', async () => {
    const get = (path: string, body: unknown) => ask('GET', path, 'hand-in', body)
    expect(await get('/queue', { task_id: 'a', n: 1 })).toMatchObject({ code: '1' })
    expect(await get('/queues', [{ task_id: 'b' }])).toMatchObject({ code: '1' })
    expect(await get('/promote', { task_id: 'c' })).toMatchObject({ code: '1' })
    expect(await ask('GET', '/get_tasks', 'fetch', { count: 2 })).toMatchObject({
      tasks: [{ task_id: 'c' }, { task_id: 'a', n: 1 }],
    })
    const back = { finish: ['c'], failed: ['a'] }
    expect(await ask('GET', '/back_taskids', 'fetch', back)).toMatchObject({
      code: '1',
      msg: 'success',
      finish: 1,
      failed: 1,
    })
  })

  test('what a client could not report for days comes in one call', async () => {
    const ids = Array.from({ length: 20_000 }, (_, n) => `t${n}`)
    await push('/queue', { task_id: 't7' })
    await ask('GET', '/get_tasks', 'fetch')
    expect(await ask('GET', '/back_taskids', 'fetch', { finish: ids, failed: [] })).toMatchObject({
      code: '1',
      msg: 'success',
      finish: 1,
    })
  })

  test('a body of GET has its limit too', async () => {
    const socket = await door.raw()
    const answer = whole(socket)
    const head =
      'GET /queue HTTP/1.1\r\nhost: localhost\r\nsecret: hand-in\r\nconnection: close\r\n'
    socket.write(`${head}content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n`)
    const part = ' '.repeat(1 << 20)
    for (let n = 0; n < 17; n += 1) socket.write(`100000\r\n${part}\r\n`)
    expect(await answer).toMatch(/^HTTP\/1.1 413 [^]*"code":"0"/)
  })
})
