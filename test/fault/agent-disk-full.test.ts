import { rmSync } from 'node:fs'
import { expect, it } from 'vitest'
import { pair } from '../support/agent-pair.ts'
import { smallDisk } from '../support/small-disk.ts'
import { waitFor } from '../support/wait.ts'

/** Long ones, so that they need more than what is left of the page that the journal has. */
const ids = (count: number, name: string) =>
  Array.from({ length: count }, (_, n) => `${name}-${'x'.repeat(200)}-${n}`)

it('an agent whose disk is full works on, says so, and remembers again when there is room', async () => {
  await using disk = smallDisk('1m')
  const options = ['--concurrency', '10']
  await using both = await pair([], 'sleep 0.3', { data: `${disk.path}/data`, options })
  const { daemon, agent, push, reach, ran } = both
  const count = (text: string) => agent.log().split(text).length - 1
  void agent.start()
  await push('before')
  await reach({ finish: 1 })
  const { pid } = agent
  rmSync(disk.fill())
  const ballast = disk.fill()

  await push(...ids(40, 'full'))
  await reach({ todo: 0, doing: 0, finish: 41, failed: 0 })
  await agent.says('the journal cannot be written')
  rmSync(ballast)
  await agent.says('the journal can be written again')
  expect(count('the journal cannot be written')).toBe(count('the journal can be written again'))

  // Reports that could neither be sent nor be written.
  disk.fill()
  const last = ids(10, 'last')
  await push(...last)
  await waitFor(() => ran().length === 51, { what: 'ten more run' })
  const before = count('the journal can be written again')
  await daemon.kill()
  await agent.says(/master is away.*report/)
  expect(last.filter(id => agent.journal().includes(`["f","${id}"`)).length).toBeLessThan(10)
  rmSync(ballast)
  await waitFor(() => count('the journal can be written again') > before, { what: 'it is written' })
  for (const id of last) expect(agent.journal()).toContain(`["f","${id}",1,""]`)
  expect(agent.pid).toBe(pid)
  await agent.kill()
  await daemon.start()
  void agent.start()
  await reach({ todo: 0, doing: 0, finish: 51, failed: 0, finished_total: 51 })
  expect(ran()).toHaveLength(51)
})
