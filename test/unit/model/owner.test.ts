import { expect, test } from 'vitest'
import { currentOwner, formatOwner, ownerLives, parseOwner } from '../../../src/model/owner.ts'

const owner = currentOwner('host-sync_tasks-1', '0123456789ab')

test('an owner is written and read, also with the number of a lock behind it', () => {
  expect(parseOwner(formatOwner(owner))).toEqual(owner)
  expect(parseOwner(`${formatOwner(owner)}:17`)).toEqual(owner)
  expect(parseOwner(`${formatOwner(owner)}:recovered`)).toEqual(owner)
})

test.each(['a.b-c', 'a@b', 'host.example.org-q-1', 'with.0.1.2', '字-q-1'])(
  'a worker may be called %j',
  workerId => {
    const one = { ...owner, workerId }
    expect(parseOwner(formatOwner(one))).toEqual(one)
  },
)

test.each(['', '0', 'd9b0c1f4-2c56-4d0f-8f0a-7f4c3a5d7e11:3', 'a@b', '@i.b.1.2', 'w@i.b.x.2'])(
  '%j is nobody that can be judged',
  text => {
    expect(parseOwner(text)).toBeUndefined()
  },
)

test('this process lives; another start time, pid or boot does not', () => {
  expect(ownerLives(owner)).toBe(true)
  expect(ownerLives({ ...owner, startTime: owner.startTime + 1 })).toBe(false)
  expect(ownerLives({ ...owner, pid: 2 ** 22 + 1 })).toBe(false)
  expect(ownerLives({ ...owner, boot: 'ffffffff' })).toBe(false)
})
