import { readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

const SRC = new URL('../../../src/', import.meta.url)

/** Files of src, other than these, that have a match. */
function others(pattern: RegExp, ...owners: readonly string[]): string[] {
  return readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter(
    file =>
      file.endsWith('.ts') &&
      !owners.includes(file) &&
      pattern.test(readFileSync(new URL(file, SRC), 'utf8')),
  )
}

test.each([
  ['Task:Cron', /\bcronState\(|['"`]Task:Cron/, ['queue/keys.ts', 'queue/cron-store.ts']],
  [
    'keys of BullMQ',
    /:(?:lock|active|stalled|prioritized|wait|delayed|pc|completed|failed|marker|meta)`|ENGINE_PREFIX\}:\$/,
    ['queue/engine-keys.ts'],
  ],
  ["fields of BullMQ's tasks", /'(?:ats|atm|pb|processedOn|finishedOn)'/, ['queue/engine-keys.ts']],
])('nothing but their owner spells %s', (_, pattern, owners) => {
  expect(others(pattern, ...owners)).toEqual([])
  expect(others(pattern)).not.toEqual([])
})
