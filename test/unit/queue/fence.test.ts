import { expect, test } from 'vitest'
import { Fence } from '../../../src/queue/fence.ts'
import { fakeClock } from '../../support/fake-clock.ts'

const T = 60_000
const KILL_WAIT = 10_000

function fenced({ others = ['b@x'], applies = true } = {}) {
  const time = fakeClock()
  const { clock } = time
  let renewedAt = clock.monotonic()
  const heard: string[] = []
  const at = () => Math.round((clock.monotonic() - renewedAt) / 1000)
  const fence = new Fence({
    sign: {
      get age() {
        return clock.monotonic() - renewedAt
      },
      timeoutMs: T,
      others,
    },
    clock,
    killWaitMs: () => KILL_WAIT,
    applies: () => applies,
    onClosed: () => heard.push(`closed ${at()}`),
    onOpened: () => heard.push(`opened ${at()}`),
  })
  fence.start()
  const renew = () => {
    renewedAt = clock.monotonic()
  }
  return { fence, advance: (ms: number) => time.advance(ms), heard, renew }
}

test('closes so early that what takes a KILL is dead when others may take over', async () => {
  const { fence, advance, heard, renew } = fenced()
  await advance(44_000)
  expect([fence.closed, heard]).toEqual([false, []])
  await advance(300_000)
  expect([fence.closed, heard]).toEqual([true, ['closed 45']])
  renew()
  await advance(10_000)
  expect([fence.closed, heard.map(one => one.split(' ')[0])]).toEqual([false, ['closed', 'opened']])
  fence.stop()
})

test('stays open while signs are given, for a node that is alone, and when it is for nothing', async () => {
  const well = fenced()
  for (let n = 0; n < 60; n += 1) {
    await well.advance(10_000)
    well.renew()
  }
  const alone = fenced({ others: [] })
  const off = fenced({ applies: false })
  for (const one of [alone, off]) await one.advance(600_000)
  expect([well, alone, off].flatMap(one => [one.fence.closed, ...one.heard])).toEqual([
    false,
    false,
    false,
  ])
  for (const one of [well, alone, off]) one.fence.stop()
})
