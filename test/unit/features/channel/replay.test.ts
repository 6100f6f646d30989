import { mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Replay } from '../../../../src/features/channel/replay.ts'
import { Spool } from '../../../../src/features/channel/spool.ts'
import { InsertError } from '../../../../src/features/channel/store.ts'
import type { SqlFailure } from '../../../../src/store/failure.ts'
import { fakeClock } from '../../../support/fake-clock.ts'
import { type TempDir, tempDir } from '../../../support/temp-dir.ts'
import { waitFor } from '../../../support/wait.ts'

let folder: TempDir
beforeEach(() => {
  folder = tempDir('taskd-replay-')
})
afterEach(() => folder.remove())

/** A replay of one batch into a table that fails as it is told. */
async function replaying(note: string) {
  const dir = join(folder.path, 'spool')
  mkdirSync(dir)
  const spool = await Spool.open({ dir, maxBytes: 1 << 30 })
  const batch = { id: 'client:1', at: '2026-01-01T00:00:00.000Z', rows: [{ id: 1, note }] }
  await spool.append(JSON.stringify(batch))
  const time = fakeClock()
  const table = { tries: 0, failure: undefined as SqlFailure | undefined }
  const replay = new Replay(spool, {
    channel: 'orders',
    store: {
      address: '',
      async insert(sent) {
        table.tries += 1
        if (table.failure) throw new InsertError(table.failure, table.failure, undefined)
        return { duplicate: false, rows: sent.rows.length }
      },
      ping: async () => undefined,
      prune: async () => undefined,
      close: async () => undefined,
    },
    clock: time.clock,
    random: () => 0.5,
    onStored: () => undefined,
    onBad: () => undefined,
    onTrouble: () => undefined,
  })
  const tried = (times: number) =>
    waitFor(
      async () => {
        await time.advance(60_000)
        return table.tries >= times || spool.batches === 0
      },
      { what: `the batch is tried ${times} times` },
    )
  const emptied = () =>
    waitFor(
      async () => {
        await time.advance(60_000)
        return spool.batches === 0
      },
      { what: 'the batch is gone' },
    )
  const end = async () => {
    await replay.stop()
    await spool.close()
  }
  const bad = () => readdirSync(dir).filter(name => name.endsWith('.bad'))
  return { replay, spool, table, tried, emptied, bad, end }
}

test.each(['late', 'cut', 'busy', 'unable'] as const)(
  'a batch waits through everything that says nothing of its rows (%s)',
  async failure => {
    const { replay, spool, table, tried, emptied, bad, end } = await replaying('small')
    table.failure = failure
    replay.start()
    await tried(8)
    expect([spool.batches, bad()]).toEqual([1, []])
    table.failure = undefined
    await emptied()
    expect(bad()).toEqual([])
    await end()
  },
)

test('a large batch over which the connection breaks again and again is set aside', async () => {
  const { replay, table, emptied, bad, end } = await replaying('x'.repeat(300_000))
  table.failure = 'cut'
  replay.start()
  await emptied()
  expect(table.tries).toBe(3)
  expect(bad()).toHaveLength(1)
  await end()
})

test('a large batch waits for a locked table as long as it takes', async () => {
  const { replay, spool, table, tried, bad, end } = await replaying('x'.repeat(300_000))
  table.failure = 'late'
  replay.start()
  await tried(8)
  expect([spool.batches, bad()]).toEqual([1, []])
  await end()
})
