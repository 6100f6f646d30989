import { CronExpressionParser } from 'cron-parser'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseCron } from '../../../src/schedule/cron.ts'
import { nextAfter } from '../../../src/schedule/next-times.ts'
import { field, weekdayField } from './arbitraries.ts'

const textOf = (min: number, max: number) => field(min, max).map(one => one.text)
const named = (names: string) => fc.constantFrom(...names.split(' '))

const day = fc.oneof(
  { weight: 4, arbitrary: textOf(1, 31) },
  { weight: 1, arbitrary: named('L 1,L 31 29-31 ?') },
)
const month = fc.oneof(
  { weight: 4, arbitrary: textOf(1, 12) },
  { weight: 1, arbitrary: named('JAN jan-mar FEB,JUL Dec */3') },
)
const weekday = fc.oneof(
  { weight: 4, arbitrary: weekdayField.map(one => one.text) },
  { weight: 1, arbitrary: named('MON mon-fri SAT,SUN 5-7 7 MON#1 5#3 7#5 FRIL 0L 3L,1 ?') },
)

/** Where Vixie's day rule and cron-parser's (always OR) mean different days. */
function dayRulesDiffer(dayText: string, weekdayText: string): boolean {
  const both = [dayText, weekdayText]
  return both.every(text => !/^[*?]$/.test(text)) && both.some(text => /^[*?]/.test(text))
}

/** cron-parser refuses lists that overlap, and gives up on far dates. */
function theirs(expression: string, tz: string, from: number): number[] | undefined {
  try {
    const iterator = CronExpressionParser.parse(expression, { tz, currentDate: new Date(from) })
    return Array.from({ length: 5 }, () => iterator.next().getTime())
  } catch {
    return undefined
  }
}

test('away from clock changes the schedule agrees with cron-parser', () => {
  let compared = 0
  const zones = ['UTC', 'Asia/Tokyo', 'Asia/Kolkata', 'America/Phoenix', 'Pacific/Kiritimati']
  fc.assert(
    fc.property(
      fc.tuple(textOf(0, 59), textOf(0, 23), day, month, weekday),
      fc.constantFrom(...zones),
      fc.integer({ min: Date.UTC(2000, 0, 1), max: Date.UTC(2050, 0, 1) }),
      (fields, zone, from) => {
        if (dayRulesDiffer(fields[2], fields[4])) return
        const expression = fields.join(' ')
        const expected = theirs(expression, zone, from)
        if (!expected) return
        compared += 1
        expect(parseCron(expression)).toHaveProperty('cron')
        let after = from
        const ours = expected.map(() => {
          after = nextAfter({ kind: 'cron', expression }, zone, after) ?? Number.NaN
          return after
        })
        expect({ expression, zone, ours }).toEqual({ expression, zone, ours: expected })
      },
    ),
    { numRuns: 1200 },
  )
  expect(compared).toBeGreaterThan(250)
})

test('no text makes the parser throw, and every problem is one line', () => {
  const piece = fc.constantFrom(
    ...'*/-,#?LHW0123456789 '.split(''),
    ' ',
    '*',
    '@',
    'MON',
    'jan',
    '\n',
    '\u0000',
  )
  const text = fc.oneof(
    fc.array(piece, { maxLength: 30 }).map(parts => parts.join('')),
    fc
      .array(
        fc.array(piece, { maxLength: 5 }).map(parts => parts.join('').trim()),
        {
          minLength: 5,
          maxLength: 6,
        },
      )
      .map(fields => fields.join(' ')),
    fc.string({ unit: 'binary', maxLength: 60 }),
  )
  fc.assert(
    fc.property(text, expression => {
      const parsed = parseCron(expression)
      const told =
        'problem' in parsed
          ? /^[^\p{Cc}]{10,300}$/u.test(parsed.problem)
          : (nextAfter({ kind: 'cron', expression }, 'UTC', 0) ?? 0) > 0
      expect({ expression, parsed, told }).toMatchObject({ told: true })
    }),
    { numRuns: 2000 },
  )
})
