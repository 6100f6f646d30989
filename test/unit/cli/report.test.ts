import { expect, test } from 'vitest'
import { showReport } from '../../../src/cli/report.ts'

function said(changes: readonly string[]): string[] {
  const lines: string[] = []
  const line = (text: string) => void lines.push(text)
  const out = { line, note: line, json: () => undefined }
  const context = { out, cwd: '/' } as unknown as Parameters<typeof showReport>[1]
  showReport({ applied: true, changes, problems: [] }, context, {})
  return lines
}

test('what waits for a restart is not counted as applied', () => {
  const changes = [
    'job a: added',
    'program web: takes effect when it starts (command)',
    'http: changed; takes effect with `taskd restart`',
  ]
  expect(said(changes).at(-1)).toBe('1 change applied, 2 wait: see above')
  expect(said(['job a: added']).at(-1)).toBe('1 change applied')
})
