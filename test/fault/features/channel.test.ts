import { execFile } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Spool } from '../../../src/features/channel/spool.ts'
import type { ChannelSpec } from '../../../src/model/channel.ts'
import { bundled } from '../../support/bundled.mjs'
import { channelSpec, channelsOf, ordersTable } from '../../support/channels.ts'
import { ENGINE_NAMES, ENGINES, type Engine } from '../../support/engines.ts'
import { tempDir } from '../../support/servers.ts'
import { smallDisk } from '../../support/small-disk.ts'
import { waitFor } from '../../support/wait.ts'

const CHILD = await bundled(`import '${import.meta.dirname}/replay-and-die.mjs'`)
const rows = (from: number, count: number) =>
  Array.from({ length: count }, (_, n) => ({ id: from + n, note: `n${from + n}` }))
const numbers = (count: number) => Array.from({ length: count }, (_, n) => n)

function replayAndDie(
  spec: ChannelSpec,
  dir: string,
  moment: 'statement' | 'stored',
  n: number,
): Promise<'done' | 'killed'> {
  return new Promise((resolve, reject) => {
    const args = [CHILD, JSON.stringify(spec), dir, moment, String(n)]
    execFile(process.execPath, args, (error, stdout, stderr) => {
      if (error?.signal === 'SIGKILL') resolve('killed')
      else if (error) reject(new Error(stderr, { cause: error }))
      else if (stdout === 'done\n') resolve('done')
      else reject(new Error(`unexpected: ${stdout}`))
    })
  })
}

describe.each(ENGINE_NAMES)('channels in %s', name => {
  let engine: Engine
  beforeAll(async () => {
    engine = await ENGINES[name]()
  })
  afterAll(() => engine.remove())

  it.each(['statement', 'stored'] as const)(
    'stores each batch once, whatever statement or commit it is killed at (%s)',
    async moment => {
      await using folder = tempDir()
      const spec = channelSpec(engine.freshUrl())
      const table = await ordersTable(spec.database)
      const dir = join(folder.path, 'spool')
      const spool = await Spool.open({ dir, maxBytes: 1 << 30 })
      for (const n of numbers(3))
        await spool.append(JSON.stringify({ id: `taskd:${n}`, at: '', rows: rows(n * 700, 700) }))
      await spool.close()
      let killed = 0
      for (let n = 1; ; n += 1) {
        if ((await replayAndDie(spec, dir, moment, n)) === 'done') break
        killed += 1
        expect(killed).toBeLessThan(40)
      }
      expect(killed).toBeGreaterThanOrEqual(2)
      expect(await table.ids()).toEqual(numbers(2100))
      expect(readdirSync(dir)).toEqual(['position'])
      await table.close()
    },
  )
})

describe.each(['mariadb', 'postgres'] as const)('channels while %s goes and comes', name => {
  let engine: Engine
  beforeAll(async () => {
    engine = await ENGINES[name]()
  })
  afterAll(() => engine.remove())

  it('loses and doubles nothing when the server is killed again and again in the middle', async () => {
    await using folder = tempDir()
    const spec = channelSpec(engine.freshUrl())
    const table = await ordersTable(spec.database)
    const { server } = engine
    if (!server) throw new Error('no server')
    const { channels, log } = channelsOf([spec], folder.path)
    await channels.start()
    let next = 0
    const seen = { sending: true, inserted: 0, spooled: 0 }
    const sender = async () => {
      while (seen.sending) {
        const from = next
        next += 200
        const answer = await channels.insert('orders', { rows: rows(from, 200) })
        if ('inserted' in answer) seen.inserted += answer.inserted
        else seen.spooled += answer.spooled
      }
    }
    const backlog = async () => (await channels.statuses())[0]?.backlog ?? -1
    for (let round = 0; round < 3; round += 1) {
      const before = seen.inserted
      seen.sending = true
      const senders = [sender(), sender(), sender()]
      await waitFor(() => seen.inserted > before + 400, { what: 'rows go in', timeoutMs: 30_000 })
      await server.kill()
      await waitFor(async () => (await backlog()) > 3, { what: 'batches wait on disk' })
      await server.restart()
      seen.sending = false
      await Promise.all(senders)
      await waitFor(async () => (await backlog()) === 0, { what: 'all is in', timeoutMs: 60_000 })
    }
    expect(seen.spooled).toBeGreaterThan(0)
    expect((await table.ids()).toSorted((a, b) => a - b)).toEqual(numbers(next))
    await table.close()
    expect((await channels.statuses())[0]).toMatchObject({ ok: true, error: '', bad: 0 })
    expect(log.has('a channel fills its table again')).toBe(true)
    await channels.stop()
  })

  it('answers from the disk within seconds while the server hangs, and stores all of it later', async () => {
    await using folder = tempDir()
    const spec = channelSpec(engine.freshUrl())
    const table = await ordersTable(spec.database)
    const { channels } = channelsOf([spec], folder.path)
    await channels.start()
    expect(await channels.insert('orders', { rows: rows(0, 10) })).toEqual({ inserted: 10 })
    engine.server?.freeze()
    try {
      const first = channels.insert('orders', { rows: rows(10, 10) })
      expect(await first).toEqual({ spooled: 10 })
      const begin = performance.now()
      expect(await channels.insert('orders', { rows: rows(20, 10) })).toEqual({ spooled: 10 })
      expect(performance.now() - begin).toBeLessThan(1000)
    } finally {
      engine.server?.thaw()
    }
    await waitFor(async () => (await channels.statuses())[0]?.backlog === 0, {
      what: 'all is in',
      timeoutMs: 60_000,
    })
    expect(await table.ids()).toEqual(numbers(30))
    await channels.stop()
    await table.close()
  })
})

it('says that the disk is full and keeps nothing of that batch, and all that it has promised', async () => {
  await using disk = smallDisk('2m')
  await using folder = tempDir()
  // Its folder cannot be made, because a file is there: a database that is away.
  const blocker = join(folder.path, 'db')
  closeSync(openSync(blocker, 'w'))
  const spec = channelSpec(`sqlite:${blocker}/x.db`)
  const { channels } = channelsOf([spec], disk.path)
  await channels.start()
  const kept: number[] = []
  const big = (id: number) => ({ rows: [{ id, note: 'x'.repeat(100_000) }] })
  const refusals = new Set<string>()
  for (let id = 0; id < 40; id += 1)
    await channels.insert('orders', big(id)).then(
      () => kept.push(id),
      (error: unknown) => refusals.add(String(error)),
    )
  expect(kept.length).toBeGreaterThan(10)
  expect(kept.length).toBeLessThan(25)
  expect([...refusals].join()).toContain('no space left on device')
  const ballast = disk.fill()
  const tiny = channels.insert('orders', { rows: rows(500, 1) })
  await expect(tiny).rejects.toMatchObject({ code: 'E_DATABASE_AWAY' })
  // The next life finds what was promised, on the disk that is still full.
  await channels.stop()
  rmSync(blocker)
  mkdirSync(blocker)
  const table = await ordersTable(spec.database)
  const next = channelsOf([spec], disk.path)
  await next.channels.start()
  const status = async () => (await next.channels.statuses())[0]
  await waitFor(async () => (await status())?.backlog === 0, {
    what: 'all is in',
    timeoutMs: 30_000,
  })
  expect(await table.ids()).toEqual(kept)
  rmSync(ballast)
  expect(await next.channels.insert('orders', { rows: rows(900, 2) })).toEqual({ inserted: 2 })
  await next.channels.stop()
  await table.close()
})

it('keeps no plain text of a secret field on the disk', async () => {
  await using folder = tempDir()
  const blocker = join(folder.path, 'db')
  closeSync(openSync(blocker, 'w'))
  const keys = [{ id: 'v1', key: Buffer.alloc(32, 1).toString('base64') }]
  const spec = channelSpec(`sqlite:${blocker}/x.db`, { encrypt: ['note'], keys })
  const { channels } = channelsOf([spec], folder.path)
  await channels.start()
  const secret = 'the-secret-that-nobody-reads'
  expect(await channels.insert('orders', { rows: [{ id: 1, note: secret }] })).toEqual({
    spooled: 1,
  })
  const dir = join(folder.path, 'spool', 'orders')
  const all = readdirSync(dir).map(file => readFileSync(join(dir, file), 'utf8'))
  expect(all.join()).toContain('"id":1')
  expect(all.join()).not.toContain(secret)
  await channels.stop()
})
