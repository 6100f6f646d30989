import { describe, expect, test } from 'vitest'
import { formatSize, parseSize } from '../../../src/lib/size.ts'

describe('a size', () => {
  test.each([
    ['0', 0],
    ['1000', 1000],
    ['12B', 12],
    ['64KB', 65_536],
    ['64 kb', 65_536],
    ['50MB', 52_428_800],
    ['1GB', 1_073_741_824],
  ])('%s is %d bytes', (text, bytes) => {
    expect(parseSize(text)).toEqual({ ok: true, value: bytes })
  })

  test.each([
    ['', 'is empty'],
    ['-1', 'is negative'],
    ['much', 'is not a size'],
    ['1.5MB', 'is not a size'],
    ['5TB', 'has the unknown unit "TB" (known: KB, MB, GB)'],
    ['9999999999GB', 'is too large'],
  ])('%j is refused with the reason', (text, reason) => {
    expect(parseSize(text)).toEqual({ ok: false, reason })
  })

  test.each([
    [0, '0'],
    [1000, '1000'],
    [65_536, '64KB'],
    [1_073_741_824, '1GB'],
  ])('%d bytes are written as %s', (bytes, text) => {
    expect(formatSize(bytes)).toBe(text)
  })
})
