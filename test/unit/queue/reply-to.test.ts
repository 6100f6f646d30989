import { expect, test } from 'vitest'
import { refuseReplyTo } from '../../../src/queue/keys.ts'

const QUEUES = ['sync_tasks', 'far']

test.each(['sync_tasks', 'far', 'Task:Outbox', 'Task:', '{taskd}:far:wait', '{taskd}'])(
  'no answer goes to %s',
  key => {
    expect(refuseReplyTo(key, QUEUES)).toBe(`names ${key}, a list that taskd itself uses`)
  },
)

test.each([undefined, 'reply:42', 'task:1', 'far:1', 'x{taskd}'])('%s is allowed', key => {
  expect(refuseReplyTo(key, QUEUES)).toBeUndefined()
})
