import { appendFileSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { Journal } from '../../../src/agent/journal.ts'
import { recordedLog } from '../../support/logs.ts'
import { tempDir } from '../../support/temp-dir.ts'

const open = (dir: string) => Journal.open(join(dir, 'j'), recordedLog().log)
const claims = (...ids: string[]) => ids.map(id => ({ id, attempt: 1 }))
const done = (id: string) => ({ id, attempt: 1, kind: 'finish', msg: '' }) as const
const failed = (id: string, msg: string) => ({ id, attempt: 1, kind: 'failed', msg }) as const

test('what is claimed, begun, ended and sent is known to the next one', async () => {
  await using dir = tempDir()
  const first = await open(dir.path)
  void first.claimed(claims('a', 'b', 'c', 'd'))
  for (const id of ['a', 'b', 'c']) first.begun({ id, attempt: 1 })
  first.ended(done('a'))
  first.ended(failed('b', 'no "page"\n'))
  first.sent([{ id: 'a', attempt: 1 }])
  await first.close()
  const second = await open(dir.path)
  expect(second.claims).toEqual([
    { id: 'c', attempt: 1, begun: true },
    { id: 'd', attempt: 1, begun: false },
  ])
  expect(second.reports).toEqual([failed('b', 'no "page"\n')])
  expect(second.reportCount).toBe(1)
  await second.close()
})

test('two attempts of one task are two claims', async () => {
  await using dir = tempDir()
  const journal = await open(dir.path)
  void journal.claimed([
    { id: 'a', attempt: 1 },
    { id: 'a', attempt: 2 },
  ])
  journal.ended(failed('a', ''))
  expect(journal.claims).toEqual([{ id: 'a', attempt: 2, begun: false }])
  journal.sent([{ id: 'a', attempt: 2 }])
  expect(journal.reports).toEqual([failed('a', '')])
  await journal.close()
})

test('cut at any byte, it is what it was at some moment before', async () => {
  await using dir = tempDir()
  const file = join(dir.path, 'j')
  const journal = await open(dir.path)
  const reports: string[] = []
  for (let n = 0; n < 6; n += 1) {
    void journal.claimed(claims(`t${n}`))
    journal.ended(failed(`t${n}`, `é${n}`))
    reports.push(`t${n}`)
    await journal.flush()
  }
  await journal.close()
  const whole = readFileSync(file)
  for (let cut = 0; cut <= whole.length; cut += 1) {
    writeFileSync(file, whole.subarray(0, cut))
    const after = await open(dir.path)
    const known = after.reports.map(report => report.id)
    expect(known).toEqual(reports.slice(0, known.length))
    void after.claimed(claims('next'))
    await after.close()
    const again = await open(dir.path)
    expect(again.claims.map(claim => claim.id)).toContain('next')
    await again.close()
  }
})

test('it is written anew when it has grown, and holds the same', async () => {
  await using dir = tempDir()
  const file = join(dir.path, 'j')
  const journal = await open(dir.path)
  const msg = 'x'.repeat(400)
  let largest = 0
  for (let n = 0; n < 8000; n += 1) {
    void journal.claimed(claims(`t${n}`))
    journal.ended(failed(`t${n}`, msg))
    if (n >= 5) journal.sent(claims(`t${n - 5}`))
    if (n % 50 === 0) await journal.flush()
    largest = Math.max(largest, statSync(file).size)
  }
  await journal.close()
  expect(largest).toBeLessThan(1.3 * 1024 * 1024)
  const after = await open(dir.path)
  expect(after.reports.map(report => report.id)).toEqual(
    [7995, 7996, 7997, 7998, 7999].map(n => `t${n}`),
  )
  await after.close()
})

test('a line that cannot be read is told and left out, and is gone the next time', async () => {
  await using dir = tempDir()
  const first = await open(dir.path)
  void first.claimed(claims('a', 'b'))
  await first.close()
  appendFileSync(join(dir.path, 'j'), 'junk\n["f","a",1,""]\n["z"]\n')
  const { log, lines } = recordedLog()
  const second = await Journal.open(join(dir.path, 'j'), log)
  expect(lines).toEqual([expect.objectContaining({ level: 'warn', fields: expect.anything() })])
  expect(lines[0]?.fields).toMatchObject({ lines: 2 })
  expect(second.reports).toEqual([done('a')])
  await second.close()
  const third = recordedLog()
  await (await Journal.open(join(dir.path, 'j'), third.log)).close()
  expect(third.lines).toEqual([])
})

test('a file that cannot be read is an error that says what to do', async () => {
  await using dir = tempDir()
  mkdirSync(join(dir.path, 'j'))
  await expect(open(dir.path)).rejects.toMatchObject({ code: 'E_DATA_DIR', hint: /--data/ })
})
