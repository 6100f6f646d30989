import { describe, expect, test } from 'vitest'
import { buildQuery } from '../../../src/model/http-build-query.ts'

const query = (value: object) => {
  const built = buildQuery(value)
  if (!built.ok) throw new Error(built.reason)
  return built.value
}

describe('a query string', () => {
  test.each<[object, string]>([
    [{}, ''],
    [{ a: 1, b: 'x y' }, 'a=1&b=x+y'],
    [{ a: { b: [1, true] } }, 'a%5Bb%5D%5B0%5D=1&a%5Bb%5D%5B1%5D=1'],
    [{ a: null, b: undefined, c: false }, 'c=0'],
    [{ a: [], b: {} }, ''],
    [['x', ['y']], '0=x&1%5B0%5D=y'],
    [{ "!'()*~": '-_.' }, '%21%27%28%29%2A%7E=-_.'],
    [{ 'a[b]': '&=#+%' }, 'a%5Bb%5D=%26%3D%23%2B%25'],
    [{ a: '' }, 'a='],
  ])('of %j is %j', (value, expected) => {
    expect(query(value)).toBe(expected)
  })

  test('half a character becomes the replacement character instead of an error', () => {
    expect(query({ a: '\uD83D' })).toBe('a=%EF%BF%BD')
  })

  test('64 levels are taken, 65 are refused', () => {
    const nested = (levels: number): object => {
      let value: object = { x: 1 }
      for (let n = 1; n < levels; n += 1) value = { a: value }
      return value
    }
    expect(query(nested(64))).toContain('=1')
    expect(buildQuery(nested(65))).toMatchObject({ ok: false })
  })
})
