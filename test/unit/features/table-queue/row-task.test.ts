import { expect, test } from 'vitest'
import { taskOfRow } from '../../../../src/features/table-queue/row-task.ts'
import type { ReadyRow } from '../../../../src/features/table-queue/table.ts'
import { sourceClaimOf, sourceTaskId } from '../../../../src/model/source.ts'
import { sourceSpec } from '../../../support/sources.ts'

const spec = sourceSpec('sqlite:/x', {
  startTimeColumn: 'run_at',
  priorityColumn: 'rank_no',
  task: { ...sourceSpec('sqlite:/x').task, priority: 4, maxRunTimeMs: 9, directory: '/d' },
})
const read = (row: Partial<ReadyRow>) => taskOfRow(spec, { id: '1', script: '/a.php', ...row })
const valueOf = (row: Partial<ReadyRow>) => {
  const task = read(row)
  if (!task.ok) throw new Error(task.reason)
  return task.value
}
const reasonOf = (row: Partial<ReadyRow>) => {
  const task = read(row)
  return task.ok ? '' : task.reason
}

test('what the row leaves out is as the section says', () => {
  expect(valueOf({ param: null, priority: null })).toEqual({
    taskKey: 'q',
    script: '/a.php',
    controller: 'Sms',
    function: '',
    param: '',
    job: '',
    priority: 4,
    retries: 0,
    retryIntervalsMs: [],
    maxRunTimeMs: 9,
    directory: '/d',
  })
  expect(valueOf({ priority: 9 }).priority).toBe(9)
})

test.each([
  ['a=1&b=%20', 'a=1&b=%20'],
  [{ a: { b: [1, 2] } }, 'a%5Bb%5D%5B0%5D=1&a%5Bb%5D%5B1%5D=2'],
  [17, '17'],
  [12_345_678_901_234_567_890n, '12345678901234567890'],
  [Buffer.from('寄'), '寄'],
  // A blob of SQLite.
  [new TextEncoder().encode('寄').buffer, '寄'],
])('param %o is handed on as %s', (param, expected) => {
  expect(valueOf({ param }).param).toBe(expected)
})

test.each([
  [null, undefined],
  ['', undefined],
  ['0', undefined],
  ['0000-00-00 00:00:00', undefined],
  ['1795250000', '2026-11-21T08:33:20.000Z'],
  // Asia/Shanghai
  ['2026-12-01 08:00:00', '2026-12-01T00:00:00.000Z'],
  ['2026-12-01 08:00:00.250000', '2026-12-01T00:00:00.000Z'],
  ['2026-12-01', '2026-11-30T16:00:00.000Z'],
  ['2026-12-01T08:00:00Z', '2026-12-01T08:00:00.000Z'],
  ['2026-12-01 08:00:00+00', '2026-12-01T08:00:00.000Z'],
  ['2026-12-01 08:00:00+00:00', '2026-12-01T08:00:00.000Z'],
  ['2026-12-01 08:00:00.5-0530', '2026-12-01T13:30:00.500Z'],
])('a start time of %s is %s', (startTime, expected) => {
  const { startAt } = valueOf({ startTime })
  expect(startAt === undefined ? undefined : new Date(startAt).toISOString()).toBe(expected)
})

test.each<[Partial<ReadyRow>, string]>([
  [{ script: null }, '"script" is missing'],
  [{ script: 5 }, '"script" is not a string'],
  [{ param: 'x'.repeat(131_072) }, '"param" is longer than'],
  [{ param: 'a\0b' }, 'NUL'],
  [{ param: Buffer.from([0xff]) }, 'its param is not UTF-8'],
  [{ priority: 10 }, '"priority" is not a whole number'],
  [{ startTime: 'soon' }, 'its start time soon is not a date'],
  [{ startTime: '2026-02-30 10:00:00' }, 'no such day'],
  [{ id: 'x'.repeat(146) }, 'its key is longer than 145'],
  [{ id: 'a\nb' }, 'control characters'],
])('%o is no task', (row, reason) => {
  expect(reasonOf(row)).toContain(reason)
})

test('the id of a task tells its row, whatever the key is like', () => {
  for (const row of ['17', '', 'a@b@c', '广州 🙂', 'source@x@1@abcdef12-1', 'x'.repeat(145)]) {
    const claim = { source: 'a.b-c_9', row, claim: '0a1b2c3d-mi8x0abc12345678' }
    const id = sourceTaskId(claim)
    expect(sourceClaimOf(id)).toEqual(claim)
    expect(sourceTaskId({ ...claim, source: 'x'.repeat(64) }).length).toBeLessThanOrEqual(255)
  }
  for (const other of ['', '17', 'source@', 'source@sms@17', 'source@sms@17@x', 'cron-a-1'])
    expect(sourceClaimOf(other)).toBeUndefined()
})
