import { describe, expect, test } from 'vitest'
import { clean, cut, pad, table, textWidth, wrap } from '../../../src/cli/render.ts'
import { count } from '../../../src/lib/count.ts'

describe('textWidth', () => {
  test.each([
    ['', 0],
    ['abc', 3],
    ['字段', 4],
    ['a字b', 4],
    ['한글', 4],
    ['ｆｕｌｌ', 8],
    ['é', 1],
    ['e\u0301', 1],
    ['🚀', 2],
    ['Ω→…', 3],
  ])('%j takes %i columns', (text, width) => {
    expect(textWidth(text)).toBe(width)
  })
})

test('columns line up whatever script a name is written in', () => {
  expect(
    table([
      ['任务', 'RUNNING', 'x'],
      ['a', 'OPEN', 'y'],
    ]),
  ).toEqual(['任务  RUNNING  x', 'a     OPEN     y'])
})

test('a table has no blanks at the end of its lines', () => {
  expect(
    table([
      ['a', 'b', ''],
      ['long', '', ''],
    ]),
  ).toEqual(['a     b', 'long'])
})

test('padding never shortens', () => {
  expect(pad('字', 4)).toBe('字  ')
  expect(pad('long', 2)).toBe('long')
})

test('a cut text fits and shows that it was cut', () => {
  expect(cut('abcdef', 6)).toBe('abcdef')
  expect(cut('abcdef', 5)).toBe('abcd…')
  expect(cut('字段字段', 5)).toBe('字段…')
  expect(textWidth(cut('字段字段', 6))).toBeLessThanOrEqual(6)
})

test('text is broken at blanks, and a long word stays whole', () => {
  expect(wrap('one two three', 8)).toEqual(['one two', 'three'])
  expect(wrap('/a/very/long/path is bad', 8)).toEqual(['/a/very/long/path', 'is bad'])
  expect(wrap('', 8)).toEqual([''])
})

test('control and direction characters become visible', () => {
  expect(clean('a\u001B[31mb\r\u0000\u009B\u202E')).toBe(
    'a\\u001b[31mb\\u000d\\u0000\\u009b\\u202e',
  )
  expect(clean('字段 é 🚀')).toBe('字段 é 🚀')
})

test('one is not many', () => {
  expect([count(0, 'task'), count(1, 'task'), count(2, 'task')]).toEqual([
    '0 tasks',
    '1 task',
    '2 tasks',
  ])
})
