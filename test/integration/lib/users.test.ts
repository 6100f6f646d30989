import { expect, test } from 'vitest'
import { lookUpUser } from '../../../src/lib/users.ts'

test('a user is found by name and by uid', async () => {
  expect(await lookUpUser('root')).toMatchObject({ name: 'root', uid: 0, gid: 0 })
  expect(await lookUpUser('0')).toMatchObject({ name: 'root' })
})

test('a user that is not there is told apart from a look that failed, and each is asked for again', async () => {
  await expect(lookUpUser('nobody-of-this-name')).rejects.toThrow(
    /^no such user: nobody-of-this-name$/,
  )
  const path = process.env['PATH']
  process.env['PATH'] = '/nonexistent'
  try {
    await expect(lookUpUser('daemon')).rejects.toThrow(/^user daemon cannot be looked up: .*ENOENT/)
  } finally {
    process.env['PATH'] = path
  }
  expect(await lookUpUser('daemon')).toMatchObject({ name: 'daemon' })
})
