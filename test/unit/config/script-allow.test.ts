import { dirname } from 'node:path'
import { expect, test } from 'vitest'
import { matchesGlob } from '../../../src/config/glob.ts'
import { configOf, load, problemsOf } from './load-files.ts'

const ini = (value: string) => `[taskd]\nscript_allow = ${value}`

test('script_allow is a list that starts where the scripts of jobs do', () => {
  const { settings, file } = configOf(ini('/srv/app/*.php, reports  ../tools/x.sh'))
  const root = dirname(dirname(file))
  expect(settings.scriptAllow).toEqual([
    '/srv/app/*.php',
    `${root}/reports`,
    `${dirname(root)}/tools/x.sh`,
  ])
})

test.each(['/', '/*', '*', '/srv /', '.', '..', '/../*'])('%s would allow everything', value => {
  const [problem] = problemsOf(load({ 'conf/cron.ini': ini(value) }))
  expect(JSON.stringify(problem)).toMatch(/script_allow.*which is everything/)
})

test('a door without a secret gets a note, and one with a secret gets none', () => {
  const notes = (text: string) => load({ 'conf/cron.ini': `[taskd]\n${text}` }).notes
  const [note] = notes('http = 9595')
  expect(note).toMatchObject({ key: 'http', message: expect.stringContaining('has no secret') })
  expect(notes('http = 9595\nsecret_read = a-long-random-text')).toEqual([])
  expect(notes('secret = a-long-random-text')).toEqual([])
})

test.each([
  ['/srv/app/x.php', '/srv/app/*.php', true],
  ['/srv/app/x.php', '/srv/*/x.php', true],
  ['/srv/app/x.php', '/srv/*', false],
  ['/srv/app/x.php/', '/srv/app/*.php', false],
  ['/srv/app/.x.php', '/srv/app/*.php', false],
  ['/srv/app/.x.php', '/srv/app/.*.php', true],
  ['/srv/app/a1.sh', '/srv/app/[a-c]?.sh', true],
  ['/srv/app/d1.sh', '/srv/app/[a-c]?.sh', false],
] as const)('%s, %s: %s', (path, pattern, is) => {
  expect(matchesGlob(path, pattern)).toBe(is)
})
