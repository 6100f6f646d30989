import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ERROR_CODES } from '../../../src/lib/error-codes.ts'

const PAGE = new URL('../../../docs/errors.md', import.meta.url).pathname

/** The page that docs/errors.md is to be. */
function page(): string {
  const rows = Object.entries(ERROR_CODES)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(
      ([code, { status, meaning, remedy }]) =>
        `| \`${code}\` | ${status} | ${meaning} | ${remedy} |`,
    )
  return [
    '# Error codes',
    '',
    'Every error has one of these codes. Over HTTP it stands in `{"error": {"code", "message"}}`; the command line',
    'prints the message alone, which says more than this table: it names the thing and what to do about it.',
    'A code keeps its meaning in later versions.',
    '',
    '| code | HTTP status | what it means | what to do |',
    '|---|---|---|---|',
    ...rows,
    '',
    'Codes that only the command line or the log shows have a status here too, which nothing sends. `E_TOO_LARGE` is 431',
    'when it is about headers.',
    '',
    '<!-- Made from src/lib/error-codes.ts: npx vitest run --project unit test/unit/docs/errors.test.ts -u -->',
    '',
  ].join('\n')
}

test('docs/errors.md is made from the table of codes', async () => {
  await expect(page()).toMatchFileSnapshot(PAGE)
})

test('each code of the table is used', () => {
  const src = new URL('../../../src', import.meta.url).pathname
  const text = readdirSync(src, { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith('.ts') && !name.endsWith('error-codes.ts'))
    .map(name => readFileSync(join(src, name), 'utf8'))
    .join('\n')
  expect(Object.keys(ERROR_CODES).filter(code => !text.includes(`'${code}'`))).toEqual([])
})
