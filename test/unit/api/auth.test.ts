import { expect, test } from 'vitest'
import { createAuth, SCOPES, secretOf } from '../../../src/api/auth.ts'

const opens = (auth: ReturnType<typeof createAuth>, secret: string) => [
  ...(auth.scopesOf(secret) ?? []),
]

test('each secret opens what it is for, and the first one everything', () => {
  const auth = createAuth({ all: 'a', read: 'r', push: 'p', pull: 'l' })
  expect(opens(auth, 'a')).toEqual([...SCOPES])
  expect(opens(auth, 'r')).toEqual(['read'])
  expect(opens(auth, 'p')).toEqual(['push'])
  expect(opens(auth, 'l')).toEqual(['pull'])
  expect(auth.open).toBe(false)
})

test('the same secret in two places opens both', () => {
  expect(opens(createAuth({ read: 'x', push: 'x' }), 'x')).toEqual(['read', 'push'])
})

test.each(['', 'A', 'aa', 'a ', ' a', 'a\u0000', 'undefined'])('%j is not a', secret => {
  expect(createAuth({ all: 'a' }).scopesOf(secret)).toBeUndefined()
})

test('without any secret it is open, and yet no secret is right', () => {
  const auth = createAuth({ all: undefined })
  expect(auth.open).toBe(true)
  expect(auth.scopesOf('')).toBeUndefined()
})

test('one scoped secret is enough to close everything else', () => {
  expect(createAuth({ read: 'r' }).open).toBe(false)
})

test('a secret of other letters is compared by its bytes, as a header carries them', () => {
  const auth = createAuth({ all: 'größe 密' })
  const onTheWire = Buffer.from('größe 密').toString('latin1')
  expect(auth.scopesOf(onTheWire)).toBeDefined()
  expect(auth.scopesOf('größe 密')).toBeUndefined()
})

/** Timing cannot be told apart where every secret is always looked at: count the looks. */
test('right or wrong, first or last: every secret is compared', async () => {
  const { vi } = await import('vitest')
  const crypto = await import('node:crypto')
  const compare = vi.fn(crypto.timingSafeEqual)
  vi.resetModules()
  vi.doMock('node:crypto', () => ({ ...crypto, timingSafeEqual: compare }))
  const mocked = await import('../../../src/api/auth.ts')
  vi.doUnmock('node:crypto')
  const auth = mocked.createAuth({ all: 'a', read: 'r', push: 'p', pull: 'l' })
  for (const secret of ['a', 'l', 'wrong', '', 'a'.repeat(10_000)]) {
    compare.mockClear()
    auth.scopesOf(secret)
    expect(compare).toHaveBeenCalledTimes(4)
    for (const [one, other] of compare.mock.calls) {
      expect([one.byteLength, other.byteLength]).toEqual([32, 32])
    }
  }
})

test.each<[Record<string, string>, string | undefined]>([
  [{ secret: 's' }, 's'],
  [{ authorization: 'Bearer b' }, 'b'],
  [{ authorization: 'bearer   b c' }, 'b c'],
  [{ secret: 's', authorization: 'Bearer b' }, 's'],
  [{ secret: '', authorization: 'Bearer b' }, ''],
  [{ authorization: 'Basic b' }, undefined],
  [{ authorization: 'Bearer' }, undefined],
  [{}, undefined],
])('the secret of %j is %j', (headers, expected) => {
  expect(secretOf(name => headers[name])).toBe(expected)
})
