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

test.each([
  [false, 'does not answer within a second', /^it has been away since .+: does not answer/],
  [true, 'FULL: 20 MiB of 20 MiB used', /^it is FULL: 20 MiB/],
])(
  'the embedded Redis may run and be of no use (full: %s): it says so',
  async (full, error, reason) => {
    const figures = {
      pid: 4700,
      uptime_s: 62,
      restart_num: 0,
      detail: '',
      cpu: 0,
      memory: 0,
      dropped: 0,
    }
    const programs = [{ name: 'redis', group: '', state: 'RUNNING' as const, ...figures }]
    const redis = { ...status().redis, ok: false, full, error }
    const deps = {
      readStatus: async () => status({ programs, redis }),
      journal: { of: () => [] },
      supervisor: { members: [] },
      wanted: { get: () => undefined },
    } as unknown as WhyDeps
    const why = await explain('redis', deps)
    expect(why).toMatchObject({ kind: 'program', state: 'RUNNING' })
    expect(why.reasons).toContainEqual(expect.stringMatching(reason))
  },
)
