import { expect, test } from 'vitest'
import { BodyRoom } from '../../../src/api/body-room.ts'

const MIB = 1 << 20
const stays = new AbortController().signal
/** Of each body a megabyte is free. */
const grown = 11 * MIB

function stateOf(promise: Promise<void>): () => string {
  let state = 'waits'
  promise.then(
    () => (state = 'has it'),
    (error: { code: string }) => (state = error.code),
  )
  return () => state
}

const soon = () => new Promise(resolve => setImmediate(resolve))

test('a body holds room for what has come of it, and gives it back', async () => {
  const room = new BodyRoom(10 * MIB, 60_000)
  const dawdler = room.open()
  await dawdler.grow(10, stays)
  const one = room.open()
  await one.grow(grown, stays)
  const next = stateOf(room.open().grow(grown, stays))
  one.release()
  await soon()
  expect(next()).toBe('has it')
})

test('when there is no room, the oldest goes on and the others wait for it', async () => {
  const room = new BodyRoom(10 * MIB, 60_000)
  const [first, second] = [room.open(), room.open()]
  await first.grow(6 * MIB, stays)
  await second.grow(6 * MIB, stays)
  const later = stateOf(second.grow(MIB, stays))
  const other = room.open()
  const last = stateOf(other.grow(3 * MIB, stays))
  await soon()
  // One goes beyond, so that not all wait for each other; it may take more.
  expect([later(), last()]).toEqual(['has it', 'waits'])
  await second.grow(20 * MIB, stays)
  const early = stateOf(first.grow(MIB, stays))
  await soon()
  expect([early(), last()]).toEqual(['waits', 'waits'])
  second.release()
  await soon()
  expect([early(), last()]).toEqual(['has it', 'has it'])
})

test('who waits for too long, or leaves, is refused and holds up nobody', async () => {
  const room = new BodyRoom(10 * MIB, 30)
  const holder = room.open()
  await holder.grow(grown, stays)
  const beyond = room.open()
  await beyond.grow(grown, stays)
  await expect(room.open().grow(grown, stays)).rejects.toMatchObject({ code: 'E_BUSY' })
  const left = AbortSignal.abort()
  await expect(room.open().grow(grown, left)).rejects.toMatchObject({ code: 'E_BUSY' })
  holder.release()
  beyond.release()
  await room.open().grow(grown, stays)
})
