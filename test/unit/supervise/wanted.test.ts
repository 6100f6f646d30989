import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import type { Logger } from '../../../src/lib/log.ts'
import { Wanted } from '../../../src/supervise/wanted.ts'
import { tempDir } from '../../support/temp-dir.ts'

const NOON = Date.parse('2026-11-21T12:00:00Z')

function open(dir: string) {
  const said: string[] = []
  const note = (...args: unknown[]) => void said.push(String(args.at(-1)))
  const log: Logger = { debug: note, info: note, warn: note, error: note, fatal: note }
  return { wanted: new Wanted(dir, log, () => NOON), said }
}

it('knows what was asked for when it is opened again, until that is taken back', async () => {
  await using folder = tempDir()
  const { wanted } = open(folder.path)
  wanted.set(['a', 'b'], 'stopped', 'stop by somebody')
  wanted.set(['c'], 'running', 'start by somebody')
  wanted.set(['b'], undefined, 'start by somebody')
  const next = open(folder.path)
  expect(next.said).toEqual([])
  const names = ['a', 'b', 'c', 'd']
  expect(names.map(name => next.wanted.runs(name, true))).toEqual([false, true, true, true])
  expect(names.map(name => next.wanted.runs(name, false))).toEqual([false, false, true, false])
  expect(next.wanted.get('a')).toMatchObject({ state: 'stopped', by: 'stop by somebody' })
  expect(Date.parse(next.wanted.get('a')?.at ?? '')).toBe(NOON)
})

it.each(['__proto__', 'constructor', 'a:b_00', 'ö %2F'])(
  '%s is a name like any other',
  async name => {
    await using folder = tempDir()
    open(folder.path).wanted.set([name], 'stopped', 'somebody')
    const { wanted, said } = open(folder.path)
    expect([said, wanted.runs(name, true), wanted.runs('toString', true)]).toEqual([
      [],
      false,
      true,
    ])
  },
)

it.each([
  '',
  'null',
  '7',
  '[]',
  '["a"]',
  '{"a":null}',
  '{"a":"stopped"}',
  '{"a":{"state":"asleep","at":"","by":""}}',
  '{"a":{"state":"stopped"}}',
  '{"a":{"state":"stopped","at":"2026-01-01T00',
  '\u0000\u0001\uFFFD',
])('a file that holds %j is told, and then as good as none', async text => {
  await using folder = tempDir()
  writeFileSync(join(folder.path, 'wanted.json'), text)
  const { wanted, said } = open(folder.path)
  expect(said).toEqual([expect.stringContaining('cannot be read')])
  expect([wanted.runs('a', true), wanted.runs('a', false)]).toEqual([true, false])
  wanted.set(['a'], 'stopped', 'somebody')
  expect(readFileSync(join(folder.path, 'wanted.json'), 'utf8')).toContain('"stopped"')
  expect(open(folder.path).said).toEqual([])
})
