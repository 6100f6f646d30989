import * as fc from 'fast-check'
import type { OracleField, OracleJob } from './cronie.ts'

const any: OracleField = { text: '*', matches: () => true }

/** Text and meaning of a field are drawn together, so no parser stands between them. */
export function field(min: number, max: number, starWeight = 2): fc.Arbitrary<OracleField> {
  const value = fc.integer({ min, max })
  const span = fc.tuple(value, value).map(([a, b]) => [Math.min(a, b), Math.max(a, b)] as const)
  const step = fc.integer({ min: 1, max: Math.min(max, 12) })
  const single = value.map(n => ({ text: `${n}`, matches: (v: number) => v === n }))
  const range = fc.tuple(span, step, fc.boolean()).map(([[a, b], by, stepped]) => ({
    text: stepped ? `${a}-${b}/${by}` : `${a}-${b}`,
    matches: (v: number) => v >= a && v <= b && (!stepped || (v - a) % by === 0),
  }))
  const starStep = step.map(by => ({
    text: `*/${by}`,
    matches: (v: number) => (v - min) % by === 0,
  }))
  const list = fc.array(fc.oneof(single, range, starStep), { minLength: 1, maxLength: 4 })
  return fc.oneof(
    { weight: starWeight, arbitrary: fc.constant(any) },
    { weight: 3, arbitrary: single },
    {
      weight: 3,
      arbitrary: list.map(items => ({
        text: items.map(one => one.text).join(','),
        matches: (v: number) => items.some(one => one.matches(v)),
      })),
    },
  )
}

/** Weekday 7 is Sunday too. */
export const weekdayField = field(0, 7, 4).map(({ text, matches }) => ({
  text,
  matches: (v: number) => matches(v) || (v === 0 && matches(7)),
}))

const zero: OracleField = { text: '0', matches: v => v === 0 }

export const minuteJob: fc.Arbitrary<OracleJob> = fc
  .tuple(field(0, 59, 1), field(0, 23, 1), field(1, 31, 5), field(1, 12, 6), weekdayField)
  .map(([minute, hour, day, month, weekday]) => ({
    fields: [zero, minute, hour, day, month, weekday],
  }))

export const secondJob: fc.Arbitrary<OracleJob> = fc
  .tuple(field(0, 59, 1), field(0, 59, 1), field(0, 23, 2), weekdayField)
  .map(([second, minute, hour, weekday]) => ({
    fields: [second, minute, hour, any, any, weekday],
  }))

export function expressionOf({ fields }: OracleJob, withSeconds: boolean): string {
  return fields
    .slice(withSeconds ? 0 : 1)
    .map(one => one.text)
    .join(' ')
}
