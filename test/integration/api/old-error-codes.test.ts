import { expect, test } from 'vitest'
import type { PullPort } from '../../../src/api/pull-port.ts'
import { legacyPullRoutes } from '../../../src/api/routes/pull-legacy.ts'
import type { DataPort } from '../../../src/features/channel/data-port.ts'
import type { EncryptPort } from '../../../src/features/channel/encrypt-port.ts'
import { channelLegacyRoutes } from '../../../src/features/channel/legacy-routes.ts'
import type { ErrorCode } from '../../../src/lib/error-codes.ts'
import { TaskdError } from '../../../src/lib/errors.ts'
import type { ChannelSpec } from '../../../src/model/channel.ts'
import { openDoor } from './open-door.ts'

/** `/save_1` leads to channel 1, `/save_people` to one of another name. */
const names = ['1', '2', '3', 'people']
const specs = names.map(name => ({
  name,
  columns: [],
  maxRows: 10,
  legacyPaths: [`/save_${name}`],
})) as unknown as ChannelSpec[]

/** The old paths in front of stores that fail with this code. */
async function withFailing(code: ErrorCode) {
  const fail = async () => {
    throw new TaskdError(code, 'it is away')
  }
  const done = { finish: [], failed: [], returned: [] }
  const pull = {
    names: ['far'],
    push: fail,
    claim: fail,
    // Finished ids go first; of a call that has none, the failed ones fail.
    report: (_key: string, { finish, failed }: { finish: unknown[]; failed: unknown[] }) =>
      finish.length + failed.length > 0 ? fail() : Promise.resolve(done),
  } as unknown as PullPort
  const data: DataPort = { insert: fail }
  const port = { ...data, ...({} as EncryptPort) }
  const modules = [legacyPullRoutes(pull), channelLegacyRoutes(specs, port)]
  return openDoor({ modules })
}

const cases: readonly [path: string, body: object, away: string, refused: string][] = [
  ['/queue', { task_id: 'a' }, '102', '102'],
  ['/queues', [{ task_id: 'a' }], '103', '103'],
  ['/promote', { task_id: 'a' }, '104', '104'],
  ['/get_tasks', {}, '105', '105'],
  ['/back_taskids', { finish: ['a'] }, '106', '106'],
  ['/back_taskids', { failed: ['a'] }, '107', '107'],
  // 200 says that the database is away, and the others whose rows it refuses.
  ['/save_1', [{ a: 1 }], '200', '201'],
  ['/save_2', [{ a: 1 }], '200', '202'],
  ['/save_3', [{ a: 1 }], '200', '203'],
  ['/save_people', [{ a: 1 }], '200', '201'],
]

test.each(cases)('%s of %j has the numbers of the old list', async (path, body, away, refused) => {
  for (const [code, status, errcode] of [
    [path.startsWith('/save') ? 'E_DATABASE_AWAY' : 'E_REDIS_AWAY', 503, away],
    ['E_BAD_ROWS', 400, refused],
  ] as const) {
    await using door = await withFailing(code)
    const headers = { 'content-type': 'application/json' }
    const answer = await door.ask(path, { method: 'POST', headers, body: JSON.stringify(body) })
    expect([answer.status, answer.json()]).toMatchObject([status, { code: '0', errcode }])
  }
})
