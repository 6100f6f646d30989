import pc from 'picocolors'
import { describe, expect, test } from 'vitest'
import { megabytes, runLines, seconds } from '../../../src/cli/commands/runs.ts'
import { textWidth } from '../../../src/cli/render.ts'
import { isoWithOffset } from '../../../src/lib/clock.ts'
import type { RunRecord } from '../../../src/model/run-record.ts'

const NOW = Date.UTC(2026, 10, 21, 10)
const out = { width: 80, colours: pc.createColors(false) }

function aRun(changes: Partial<RunRecord> = {}): RunRecord {
  return {
    unique_task_id: 'cron-pay-1795255200000',
    job: 'pay',
    task_key: 'sync_tasks',
    attempt: 1,
    worker_id: 'web-1-sync_tasks-1',
    node: 'web-1',
    start_runtime: isoWithOffset(NOW),
    end_runtime: isoWithOffset(NOW + 130),
    duration_ms: 130,
    outcome: 'succ',
    kind: '',
    code: 'succ',
    msg: '',
    exit_code: 0,
    signal: '',
    peak_memory: 13_002_342,
    output: 'counting\nall is paid\n',
    ...changes,
  }
}

const lines = (runs: RunRecord[], whole = false) =>
  runLines(runs, out, { nowMs: NOW, job: 'pay', whole })
const ofAll = (runs: RunRecord[]) =>
  runLines(runs, out, { nowMs: NOW, job: undefined, whole: false })

describe('runs', () => {
  test('a run is two lines: what there is to know, and the last that it wrote', () => {
    const [header, head, below, ...rest] = lines([aRun()])
    expect(header).toMatch(/^BEGAN +RESULT +TIME +PEAK +ID$/)
    expect(head).toMatch(/^\d\d:00:00 +succ +130ms +12\.4M +cron-pay-1795255200000$/)
    expect(below).toBe('  all is paid')
    expect(rest).toEqual([])
  })

  test('of all jobs, each shows its own, and a task without one its queue', () => {
    const [header, first, , second] = ofAll([aRun(), aRun({ job: '' })])
    expect(header).toContain('JOB')
    expect(first).toContain('pay ')
    expect(second).toContain('sync_tasks ')
  })

  test.each<[Partial<RunRecord>, string]>([
    [{ outcome: 'fail', kind: 'exit', code: 'fail', exit_code: 3 }, 'exit 3'],
    [{ outcome: 'fail', kind: 'signal', code: 'fail', signal: 'SIGKILL' }, 'SIGKILL'],
    [{ outcome: 'fail', kind: 'timeout', code: 'fail', signal: 'SIGTERM' }, 'timeout'],
    [{ outcome: 'fail', kind: 'answer', code: 'fail' }, 'fail'],
    [{ outcome: 'other', kind: 'answer', code: 'no_points' }, 'no_points'],
    [{ outcome: 'fail', kind: 'lost', code: 'fail', peak_memory: null }, 'lost'],
    [{ outcome: 'returned', code: '' }, 'given back'],
  ])('%j is shown as %s', (changes, shown) => {
    expect(lines([aRun(changes)])[1]).toContain(`  ${shown}  `)
  })

  test('a run without a figure of memory shows a dash', () => {
    expect(lines([aRun({ peak_memory: null })])[1]).toMatch(/130ms +- +cron/)
  })

  test('a later attempt says so, and a run that wrote nothing has one line', () => {
    expect(lines([aRun({ attempt: 3 })])[2]).toBe('  attempt 3: all is paid')
    expect(lines([aRun({ attempt: 3, output: '' })])[2]).toBe('  attempt 3')
    expect(lines([aRun({ output: '\n \n' })])).toHaveLength(2)
  })

  test('a run that could not start, and wrote nothing, says why', () => {
    const msg = 'cannot start /srv/a.sh: not found'
    const run = aRun({ outcome: 'fail', kind: 'spawn', code: 'fail', output: '', msg })
    expect(lines([run])[2]).toBe(`  ${msg}`)
    expect(lines([{ ...run, output: 'oh\n' }])[2]).toBe('  oh')
  })

  test('what a script wrote cannot repaint the terminal', () => {
    expect(lines([aRun({ output: '\u001B[2Jgone' })])[2]).toBe('  \\u001b[2Jgone')
  })

  test('nothing is wider than the terminal; an id that has no room has a line of its own', () => {
    const run = aRun({
      job: 'a_job_with_quite_a_long_name_in_it'.repeat(5),
      output: '字'.repeat(200),
    })
    const shown = ofAll([run])
    expect(shown.filter(line => textWidth(line) > 80)).toEqual([])
    expect(shown).toContain(`  ${run.unique_task_id}`)
    expect(shown.at(-1)).toMatch(/字…$/)
  })

  test('with --output all lines that are kept are shown, as long as they are', () => {
    const long = 'x'.repeat(200)
    expect(lines([aRun({ output: `a\r\n${long}\n\n`, attempt: 2 })], true).slice(2)).toEqual([
      '  attempt 2',
      '  a',
      `  ${long}`,
    ])
  })
})

test.each([
  [0, '0ms'],
  [999, '999ms'],
  [1000, '1.0s'],
  [59_949, '59.9s'],
  [59_960, '1m00s'],
  [65_000, '1m05s'],
  [3_599_499, '59m59s'],
  [11_220_000, '3h07m'],
])('%i ms is %s', (ms, text) => {
  expect(seconds(ms)).toBe(text)
})

test.each([
  [0, '0.0M'],
  [4_928_307, '4.7M'],
  [104_830_000, '100M'],
  [136_314_880, '130M'],
  [2_254_857_830, '2.1G'],
])('%i bytes are %s', (bytes, text) => {
  expect(megabytes(bytes)).toBe(text)
})
