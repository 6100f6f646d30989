import { expect, test } from 'vitest'
import { FIELDS, type Field } from '../../../src/schedule/cron-fields.ts'
import { fieldSet } from '../../../src/schedule/cron-sets.ts'

/** What the remedy for a range that runs backwards offers. */
function remedyFor(field: Field, item: string): string {
  const set = fieldSet(field, item)
  if (!('problem' in set)) throw new Error(`${item} is taken as it is`)
  const remedy = /runs backwards\. write (\S+)$/.exec(set.problem)?.[1]
  if (remedy === undefined) throw new Error(`no remedy: ${set.problem}`)
  return remedy
}

/** From one value to the other, on from the lowest after the highest, by steps. */
function meant({ name, min, max }: Field, from: number, to: number, step: number): number[] {
  const top = name === 'weekday' ? 6 : max
  const length = top - min + 1
  const start = name === 'weekday' ? from % 7 : from
  const way = (to - start + length) % length
  const values = new Set<number>()
  for (let gone = 0; gone <= way; gone += step) values.add(min + ((start - min + gone) % length))
  return [...values].toSorted((a, b) => a - b)
}

const cases = FIELDS.flatMap(field => {
  const all = Array.from({ length: field.max - field.min + 1 }, (_, n) => field.min + n)
  return all.flatMap(from =>
    all
      .filter(to => to < from)
      .flatMap(to => [1, 2, 3, 5, 7].map(step => ({ field, from, to, step }))),
  )
})

test('each remedy for a range that runs backwards is taken, and means what was meant', () => {
  expect(cases.length).toBeGreaterThan(20_000)
  const wrong = cases.flatMap(({ field, from, to, step }) => {
    const item = `${from}-${to}${step === 1 ? '' : `/${step}`}`
    if (step > field.max) return []
    const remedy = remedyFor(field, item)
    const set = fieldSet(field, remedy)
    const values = 'problem' in set ? set.problem : set.values
    const right = meant(field, from, to, step)
    return JSON.stringify(values) === JSON.stringify(right) ? [] : [{ item, remedy, values, right }]
  })
  expect(wrong.slice(0, 5)).toEqual([])
})

test.each([
  ['weekday', '7-4', '0-4'],
  ['weekday', '5-0', '5-7'],
  ['weekday', '5-0/2', '5-7/2'],
  ['weekday', 'FRI-MON', '5-6,0-1'],
  ['minute', '57-51/2', '57-59/2,1-51/2'],
  ['hour', '22-2', '22-23,0-2'],
  ['minute', '50-10/30', '50'],
] as const)('%s %s: %s', (name, item, remedy) => {
  const field = FIELDS.find(one => one.name === name)
  expect(field && remedyFor(field, item)).toBe(remedy)
})

test('a step that is wider than its field: once, where it begins', () => {
  const minute = FIELDS.find(one => one.name === 'minute')
  expect(minute && fieldSet(minute, '30/61')).toMatchObject({
    problem: expect.stringContaining('or 30 for once'),
  })
})
