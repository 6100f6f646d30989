import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { MACROS, parseCron } from '../../../src/schedule/cron.ts'
import { formatInstant } from '../../../src/schedule/format.ts'
import { nextAfter } from '../../../src/schedule/next-times.ts'

const page = readFileSync(new URL('../../../docs/schedule.md', import.meta.url), 'utf8')
const rows = (pattern: RegExp) => [...page.matchAll(pattern)].map(match => match.slice(1))

/** Runs in Berlin from one instant up to and including another. */
function runs(expression: string, from: string, to: string): string {
  const trigger = { kind: 'cron', expression } as const
  const found: string[] = []
  let at = nextAfter(trigger, 'Europe/Berlin', Date.parse(from) - 1)
  while (at !== undefined && at <= Date.parse(to)) {
    found.push(formatInstant(at, 'Europe/Berlin').slice(11, 16))
    at = nextAfter(trigger, 'Europe/Berlin', at)
  }
  return found.length > 0 ? found.join(' ') : 'none'
}

describe('docs/schedule.md tells the truth', () => {
  const changes = rows(/^\| `([^`]+)` \| (fixed|follows) \| ([^|]+) \| ([^|]+) \|$/gm)

  test('its table of clock changes is found', () => {
    expect(changes).toHaveLength(7)
  })

  test.each(changes)('%s (%s): %s and %s', (expression, kind, forward, back) => {
    const parsed = parseCron(expression ?? '')
    expect(parsed).toMatchObject({ cron: { wild: kind === 'follows' } })
    expect(runs(expression ?? '', '2026-03-29T00:30Z', '2026-03-29T01:30Z')).toBe(forward)
    expect(runs(expression ?? '', '2026-10-24T23:30Z', '2026-10-25T02:30Z')).toBe(back)
  })

  test('its macros are the macros', () => {
    const listed = rows(/^\| (`@[^|]+) \| `([^`]+)` \|$/gm).flatMap(([names = '', expression]) =>
      names.split(', ').map(name => [name.replaceAll('`', ''), expression]),
    )
    expect(Object.fromEntries(listed)).toEqual(MACROS)
  })

  test('what it says is refused is refused', () => {
    const refused = ['* * * *', '', '*/61 * * * *', '*/0 * * * *', '0 22-2 * * *', '0 0 30 2 *']
    expect(refused.filter(expression => 'cron' in parseCron(expression))).toEqual([])
  })
})
