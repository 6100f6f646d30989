import { join } from 'node:path'
import { expect, it } from 'vitest'
import { requestUnix } from '../../src/api/unix-request.ts'
import { startDaemon } from '../support/daemon.ts'

it('the control socket serves the public API too, without http and without a secret', async () => {
  await using daemon = await startDaemon({ ini: '[queue:far]\nmode = pull\n' })
  const socket = join(daemon.dataDir, 'taskd.sock')
  const ask = async (method: 'GET' | 'POST', path: string, body?: object) => {
    const { status, text } = await requestUnix({ socket, method, path, body })
    return [status, JSON.parse(text) as unknown]
  }
  const pushed = await ask('POST', '/api/queue/far/tasks', { task_id: 'a', page: 1 })
  expect(pushed[0]).toBe(200)
  const claimed = await ask('POST', '/api/queue/far/claim', { count: 5 })
  expect(JSON.stringify(claimed)).toContain('"task_id":"a"')
  expect(await ask('GET', '/api/task/count/undo')).toEqual([200, { count: 0 }])
  expect((await ask('GET', '/api/queue/nowhere/counts'))[0]).toBe(404)
  expect((await ask('GET', '/api/status'))[0]).toBe(200)
  expect((await ask('GET', '/api/queue'))[0]).toBe(404)
})
