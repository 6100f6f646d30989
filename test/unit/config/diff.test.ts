import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { diffConfig } from '../../../src/config/diff.ts'
import { loadConfig } from '../../../src/config/load.ts'
import { KINDS } from '../../../src/features/index.ts'
import { anySchedule, folderOf, job } from './load-files.ts'

function diff(before: string, after: string, zone = 'UTC') {
  const file = join(folderOf({ 'conf/cron.ini': '' }), 'conf/cron.ini')
  const [old, next] = [
    `[taskd]\ntimezone = UTC\n${before}`,
    `[taskd]\ntimezone = ${zone}\n${after}`,
  ].map(text => {
    writeFileSync(file, text)
    const loaded = loadConfig(file, {}, anySchedule)
    if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems))
    return loaded.config
  })
  if (old === undefined || next === undefined) throw new Error('two texts, two configurations')
  return diffConfig(old, next, KINDS)
}

const NOTHING = { added: [], removed: [], changed: [] }
const UNCHANGED = new Map(KINDS.ofFeatures.map(one => [one.kind, NOTHING]))
const named = (name: string, ...lines: string[]) => `${job(...lines).replace('[a]', `[${name}]`)}\n`

test('the same configuration, written in another way, changes nothing', () => {
  const text = job('environment = A=b,B=c', 'retries = 2', 'misfire_grace = 60s')
  const same = `; remark\n${job('retries=2', 'environment = B="c",A="b"', 'misfire_grace=1m')}`
  expect(diff(text, same)).toEqual({
    jobs: NOTHING,
    queues: NOTHING,
    sections: UNCHANGED,
    settings: { changedKeys: [] },
  })
})

test('jobs come, go and change, with the keys as they are called in the file', () => {
  const before = named('a') + named('b', 'param = x') + named('c')
  const after =
    named('d') +
    named('b', 'param = y', 'retry_intervals = 5', 'misfire_grace = 1s', 'timezone = Asia/Tokyo') +
    named('c').replace('* * * * *', '@every 5s')
  expect(diff(before, after).jobs).toEqual({
    added: ['d'],
    removed: ['a'],
    changed: [
      { name: 'b', keys: ['misfire_grace', 'param', 'retries', 'retry_intervals', 'timezone'] },
      { name: 'c', keys: ['run_time', 'trigger'] },
    ],
  })
})

test('queues and settings too', () => {
  const before = '[queue:q]\nmode = sync\n[queue:r]\nmode = sync\n'
  const after =
    'http = on\nmax_run_time = 5\n[queue:q]\nmode = sync\nperiod = 1s\n[queue:async_tasks]\nworkers=2\nrate=1/1s\n'
  expect(diff(before, after)).toEqual({
    jobs: NOTHING,
    sections: UNCHANGED,
    queues: {
      added: [],
      removed: ['r'],
      changed: [
        { name: 'q', keys: ['period'] },
        { name: 'async_tasks', keys: ['rate', 'workers'] },
      ],
    },
    settings: { changedKeys: ['http', 'max_run_time'] },
  })
})

test('a new zone of the daemon changes each job that lives in it', () => {
  const text = `${named('a')}${named('b', 'timezone = Asia/Tokyo')}`
  const { jobs, settings } = diff(text, text, 'Europe/Berlin')
  expect(jobs.changed).toEqual([{ name: 'a', keys: ['timezone'] }])
  expect(settings.changedKeys).toEqual(['timezone'])
})
