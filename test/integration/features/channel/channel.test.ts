import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Channels } from '../../../../src/features/channel/channels.ts'
import type { ChannelStatus } from '../../../../src/features/channel/status.ts'
import { channelSpec, channelsOf, ordersTable } from '../../../support/channels.ts'
import { type TempDir, tempDir } from '../../../support/temp-dir.ts'
import { waitFor } from '../../../support/wait.ts'

let folder: TempDir
let place: string
let url: string
beforeEach(() => {
  folder = tempDir('taskd-channel-')
  place = join(folder.path, 'db')
  url = `sqlite:${place}/orders.db`
})
afterEach(() => folder.remove())

/** A file where its folder should be: the database is away. */
const takeAway = () => writeFileSync(place, '')
async function bringBack() {
  unlinkSync(place)
  mkdirSync(place)
  return ordersTable(url)
}

const rows = (...ids: number[]) => ({ rows: ids.map(id => ({ id })) })
const dir = (name = 'orders') => join(folder.path, 'spool', name)
const badFiles = () => readdirSync(dir()).filter(name => name.endsWith('.bad'))
const statusOf = async (channels: Channels) =>
  (await channels.statuses()).find(one => one.name === 'orders') as ChannelStatus
const emptied = (channels: Channels) =>
  waitFor(async () => (await statusOf(channels)).backlog === 0, { what: 'nothing waits any more' })

test('what comes while the database is away waits in order, is seen to, and goes in when it is back', async () => {
  takeAway()
  const { channels } = channelsOf([channelSpec(url)], folder.path)
  await channels.start()
  for (let id = 0; id < 50; id += 1)
    expect(await channels.insert('orders', rows(id))).toEqual({ spooled: 1 })
  const waiting = await statusOf(channels)
  expect(waiting).toMatchObject({ ok: false, backlog: 50, bad: 0, inserted: 0, table: 'orders' })
  expect(waiting.error).toContain('cannot open the database')
  expect(waiting.backlog_bytes).toBeGreaterThan(50 * 20)
  const table = await bringBack()
  await emptied(channels)
  expect(await table.ids()).toEqual(Array.from({ length: 50 }, (_, id) => id))
  expect(await statusOf(channels)).toMatchObject({
    ok: true,
    error: '',
    inserted: 50,
    backlog_bytes: 0,
  })
  expect(await channels.insert('orders', rows(50))).toEqual({ inserted: 1 })
  await channels.stop()
  await table.close()
})

test('what waits outlives the daemon, and nothing overtakes it', async () => {
  takeAway()
  const first = channelsOf([channelSpec(url)], folder.path).channels
  await first.start()
  await first.insert('orders', rows(1))
  await first.insert('orders', rows(2))
  await first.stop()
  const { channels } = channelsOf([channelSpec(url)], folder.path)
  await channels.start()
  expect(await statusOf(channels)).toMatchObject({ backlog: 2 })
  const table = await bringBack()
  await channels.insert('orders', rows(3))
  await emptied(channels)
  expect(await table.ids()).toEqual([1, 2, 3])
  await channels.stop()
  await table.close()
})

test('a batch that the database refuses late is set aside with the reason, and holds up nothing', async () => {
  takeAway()
  const { channels, log } = channelsOf([channelSpec(url)], folder.path)
  await channels.start()
  await channels.insert('orders', rows(1, 2))
  await channels.insert('orders', { ...rows(3, 1), batchId: 'poison' })
  await channels.insert('orders', rows(4))
  const table = await bringBack()
  await emptied(channels)
  expect(await table.ids()).toEqual([1, 2, 4])
  expect(await statusOf(channels)).toMatchObject({ ok: true, bad: 1, inserted: 3 })
  expect(badFiles()).toEqual(['client_poison.bad'])
  const bad = JSON.parse(readFileSync(join(dir(), 'client_poison.bad'), 'utf8')) as object
  expect(bad).toMatchObject({
    channel: 'orders',
    batch: 'client:poison',
    reason: expect.stringContaining('UNIQUE constraint failed'),
    rows: [{ id: 3 }, { id: 1 }],
  })
  expect(log.has('lies in a .bad file')).toBe(true)
  // Mended and sent again under the same name, it is not taken for the one that was refused.
  expect(await channels.insert('orders', { ...rows(3), batchId: 'poison' })).toEqual({
    inserted: 1,
  })
  unlinkSync(join(dir(), 'client_poison.bad'))
  expect(await statusOf(channels)).toMatchObject({ bad: 0 })
  await channels.stop()
  await table.close()
})

test('a named batch that is sent again while it waits is neither kept nor stored twice', async () => {
  takeAway()
  const spec = channelSpec(url)
  const first = channelsOf([spec], folder.path).channels
  await first.start()
  const batch = { ...rows(1), batchId: 'a' }
  expect(await first.insert('orders', batch)).toEqual({ spooled: 1 })
  expect(await first.insert('orders', batch)).toEqual({ spooled: 1, duplicate: true })
  expect(await statusOf(first)).toMatchObject({ backlog: 1 })
  await first.stop()
  // The next life does not know the name any more; the database will.
  const { channels } = channelsOf([spec], folder.path)
  await channels.start()
  expect(await channels.insert('orders', batch)).toEqual({ spooled: 1 })
  const table = await bringBack()
  await emptied(channels)
  expect(await table.ids()).toEqual([1])
  expect(await statusOf(channels)).toMatchObject({ bad: 0, inserted: 1 })
  expect(await channels.insert('orders', batch)).toEqual({ inserted: 1, duplicate: true })
  await channels.stop()
  await table.close()
})

test('when what may wait is used up it is said, and nothing of that batch is kept', async () => {
  takeAway()
  const { channels } = channelsOf([channelSpec(url, { spoolMax: 500 })], folder.path)
  await channels.start()
  const kept: number[] = []
  const refusals: unknown[] = []
  for (let id = 0; id < 10; id += 1)
    await channels.insert('orders', rows(id)).then(
      () => kept.push(id),
      (error: unknown) => refusals.push(error),
    )
  expect(kept.length).toBeGreaterThan(1)
  expect(refusals[0]).toMatchObject({
    code: 'E_FULL',
    message: expect.stringContaining('spool_max = 500 bytes is used up'),
  })
  const table = await bringBack()
  await emptied(channels)
  expect(await table.ids()).toEqual(kept)
  await channels.stop()
  await table.close()
})

test('with spool_max = 0 nothing waits', async () => {
  takeAway()
  const { channels } = channelsOf([channelSpec(url, { spoolMax: 0 })], folder.path)
  await channels.start()
  await expect(channels.insert('orders', rows(1))).rejects.toMatchObject({ code: 'E_FULL' })
  await channels.stop()
})

test('a reload changes the channels that changed, and what waits goes where the new one says', async () => {
  takeAway()
  const other = `sqlite:${folder.path}/other.db`
  const elsewhere = await ordersTable(other)
  const { channels } = channelsOf([channelSpec(url)], folder.path)
  await channels.start()
  await channels.insert('orders', rows(1))
  const moved = channelSpec(other, { maxRows: 2 })
  const changing = channels.configure([moved, channelSpec(other, { name: 'second' })])
  // A request in the middle of it waits for the outcome.
  const [during] = await Promise.all([channels.insert('second', rows(10)), changing])
  expect(during).toEqual({ inserted: 1 })
  await emptied(channels)
  expect((await elsewhere.ids()).toSorted((a, b) => a - b)).toEqual([1, 10])
  await expect(channels.insert('orders', rows(2, 3, 4))).rejects.toMatchObject({
    code: 'E_BAD_ROWS',
  })
  await channels.configure([moved])
  await expect(channels.insert('second', rows(11))).rejects.toMatchObject({ code: 'E_NO_CHANNEL' })
  await channels.stop()
  await expect(channels.insert('orders', rows(5))).rejects.toMatchObject({ code: 'E_STOPPING' })
  await elsewhere.close()
})

test('a column that is missing is the table as it is now: rows wait until it is mended', async () => {
  const table = await (mkdirSync(place), ordersTable(url))
  const { channels } = channelsOf([channelSpec(url, { columns: 'id!, extra' })], folder.path)
  await channels.start()
  expect(await channels.insert('orders', { rows: [{ id: 1, extra: 'x' }] })).toEqual({ spooled: 1 })
  expect((await statusOf(channels)).error).toContain('extra')
  await table.db.schema.alterTable('orders').addColumn('extra', 'text').execute()
  await emptied(channels)
  expect(await table.ids()).toEqual([1])
  await channels.stop()
  await table.close()
})

test('many at once are all stored, or told to come again', async () => {
  const table = await (mkdirSync(place), ordersTable(url))
  const { channels } = channelsOf([channelSpec(url)], folder.path)
  await channels.start()
  const answers = await Promise.allSettled(
    Array.from({ length: 200 }, (_, id) => channels.insert('orders', rows(id))),
  )
  const stored = answers.flatMap((one, id) => (one.status === 'fulfilled' ? [id] : []))
  expect(stored.length).toBeGreaterThanOrEqual(66)
  const reasons = answers.flatMap(one => (one.status === 'rejected' ? [one.reason as unknown] : []))
  const full = { code: 'E_FULL' }
  expect(reasons).toMatchObject(reasons.map(() => full))
  expect((await table.ids()).toSorted((a, b) => a - b)).toEqual(stored)
  await channels.stop()
  await table.close()
})

test('a folder that cannot be used is said, and is tried again', async () => {
  const table = await (mkdirSync(place), ordersTable(url))
  writeFileSync(join(folder.path, 'spool'), 'a file of somebody')
  const { channels } = channelsOf([channelSpec(url)], folder.path)
  await channels.start()
  await expect(channels.insert('orders', rows(1))).rejects.toMatchObject({
    code: 'E_DATABASE_AWAY',
  })
  renameSync(join(folder.path, 'spool'), join(folder.path, 'file'))
  expect(await channels.insert('orders', rows(1))).toEqual({ inserted: 1 })
  await channels.stop()
  await table.close()
})
