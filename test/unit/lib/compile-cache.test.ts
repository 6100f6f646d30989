import { expect, test } from 'vitest'
import { COMPILE_CACHE, hideCompileCache } from '../../../src/lib/compile-cache.ts'

test('our folder of compiled code leaves the environment, and one of the user stays', () => {
  const ours = { ...COMPILE_CACHE, PATH: '/bin' }
  hideCompileCache(ours)
  expect(ours).toEqual({ PATH: '/bin' })
  const theirs = { NODE_COMPILE_CACHE: '/var/cache/node' }
  hideCompileCache(theirs)
  expect(theirs).toEqual({ NODE_COMPILE_CACHE: '/var/cache/node' })
})
