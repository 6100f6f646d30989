import { chmodSync, existsSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { realClock } from '../../../src/lib/clock.ts'
import { JsonText } from '../../../src/lib/json-text.ts'
import { judge } from '../../../src/model/run-result.ts'
import {
  type KeptVerdict,
  LeftVerdicts,
  VerdictKeeper,
} from '../../../src/workers/kept-verdicts.ts'
import { recordedLog } from '../../support/logs.ts'
import { deadOwner, liveOwner } from '../../support/queue-bench.ts'
import { aTask } from '../../support/runs.ts'
import { type TempDir, tempDir } from '../../support/temp-dir.ts'
import { waitFor } from '../../support/wait.ts'

let dir: TempDir
beforeEach(() => {
  dir = tempDir('taskd-kept-')
})
afterEach(() => dir.remove())

const folder = () => join(dir.path, 'verdicts')
const files = () => (existsSync(folder()) ? readdirSync(folder()) : [])

function keeper(status: 'ready' | 'reconnecting' = 'reconnecting') {
  const refused: string[] = []
  const made = new VerdictKeeper({
    folder: folder(),
    owner: deadOwner('w'),
    redis: { status },
    clock: realClock,
    onRefused: error => refused.push(error),
  })
  return { keeper: made, refused }
}

function aVerdict(id = 'a', stdout = '{"code":"fail","data":[1234567890123456789]}') {
  const task = aTask({ id })
  const result = judge({ exitCode: 0, signal: null, stdout, output: stdout })
  const who = { workerId: 'w', node: 'n', attempt: 1, startedAt: 1000, endedAt: 2000 }
  const verdict = { task, result, ...who, final: true }
  return { verdict, run: {} as KeptVerdict['run'] }
}

const left = (log = recordedLog()) => new LeftVerdicts(folder(), log.log)

test('one that Redis takes at once touches no disk', async () => {
  const { keeper: kept } = keeper('ready')
  kept.hold('a', () => aVerdict())
  await kept.drop('a')
  expect(files()).toEqual([])
})

test('one that Redis takes late is on disk until then', async () => {
  const { keeper: kept } = keeper('ready')
  kept.hold('a', () => aVerdict())
  await waitFor(() => files().length === 1 && files()[0]?.endsWith('.json'), { what: 'a file' })
  await kept.drop('a')
  expect(files()).toEqual([])
})

test('it comes back as it was, with every digit, by its owner, task and attempt', async () => {
  const { keeper: kept } = keeper()
  const made = aVerdict('x/../y')
  kept.hold('x/../y', () => made)
  const found = await waitFor(() => left().find(deadOwner('w'), 'x/../y', 1), {
    what: 'it is kept',
  })
  expect(found.verdict).toEqual(made.verdict)
  expect(found.verdict.result.answer.data).toEqual(new JsonText('[1234567890123456789]'))
  expect(await left().find(deadOwner('w'), 'x/../y', 2)).toBeUndefined()
  expect(await left().find(liveOwner('w'), 'x/../y', 1)).toBeUndefined()
  expect(await left().all(() => true)).toHaveLength(1)
  expect(await left().all(() => false)).toHaveLength(0)
  await found.drop()
  expect(files()).toEqual([])
})

test('of one that was torn or written by somebody else nothing is believed', async () => {
  const { keeper: kept } = keeper()
  kept.hold('a', () => aVerdict())
  await waitFor(() => left().find(deadOwner('w'), 'a', 1), { what: 'it is kept' })
  writeFileSync(join(folder(), 'torn.json.new'), '{"owner":')
  writeFileSync(join(folder(), 'bad.json'), '{"owner":')
  writeFileSync(join(folder(), 'other.json'), '{"owner":"x","answer":"{}"}')
  const log = recordedLog()
  expect(await left(log).all(() => true)).toHaveLength(1)
  expect(log.lines).toHaveLength(2)
  expect(files().filter(name => name.endsWith('.bad'))).toHaveLength(2)
})

test('a disk that takes none is told of, and the verdict stays with its worker', async () => {
  const { keeper: kept, refused } = keeper()
  writeFileSync(folder(), 'a file where the folder is to be')
  chmodSync(folder(), 0o600)
  kept.hold('a', () => aVerdict())
  await waitFor(() => refused.length === 1, { what: 'it is told' })
  await kept.drop('a')
  expect(refused).toEqual([expect.stringContaining('verdicts')])
})
