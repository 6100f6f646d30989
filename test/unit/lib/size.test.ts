import { expect, test } from 'vitest'
import { parseSize } from '../../../src/lib/size.ts'

test.each([
  ['0', 0],
  ['1048576', 1_048_576],
  ['64KB', 65_536],
  ['50MB', 52_428_800],
  ['50mb', 52_428_800],
  ['5 Gb', 5_368_709_120],
])('%s is %d bytes', (text, value) => {
  expect(parseSize(text)).toEqual({ ok: true, value })
})

test.each([
  ['', 'is not a size'],
  ['big', 'is not a size'],
  ['1.5MB', 'is not a size'],
  ['-1MB', 'is negative'],
  ['10M', 'has the unknown unit "M" (known: KB, MB, GB)'],
  ['9999999999GB', 'is too large'],
])('%j is refused', (text, reason) => {
  expect(parseSize(text)).toEqual({ ok: false, reason })
})
