import { describe, expect, test } from 'vitest'
import { KINDS } from '../../../src/features/index.ts'
import { configOf, job, load, mistakes, problemsOf, short } from './load-files.ts'

const triggerOf = (...lines: string[]) =>
  configOf(['[a]', 'task_key=sync_tasks', 'script=/a', ...lines].join('\n')).jobs[0]?.trigger

describe('run_time', () => {
  test.each([
    ['*/5  *\t* * *', { kind: 'cron', expression: '*/5 * * * *' }],
    ['30 0 12 * * MON-FRI', { kind: 'cron', expression: '30 0 12 * * MON-FRI' }],
    ['@hourly', { kind: 'cron', expression: '0 * * * *' }],
    ['@daily', { kind: 'cron', expression: '0 0 * * *' }],
    ['@midnight', { kind: 'cron', expression: '0 0 * * *' }],
    ['@weekly', { kind: 'cron', expression: '0 0 * * 0' }],
    ['@monthly', { kind: 'cron', expression: '0 0 1 * *' }],
    ['@yearly', { kind: 'cron', expression: '0 0 1 1 *' }],
    ['@annually', { kind: 'cron', expression: '0 0 1 1 *' }],
    ['@every 90s', { kind: 'interval', everyMs: 90_000 }],
    ['@every 1h30m', { kind: 'interval', everyMs: 5_400_000 }],
    ['@reboot', { kind: 'reboot' }],
  ])('%s', (text, expected) => {
    expect(triggerOf(`run_time = ${text}`)).toEqual(expected)
  })

  test.each([
    ['interval', '30s', { kind: 'interval', everyMs: 30_000 }],
    ['interval', '90', { kind: 'interval', everyMs: 90_000 }],
    ['interval', '@every 2m', { kind: 'interval', everyMs: 120_000 }],
    ['date', '2026-12-01 08:00:00', { kind: 'date', wallTime: '2026-12-01 08:00:00' }],
    ['date', '2028-02-29T08:00', { kind: 'date', wallTime: '2028-02-29 08:00:00' }],
  ])('trigger = %s with %s', (word, text, expected) => {
    expect(triggerOf(`trigger = ${word}`, `run_time = ${text}`)).toEqual(expected)
  })

  test.each([
    ['cron', '30s', 'is not a cron expression. write @every 30s, or add trigger = interval'],
    ['cron', '2026-12-01 08:00:00', 'is not a cron expression. add trigger = date'],
    ['cron', '@dayly', 'is no known macro. did you mean "@daily"?'],
    ['cron', '@every soon', 'is not a duration. write an interval such as 30s or 1h30m'],
    ['cron', '@every', 'is no known macro'],
    ['interval', '* * * * *', 'is not a duration'],
    ['interval', '10ms', 'is less than 100ms. write an interval such as 30s'],
    ['date', '2026-02-30 08:00:00', 'is not in the calendar. write YYYY-MM-DD HH:MM:SS'],
    ['date', '2026-12-01 24:00:00', 'is not in the calendar'],
    ['date', '2026-12-01', 'is not a date and time'],
    ['date', '@reboot', 'is not a date and time'],
  ])('trigger = %s refuses %s', (word, text, expected) => {
    const lines = ['[a]', 'task_key=sync_tasks', 'script=/a', `trigger=${word}`, `run_time=${text}`]
    const found = mistakes(lines.join('\n'))
    expect(found).toHaveLength(1)
    expect(found[0]).toContain(`cron.ini:5: run_time = ${text}: ${expected}`)
  })

  test('a schedule is judged by who knows schedules, once for each that differs', () => {
    const asked: unknown[] = []
    const loaded = load(
      {
        'conf/cron.ini':
          '[taskd]\ntimezone=UTC\n[a]\ntask_key=sync_tasks\nrun_time=0 0 30 2 *\nscript=/a\n' +
          '[b]\ntask_key=sync_tasks\nrun_time=0 0 30 2 *\nscript=/b\n',
      },
      {},
      {
        kinds: KINDS,
        checkSchedule: (...args) => {
          asked.push(args)
          return {
            problem: 'never comes. write 28 for the day',
            notes: ['a note. with more', 'plain'],
          }
        },
      },
    )
    expect(asked).toEqual([[{ kind: 'cron', expression: '0 0 30 2 *' }, 'UTC']])
    expect(problemsOf(loaded).map(short)).toEqual([
      'cron.ini:5: run_time = 0 0 30 2 *: never comes. write 28 for the day',
      'cron.ini:9: run_time = 0 0 30 2 *: never comes. write 28 for the day',
    ])
    expect(loaded.notes).toHaveLength(4)
    expect(loaded.notes[0]).toMatchObject({
      level: 'note',
      line: 5,
      key: 'run_time',
      message: 'a note',
      hint: 'with more',
    })
  })

  test('notes do not fail a configuration', () => {
    const loaded = load(
      { 'conf/cron.ini': job() },
      {},
      { kinds: KINDS, checkSchedule: () => ({ notes: ['n'] }) },
    )
    expect(loaded.ok).toBe(true)
    expect(loaded.notes.map(note => note.message)).toEqual(['n'])
  })
})
