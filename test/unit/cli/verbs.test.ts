import { expect, test } from 'vitest'
import { GROUPS } from '../../../src/cli/verbs.ts'

test('help is broken by hand only between sentences and lines of a table: the rest wraps by itself', () => {
  const verbs = GROUPS.flatMap(group => Object.entries(group.verbs))
  expect(verbs.length).toBeGreaterThan(20)
  const broken = verbs.flatMap(([name, { about = '' }]) => {
    const lines = about.split('\n').slice(0, -1)
    return lines.filter(line => !/[.:]$/.test(line)).map(line => `${name}: ${line}`)
  })
  expect(broken.filter(line => !line.startsWith('task: '))).toEqual([])
})
