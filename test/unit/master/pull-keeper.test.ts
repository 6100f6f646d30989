import { expect, test } from 'vitest'
import { PullKeeper, type PullKeeperDeps } from '../../../src/master/pull-keeper.ts'
import { fakeClock } from '../../support/fake-clock.ts'
import { waitFor } from '../../support/wait.ts'

const gone = async () => ({ requeued: 0, dead: 0 })
const fails = async () => {
  throw new Error('WRONGTYPE')
}

test.each([
  ['leases that are over', { expire: fails, handOverDead: async () => 0 }, '003 005'],
  ['tasks that are dead', { expire: gone, handOverDead: fails }, '002 004'],
])('%s: what keeps them is told once, under the numbers of before', async (_what, queue, code) => {
  const time = fakeClock()
  const logged: unknown[] = []
  const spec = { taskKey: 'far', leaseMs: 10_000 }
  const keeper = new PullKeeper({
    pullQueues: { specs: [spec], of: () => queue },
    clock: time.clock,
    log: {
      warn: (what: object) => logged.push(['warn', what]),
      debug: (what: object) => logged.push(['debug', what]),
    },
  } as unknown as PullKeeperDeps)
  await keeper.start()
  const told = (level: string, errcode: string) =>
    logged.filter(
      one =>
        JSON.stringify(one).includes(`["${level}",`) &&
        JSON.stringify(one).includes(`"errcode":"${errcode}"`),
    )
  for (let looks = 1; looks <= 3; looks += 1) {
    await waitFor(() => told('debug', '000').length >= looks, { what: 'it has looked' })
    await time.advance(1000)
  }
  expect(told('warn', code)).toHaveLength(1)
  await keeper.stop()
})
