import { expect, test } from 'vitest'
import type { Status } from '../../../src/api/status.ts'
import { explain, type WhyDeps } from '../../../src/master/why.ts'
import { job, status } from '../../integration/api/fake-control.ts'
import { aJob } from '../../support/ticking.ts'

test.each<[Status['state'], string]>([
  ['starting', 'when it is next due is not known until the daemon is ready'],
  ['waiting', 'when it is next due is not known until the daemon is ready'],
  ['running', 'it never comes due again'],
])('%s: of a job without a next tick it says: %s', async (state, reason) => {
  const deps = {
    readStatus: async () => status({ state, jobs: [{ ...job('backup'), next: null }] }),
    jobs: () => [aJob({ name: 'backup' })],
  } as unknown as WhyDeps
  const { reasons } = await explain('backup', deps)
  expect(reasons.filter(line => line.includes(' due '))).toEqual([reason])
})
