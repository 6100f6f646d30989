import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { loadConfig } from '../../../src/config/load.ts'
import { KINDS } from '../../../src/features/index.ts'
import { checkTrigger } from '../../../src/schedule/check.ts'
import { load, problemsOf } from './load-files.ts'

const TEXT = readFileSync('conf/cron.ini', 'utf8')

test('the shipped sample runs three small jobs', () => {
  const loaded = loadConfig('conf/cron.ini', {}, { kinds: KINDS, checkSchedule: checkTrigger })
  expect(loaded.ok ? [] : loaded.problems).toEqual([])
  if (!loaded.ok) return
  const { jobs } = loaded.config
  expect(jobs.map(job => [job.name, job.task.taskKey, job.trigger])).toEqual([
    ['demo_report', 'sync_tasks', { kind: 'cron', expression: '* * * * *' }],
    ['demo_heartbeat', 'async_tasks', { kind: 'interval', everyMs: 10_000 }],
    ['demo_failing', 'async_tasks', { kind: 'cron', expression: '30 * * * * *' }],
  ])
  for (const job of jobs) expect(readFileSync(job.task.script, 'utf8')).not.toBe('')
})

test.each(KINDS.all.map(({ kind, schema }) => [kind, schema] as const))(
  'the sample and the manual show every key of %s',
  (kind, schema) => {
    const page = kind === 'program' || kind === 'group' ? 'programs' : 'configuration'
    const manual = readFileSync(`docs/${page}.md`, 'utf8')
    for (const key of Object.keys(schema.shape)) {
      expect(TEXT).toMatch(new RegExp(`^(; )?${key} *=`, 'm'))
      expect(manual).toContain(`\`${key}\``)
    }
  },
)

test('every example that stands behind a ; in the sample loads', () => {
  const active = TEXT.replace(/^; (?=[a-z_]+ +=|\[)/gm, '')
  expect(active).not.toBe(TEXT)
  expect(problemsOf(load({ 'conf/cron.ini': active }))).toEqual([])
})
