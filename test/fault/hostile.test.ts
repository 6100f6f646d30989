import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { StoredFail } from '../../src/api/control.ts'
import { jsonOf, linesOf, startDaemon, type TestDaemon } from '../support/daemon.ts'
import { waitFor } from '../support/wait.ts'

/** Each argument on a line of its own, with everything that a shell would eat made visible. */
const SHOW = `#!/usr/bin/env python3
import json, os, sys
with open(os.environ['HOME_OF_TEST'] + '/shown', 'a') as f:
    f.write(json.dumps([os.environ['TASKD_TASK_ID']] + sys.argv) + '\\n')
`

interface Bad {
  readonly reason: string
  readonly at: string
  readonly message?: string
  readonly message_base64?: string
  readonly message_key?: string
}

describe('what anybody may push', () => {
  let daemon: TestDaemon
  let note: string
  let pid: number
  let workers: readonly number[]
  beforeAll(async () => {
    daemon = await startDaemon()
    note = daemon.script('note.sh', '#!/bin/sh\necho "$TASKD_TASK_ID" >> "$1/done"\n')
    pid = daemon.pid
    workers = (await daemon.status()).workers.map(one => one.pid)
  })
  afterAll(() => daemon.remove())

  const list = 'async_tasks'
  const good = (id: string) =>
    JSON.stringify({ script: note, controller: daemon.dir, unique_task_id: id })
  const runs = (id: string) =>
    waitFor(() => linesOf(join(daemon.dir, 'done')).includes(id), {
      timeoutMs: 30_000,
      what: `the good one behind it, ${id}, runs`,
    })
  const badOnes = async (): Promise<Bad[]> => {
    const entries = await daemon.redis.lrange(`Task:Bad:${list}`, 0, -1)
    return entries.map(entry => JSON.parse(entry) as Bad)
  }
  /** Pushes bad messages and a good one behind them. @returns what was set aside for them */
  const setAside = async (
    id: string,
    messages: readonly (string | Buffer)[],
  ): Promise<readonly Bad[]> => {
    const before = (await badOnes()).length
    for (const message of messages) await daemon.redis.lpush(list, message)
    await daemon.redis.lpush(list, good(id))
    await runs(id)
    await waitFor(async () => (await badOnes()).length === before + messages.length, {
      what: 'each bad one is set aside',
    })
    const status = await daemon.status()
    expect(status.queues.find(one => one.task_key === list)?.bad).toBe(before + messages.length)
    // The newest first.
    return (await badOnes()).slice(0, messages.length).toReversed()
  }

  it('a million random bytes, in one message and in a thousand', async () => {
    const bytes = randomBytes(1_000_000)
    const pieces = Array.from({ length: 1000 }, (_, n) => bytes.subarray(n * 1000, n * 1000 + 1000))
    const bad = await setAside('after-random', [bytes, ...pieces])
    expect(bad.every(one => one.reason !== '')).toBe(true)
    // Nothing of it is lost or changed.
    expect(Buffer.from(bad[0]?.message_base64 ?? '', 'base64').equals(bytes)).toBe(true)
  })

  it('JSON of 100 MB', async () => {
    const huge = Buffer.alloc(100 << 20, 'x')
    huge.write('{"script":"', 0)
    huge.write('"}', huge.length - 2)
    const [bad] = await setAside('after-huge', [huge])
    expect(bad?.reason).toMatch(/^message of 104857600 bytes; at most \d+ are read$/)
    expect(await daemon.redis.llen(bad?.message_key ?? '')).toBe(1)
    await daemon.redis.del(bad?.message_key ?? '')
  })

  it('JSON that is nested a hundred thousand deep', async () => {
    const depth = 100_000
    const bad = await setAside('after-deep', [
      '['.repeat(depth) + ']'.repeat(depth),
      `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`,
      `{"script":${JSON.stringify(note)},"param":${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}}`,
      `{"script":${JSON.stringify(note)},"param":${'['.repeat(depth)}1234567890123456789${']'.repeat(depth)}}`,
      '['.repeat(depth),
    ])
    expect(bad.map(one => one.reason.length > 0)).toEqual(bad.map(() => true))
  })

  it('what is no task, each with its own reason', async () => {
    const bad = await setAside('after-no-task', [
      '',
      ' ',
      'null',
      '[]',
      '42',
      '"script"',
      '{}',
      '{"script":""}',
      '{"script":7}',
      '{"script":"/a","param":"\\u0000"}',
      '{"script":"/a\\u0000b"}',
      '{"script":"/a","priority":99}',
      '{"script":"/a","start_time":"soon"}',
      '{"script":"/a","unique_task_id":{"toString":null}}',
      '{"script":"/a","reply_to":"sync_tasks"}',
      '{"script":"/a","reply_to":"Task:Outbox"}',
      `{"script":"/a","param":${JSON.stringify('y'.repeat(200_000))}}`,
      Buffer.from('{"script":"/caf\xe9"}', 'latin1'),
    ])
    expect(bad.map(one => one.reason)).toEqual([
      expect.stringMatching(/^not JSON: /),
      expect.stringMatching(/^not JSON: /),
      ...Array.from({ length: 4 }, () => 'not a JSON object'),
      ...Array.from({ length: 2 }, () => expect.stringContaining('"script" is missing') as unknown),
      '"script" is not a string',
      expect.stringContaining('NUL'),
      expect.stringContaining('NUL'),
      expect.stringContaining('"priority"'),
      expect.stringContaining('"start_time"'),
      expect.stringContaining('"unique_task_id"'),
      expect.stringContaining('"reply_to"'),
      expect.stringContaining('"reply_to"'),
      expect.stringContaining('"param" is longer'),
      'not UTF-8',
    ])
    expect(bad.every(one => !Number.isNaN(Date.parse(one.at)))).toBe(true)
  })

  it('keys that mean something to JavaScript are keys like any other', async () => {
    const tasks = [
      `{"__proto__":{"script":"/bin/false"},"script":${JSON.stringify(note)},"controller":${JSON.stringify(daemon.dir)},"unique_task_id":"__proto__"}`,
      `{"constructor":{"prototype":{"polluted":1}},"script":${JSON.stringify(note)},"controller":${JSON.stringify(daemon.dir)},"unique_task_id":"constructor"}`,
      `{"script":${JSON.stringify(note)},"controller":${JSON.stringify(daemon.dir)},"param":{"__proto__":{"a":1},"hasOwnProperty":2},"unique_task_id":"hasOwnProperty"}`,
    ]
    for (const task of tasks) await daemon.redis.lpush(list, task)
    for (const id of ['__proto__', 'constructor', 'hasOwnProperty']) await runs(id)
    const [bad] = await setAside('after-proto', ['{"__proto__":{"script":"/bin/true"}}'])
    expect(bad?.reason).toContain('"script" is missing')
  })

  it('no shell ever sees a path or an argument', async () => {
    const odd = `${daemon.dir}/it's "a" $(touch gone) ;\n&& touch gone | dir`
    await mkdir(odd)
    const script = `${odd}/sh ow;$(id).py`.slice(daemon.dir.length + 1)
    daemon.script(script, SHOW.replace("os.environ['HOME_OF_TEST']", JSON.stringify(daemon.dir)))
    const nasty = [
      '; touch gone',
      '$(touch gone)',
      '`touch gone`',
      '| touch gone &',
      '-rf',
      '--help',
      'a\nb',
      '\'"\\',
      '*',
      '~',
      '%n%s',
      '字段1=值',
      '\u202e\u0007',
    ]
    const path = join(daemon.dir, script)
    for (const [n, text] of nasty.entries()) {
      const task = { script: path, controller: text, function: text, param: text }
      await daemon.push(list, { ...task, unique_task_id: `nasty-${n}` })
    }
    const shown = () => linesOf(join(daemon.dir, 'shown')).map(line => JSON.parse(line) as string[])
    await waitFor(() => shown().length === nasty.length, {
      timeoutMs: 20_000,
      what: 'all have run',
    })
    const byId = new Map(shown().map(([id, ...argv]) => [id, argv]))
    for (const [n, text] of nasty.entries())
      expect(byId.get(`nasty-${n}`)).toEqual([path, text, text, text])
    expect(existsSync(join(odd, 'gone'))).toBe(false)
    expect(existsSync(join(daemon.dir, 'gone'))).toBe(false)
  })

  it('ids of every kind run once and are found again', async () => {
    const ids = [
      '0',
      '-5',
      'NaN',
      '1e3',
      '12345678901234567890',
      'a:b',
      '~a',
      '%2e',
      '../../etc',
      'Task:Bad',
      ' lead',
      'é',
      '💥',
      'x'.repeat(255),
    ]
    for (const id of ids)
      for (let twice = 0; twice < 2; twice += 1) await daemon.redis.lpush(list, good(id))
    await daemon.redis.lpush(list, good('after-ids'))
    await runs('after-ids')
    for (const id of ids) await runs(id)
    const done = linesOf(join(daemon.dir, 'done'))
    for (const id of ids) expect([id, done.filter(one => one === id).length]).toEqual([id, 1])
    await daemon.push(list, { script: '/no/such', unique_task_id: 'a:b/../c%' })
    const failed = await waitFor(
      async () => {
        const rows = jsonOf(await daemon.cli('fails', '--json')) as StoredFail[]
        return rows.find(row => row.unique_task_id === 'a:b/../c%')
      },
      { what: 'it is in fail_log' },
    )
    expect(failed).toMatchObject({ kind: 'spawn', script: '/no/such' })
    expect((await daemon.cli('retry', 'a:b/../c%')).code).toBe(0)
  })

  it('a list key of the wrong type holds up nobody, and is used again once it is one', async () => {
    const { redis } = daemon
    await redis.del('sync_tasks')
    await redis.hset('sync_tasks', 'not', 'a list')
    await waitFor(() => daemon.log().includes('cannot take tasks from the list'), {
      timeoutMs: 20_000,
      what: 'the log says so',
    })
    await redis.lpush(list, good('beside'))
    await runs('beside')
    expect((await daemon.cli('status')).code).toBe(0)
    await redis.del('sync_tasks')
    await redis.lpush('sync_tasks', good('again-a-list'))
    await runs('again-a-list')
  })

  it('after all that it is the same daemon with the same workers, and lean', async () => {
    expect(daemon.pid).toBe(pid)
    const status = await daemon.status()
    expect(status.workers.map(one => one.pid)).toEqual(workers)
    expect(status.pid).toBe(pid)
    expect(await daemon.redis.keys('Task:Intake:*')).toEqual([])
    expect(await daemon.stop()).toEqual({ code: 0, signal: null })
    expect(daemon.processes()).toEqual([])
  })
})
