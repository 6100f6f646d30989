import { expect, test } from 'vitest'
import { fitted } from '../../../src/failures/fit.ts'
import { WIDTHS } from '../../../src/store/tables.ts'
import { failRow } from '../../support/fail-rows.ts'

const cut = (text: string) => fitted(failRow({ unique_task_id: text })).unique_task_id

test('a row that fits is left as it is', () => {
  const row = failRow({ unique_task_id: '\u{1F600}'.repeat(255), output: 'x'.repeat(65_536) })
  expect(fitted(row)).toEqual(row)
})

test('every text is cut to its width, counted in characters and not in halves of them', () => {
  const long = '\u{1F600}'.repeat(70_000)
  const row = fitted(failRow({ job: long, node: long, code: long, output: long, signal: long }))
  expect(Array.from(row.job)).toHaveLength(WIDTHS.job)
  expect(Array.from(row.signal)).toHaveLength(WIDTHS.signal)
  expect(Array.from(row.output)).toHaveLength(65_536)
  expect(row.output.isWellFormed()).toBe(true)
})

test('long ids stay different when they are cut, and the same id is cut the same way', () => {
  const id = 'i'.repeat(300)
  expect(cut(`${id}a`)).not.toBe(cut(`${id}b`))
  expect(cut(`${id}a`)).toBe(cut(`${id}a`))
  expect(cut(id)).toHaveLength(255)
})

test('what is of no use as a number or a text becomes one', () => {
  const row = failRow({
    attempt: Number.NaN,
    exit_code: 2 ** 40,
    msg: undefined as unknown as string,
    code: { a: 1 } as unknown as string,
  })
  expect(fitted(row)).toEqual({
    ...row,
    attempt: 0,
    exit_code: 2_147_483_647,
    msg: '',
    code: '{"a":1}',
  })
})
