import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { exactSocket } from '../../../src/cli/exact-socket.ts'
import { findSocket, quickSocket } from '../../../src/cli/find-daemon.ts'
import type { Environment } from '../../../src/config/config.ts'
import { loadConfig } from '../../../src/config/load.ts'
import { KINDS } from '../../../src/features/index.ts'
import { tempDir } from '../../support/temp-dir.ts'

const anySchedule = { kinds: KINDS, checkSchedule: () => ({ notes: [] }) }

function write(root: string, files: Readonly<Record<string, string>>): string {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, name)), { recursive: true })
    writeFileSync(join(root, name), text)
  }
  return join(root, 'conf/cron.ini')
}

function loadedSocket(file: string, env: Environment): string | undefined {
  const loaded = loadConfig(file, env, anySchedule)
  return loaded.ok ? loaded.config.settings.socket : undefined
}

const VALUES = [
  'run',
  '/run/x',
  '../data',
  '"a b"',
  'x ; remark',
  'x // remark',
  "'q'",
  '',
  '  y  ',
]
const line = fc
  .tuple(fc.constantFrom('data_dir', 'socket', 'Data-Dir', 'node'), fc.constantFrom(...VALUES))
  .map(([key, value]) => `${key} = ${value}`)
const head = fc.constantFrom('[taskd]', '[queue:x]', '; remark', '[taskd', '')
const ini = fc.array(fc.oneof(line, head), { maxLength: 6 }).map(lines => lines.join('\n'))
const environment = fc.record(
  {
    TASKD_SOCKET: fc.constantFrom('', ' ', 's.sock', '/run/s.sock'),
    TASKD_DATA_DIR: fc.constantFrom('', 'd', ' /var/d '),
  },
  { requiredKeys: [] },
)

test('the quick way finds the socket that the whole configuration gives', async () => {
  await using dir = tempDir()
  fc.assert(
    fc.property(ini, environment, (text, env) => {
      const file = write(dir.path, { 'conf/cron.ini': text })
      const quick = quickSocket(file, env)
      expect(quick).toBe(exactSocket(file, env))
      // Undefined for what is in no order at all.
      expect(loadedSocket(file, env) ?? quick).toBe(quick)
    }),
    { numRuns: 500 },
  )
})

const JOB = '[a]\ntask_key = sync_tasks\nrun_time = * * * * *\nscript = x\n'

test.each<[string, Record<string, string>, Record<string, string>, string]>([
  ['with nothing said', { 'conf/cron.ini': JOB }, {}, 'data/taskd.sock'],
  ['in a data_dir', { 'conf/cron.ini': `[taskd]\ndata_dir = d\n${JOB}` }, {}, 'conf/d/taskd.sock'],
  [
    'in an included file',
    { 'conf/cron.ini': '[include]\nfiles = d/*.ini\n', 'conf/d/t.ini': '[taskd]\nsocket = s' },
    {},
    'conf/s',
  ],
  [
    'in an overlay',
    { 'conf/cron.ini': '[taskd]\nsocket = s\n', 'conf/test/t.ini': '[taskd]\nsocket = t' },
    { APP_ENV: 'test' },
    'conf/t',
  ],
  [
    'in the environment',
    { 'conf/cron.ini': '[taskd]\nsocket = s' },
    { TASKD_SOCKET: 't' },
    'conf/t',
  ],
  [
    'in a file of more than a megabyte',
    { 'conf/cron.ini': `[taskd]\nsocket = s\n${'; remark\n'.repeat(150_000)}` },
    {},
    'conf/s',
  ],
])('the daemon is found %s', async (_where, files, env, expected) => {
  await using dir = tempDir()
  const file = write(dir.path, files)
  const found = await findSocket(file, env)
  expect(found).toBe(join(dir.path, expected))
  expect(found).toBe(loadedSocket(file, env))
})

test.each([
  ['a broken job', '[taskd]\nsocket = s\n[a]\nrun_time = never\n'],
  ['an unknown key', '[taskd]\nsocket = s\nsokcet = t\n'],
  ['a broken neighbour', '[taskd]\nmax_run_time = soon\nsocket = s\n'],
  ['a broken header', '[taskd]\nsocket = s\n[a\nx = y\n'],
])('the daemon is found although the configuration has %s', async (_what, text) => {
  await using dir = tempDir()
  const file = write(dir.path, { 'conf/cron.ini': text })
  expect(loadedSocket(file, {})).toBeUndefined()
  expect(await findSocket(file, {})).toBe(join(dir.path, 'conf/s'))
})

test('a configuration that is gone leaves the place where its daemon would be', async () => {
  await using dir = tempDir()
  const file = join(dir.path, 'conf/cron.ini')
  expect(await findSocket(file, {})).toBe(join(dir.path, 'data/taskd.sock'))
})
