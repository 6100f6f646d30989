import { once } from 'node:events'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { newAgent } from '../support/agent.ts'
import { pair } from '../support/agent-pair.ts'
import { linesOf } from '../support/daemon.ts'
import { waitFor } from '../support/wait.ts'

const ids = (count: number) => Array.from({ length: count }, (_, n) => `t${n}`)

/** Between an agent and its master: hands on all requests, and loses answers that it is told to. */
async function lossy(port: number, loses: (path: string, answer: string) => boolean) {
  const server = createServer((asked, answer) => {
    const { method, headers, url: path = '' } = asked
    const sent = request({ port, host: '127.0.0.1', method, headers, path }, got => {
      let text = ''
      got.setEncoding('utf8')
      got.on('data', (part: string) => {
        text += part
      })
      got.on('end', () => {
        if (loses(path, text)) asked.socket.destroy()
        else answer.writeHead(got.statusCode ?? 500, got.headers).end(text)
      })
    })
    sent.on('error', () => asked.socket.destroy())
    asked.pipe(sent)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.dispose]() {
      server.close()
      server.closeAllConnections()
    },
  }
}

test('answers to claims that are lost on the way come again: nothing waits for its lease', async () => {
  await using both = await pair(['lease = 1d'], 'true', { options: ['--concurrency', '4'] })
  let lost = 0
  using between = await lossy(both.port, (path, answer) => {
    const loses = path.endsWith('/claim') && answer.includes('"attempt"') && lost < 3
    if (loses) lost += 1
    return loses
  })
  await both.push(...ids(30))
  void both.agent.start({ master: between.address })
  await both.reach({ todo: 0, doing: 0, finish: 30, finished_total: 30 })
  expect(lost).toBe(3)
  expect(both.ran().toSorted()).toEqual(ids(30).toSorted())
})

test('a task begins only when its claim is on disk', async () => {
  await using both = await pair(
    [],
    'grep -c "\\"$TASKD_TASK_ID\\",1\\]" "$3/agent.journal" >>"$3/known"',
    {
      options: ['--concurrency', '4'],
    },
  )
  const { daemon, agent, reach } = both
  const script = join(daemon.dir, 'work')
  const tasks = ids(40).map(task_id => ({ task_id, script, param: agent.data }))
  await daemon.push('far', ...tasks)
  void agent.start()
  await reach({ todo: 0, doing: 0, finish: 40 })
  expect(
    linesOf(join(agent.data, 'known'))
      .map(Number)
      .filter(found => found === 0),
  ).toEqual([])
  expect(linesOf(join(agent.data, 'known'))).toHaveLength(40)
})

test('of 20,000 tasks for the few that were asked for, those few are run and reported', async () => {
  const asked: number[] = []
  const reported: unknown[] = []
  const server = createServer((request, answer) => {
    let text = ''
    request.on('data', (part: Buffer) => {
      text += part.toString()
    })
    request.on('end', () => {
      const body = JSON.parse(text) as { count?: number; finish?: unknown[] }
      if (body.count !== undefined) asked.push(body.count)
      reported.push(...(body.finish ?? []))
      const content = { script: '/bin/true' }
      const tasks = ids(asked.length === 1 ? 20_000 : 0).map(task_id => ({
        task_id,
        attempt: 1,
        content: { ...content, task_id },
      }))
      answer.end(JSON.stringify({ tasks, lease_s: 3600, counted: 1, unknown: [] }))
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const master = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  await using agent = newAgent({ master, options: ['--concurrency', '2'] })
  void agent.start()
  await agent.says('the master hands out more than was asked for')
  await waitFor(() => asked.length > 1 && reported.length >= (asked[0] ?? 0), {
    what: 'all is told',
  })
  expect(asked[0]).toBeLessThan(1000)
  expect(reported).toHaveLength(asked[0] ?? 0)
  server.close()
  server.closeAllConnections()
})
