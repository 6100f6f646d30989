import { expect, test } from 'vitest'
import { readColumns } from '../../../src/config/columns.ts'
import { checkRows } from '../../../src/features/channel/check-rows.ts'

function check(columns: string, rows: readonly unknown[]) {
  const read = readColumns(columns)
  if (!read.ok) throw new Error(read.reason)
  return checkRows({ columns: read.value }, rows)
}

function problems(columns: string, ...rows: unknown[]): readonly string[] {
  const checked = check(columns, rows)
  return checked.ok ? [] : checked.problems
}

test('fields go to their columns, and what is left out is left to the table', () => {
  const rows = [{ id: 1, phone: '138' }, { id: 2 }, { id: 3, phone: null }]
  expect(check('id!, phone=phone_no', rows)).toEqual({
    ok: true,
    rows: [{ id: 1, phone_no: '138' }, { id: 2 }, { id: 3, phone_no: null }],
  })
})

test('every mistake is named by row and field', () => {
  expect(
    problems(
      'id!:int, phone:text(3), ok:bool, score:number, at:time, any',
      { id: 1, phnoe: 'x' },
      { phone: '1234' },
      { id: null, ok: 1 },
      { id: 1.5, score: '1', at: 'tomorrow' },
      'text',
      [1],
      { id: 2, phone: 7, any: { a: 1 } },
      { id: 3, any: [1] },
    ),
  ).toEqual([
    'rows[0].phnoe: is unknown, did you mean phone?',
    'rows[1].phone: is longer than 3 characters',
    'rows[1].id: is missing',
    'rows[2].id: must not be null',
    'rows[2].ok: is neither true nor false',
    'rows[3].id: is no whole number',
    'rows[3].score: is no number',
    'rows[3].at: is no time such as 2026-11-21T10:00:00+08:00',
    'rows[4]: is no object',
    'rows[5]: is no object',
    'rows[6].phone: is no text',
    'rows[6].any: is an object; write any:json in columns to store it as JSON text',
    'rows[7].any: is a list; write any:json in columns to store it as JSON text',
  ])
})

test('a value that a database would change or choke on is refused', () => {
  expect(problems('a', { a: 'x\0y' })).toEqual([
    'rows[0].a: has a NUL character, which no database stores',
  ])
  expect(problems('a', { a: 'x\uD800' })).toEqual([
    'rows[0].a: has half a character (a lone surrogate)',
  ])
  const inexact = 'is larger than a number of JSON is exact; send it as text'
  expect(problems('a, b:int', { a: 2 ** 53, b: -(2 ** 60) })).toEqual([
    `rows[0].a: ${inexact}`,
    `rows[0].b: ${inexact}`,
  ])
  expect(problems('b:int', { b: '9223372036854775807' })).toEqual([])
  expect(problems('b:int', { b: '1; drop table x' })).toEqual(['rows[0].b: is no whole number'])
})

test('lengths are counted in characters as databases do', () => {
  expect(problems('a:text(2)', { a: '🙂🙂' }, { a: '广州' }, { a: '🙂🙂🙂' })).toEqual([
    'rows[2].a: is longer than 2 characters',
  ])
})

test('times of any offset are stored as the same instant in UTC', () => {
  const rows = [
    '2026-11-21T10:00:00+08:00',
    '2026-11-21 02:00:00.5Z',
    '2026-11-20T21:00-0500',
    '2026-02-29T00:00:00Z',
    '2026-11-21T10:00:00',
    '2026-13-01T00:00:00Z',
    5,
  ].map(at => ({ at }))
  expect(check('at:time', rows.slice(0, 3))).toEqual({
    ok: true,
    rows: [
      { at: '2026-11-21 02:00:00.000' },
      { at: '2026-11-21 02:00:00.500' },
      { at: '2026-11-21 02:00:00.000' },
    ],
  })
  expect(problems('at:time', ...rows.slice(3))).toHaveLength(4)
})

test('json is stored as its text', () => {
  expect(check('a:json', [{ a: { b: [1, 'x'] } }, { a: 'text' }, { a: null }])).toEqual({
    ok: true,
    rows: [{ a: '{"b":[1,"x"]}' }, { a: '"text"' }, { a: null }],
  })
})

test('twenty mistakes are shown and the rest counted', () => {
  const rows = Array.from({ length: 5000 }, () => ({ x: 1 }))
  const checked = check('id!', rows)
  expect(checked).toMatchObject({ ok: false, more: 10_000 - 20 })
  expect(checked.ok ? [] : checked.problems).toHaveLength(20)
})

test('names that mean something to JavaScript are fields like any other', () => {
  const rows = JSON.parse('[{"__proto__":{"id":1}},{"constructor":1},{"toString":1}]') as unknown[]
  expect(problems('id!', ...rows)).toEqual([
    'rows[0].__proto__: is no field of this channel',
    'rows[0].id: is missing',
    'rows[1].constructor: is no field of this channel',
    'rows[1].id: is missing',
    'rows[2].toString: is no field of this channel',
    'rows[2].id: is missing',
  ])
  expect(problems('id!', { 'a\nb': 1, id: 1 })).toEqual([
    'rows[0].a\\nb: is no field of this channel',
  ])
})
