import { expect, test } from 'vitest'
import { Room } from '../../../src/master/room.ts'
import type { TaskQueues } from '../../../src/queue/task-queues.ts'
import { fakeClock } from '../../support/fake-clock.ts'
import { aQueue } from '../../support/queue-bench.ts'

const NOW = Date.parse('2026-11-30T12:00:00Z')

function room(waiting: number, delayed: number): Room {
  const counts = { waiting, delayed, active: 0, bad: 0, paused: false }
  const queues = { counts: () => Promise.resolve(counts) } as unknown as TaskQueues
  return new Room(queues, fakeClock(NOW).clock)
}

test('tasks that are not due yet leave those that are due all of the capacity', async () => {
  const spec = aQueue({ capacity: 3 })
  const later = { startAt: NOW + 60_000 }
  const due = { startAt: NOW - 60_000 }
  await expect(room(2, 3).take(spec, {})).resolves.toBeUndefined()
  await expect(room(2, 3).take(spec, due)).resolves.toBeUndefined()
  await expect(room(2, 3).take(spec, later)).rejects.toThrow('wait for their start_time')
  await expect(room(3, 2).take(spec, later)).resolves.toBeUndefined()
  await expect(room(3, 2).take(spec, {})).rejects.toThrow('is full: 3 tasks wait')
})
