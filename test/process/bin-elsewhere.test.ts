import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { newDaemon, type TestDaemon } from '../support/daemon.ts'
import { startRedis, type TestServer } from '../support/servers.ts'
import { waitFor } from '../support/wait.ts'

let redis: TestServer
/** It takes tasks in, and has no files. */
let broker: TestDaemon
let left: TestDaemon
let right: TestDaemon
let server: string

beforeAll(async () => {
  redis = await startRedis()
  const common = { redis: redis.url, database: 'sqlite:data.db' }
  broker = newDaemon({ taskd: { ...common, node: 'broker', http: '127.0.0.1:0' } })
  left = newDaemon({ taskd: { ...common, node: 'left', bin_path: 'bin' } })
  right = newDaemon({ taskd: { ...common, node: 'right', bin_path: 'bin' } })
  for (const one of [left, right]) mkdirSync(join(one.dir, 'bin'))
  right.script('bin/here.sh', '#!/bin/sh\necho "$TASKD_ATTEMPT $1"\n')
  await Promise.all([broker.start(), left.start(), right.start()])
  const line = /http listens.*127\.0\.0\.1:(\d+)/
  const listens = await waitFor(() => line.exec(broker.log()), { what: 'it says where it listens' })
  server = `http://127.0.0.1:${listens[1]}`
})
afterAll(async () => {
  await Promise.all([broker.remove(), left.remove(), right.remove()])
  await redis.remove()
})

const ask = async (path: string, body?: string) => {
  const init = body === undefined ? {} : { method: 'POST', body: new URLSearchParams(body) }
  const answer = await fetch(`${server}${path}`, init)
  return { status: answer.status, json: (await answer.json()) as Record<string, unknown> }
}

/** What came of a script, once it is over. */
async function resultOf(form: string) {
  const { status, json } = await ask('/api/task/script', form)
  expect(status).toBe(200)
  const over = async () => {
    const found = (await ask(`/api/task/result/${String(json['uuid'])}`)).json
    return found['is_result_exist'] === true && found
  }
  return waitFor(over, { what: 'it is over', timeoutMs: 150_000 })
}

test('a broker without bin_path takes a task, and the node that has the file runs it, once', async () => {
  const forms = ['async_tasks', 'sync_tasks'].map(
    queue => `bin_name=here.sh&args=${queue}&task_key=${queue}`,
  )
  for (const found of await Promise.all(forms.map(resultOf)))
    expect(found).toMatchObject({
      is_success: true,
      attempts: 1,
      message: expect.stringMatching(/^1 /),
    })
})

test('what no node has fails, and says so for each of them', async () => {
  const found = await resultOf('bin_name=nowhere.sh')
  expect(found).toMatchObject({ state: 'failed', is_success: false })
  const message = String(found['message'])
  expect(message).toContain('no node has nowhere.sh in its bin_path: ')
  expect(message).toMatch(/broker \(bin_path is not set\)|\w+ \(there is no such file\)/)
  for (const name of ['broker', 'left', 'right']) expect(message).toContain(name)
}, 180_000)

test('a name that can be no file is refused at once', async () => {
  expect((await ask('/api/task/script', 'bin_name=../x')).status).toBe(400)
})
