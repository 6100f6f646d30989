import { expect, test } from 'vitest'
import { Settling } from '../../../src/master/settling.ts'
import { fakeClock } from '../../support/fake-clock.ts'

const hangs = () => new Promise<void>(() => undefined)

function started() {
  const time = fakeClock()
  const logged: unknown[] = []
  const log = { warn: note, error: note }
  function note(...what: unknown[]) {
    logged.push(what)
  }
  const done: string[] = []
  const does = (what: string) => async () => void done.push(what)
  return {
    settling: new Settling(time.clock, log),
    advance: (ms: number) => time.advance(ms),
    logged,
    done,
    does,
  }
}

test('a part that hangs holds up neither the others nor the reload, and is named', async () => {
  const { settling, advance, logged, done, does } = started()
  const settled = settling.settle({ channels: hangs, relays: does('relays'), jobs: hangs })
  await advance(3000)
  await settled
  expect(done).toEqual(['relays'])
  expect(logged).toEqual([
    [{ waiting: 'channels, jobs' }, expect.stringContaining('follow when it is back')],
  ])
  // The next reload is not held up by it either.
  const next = settling.settle({ channels: does('channels'), relays: does('relays again') })
  await advance(3000)
  await next
  expect(done).toEqual(['relays', 'relays again'])
})

test('a part takes one configuration after another', async () => {
  const { settling, advance, done, does } = started()
  let back: () => void = () => undefined
  const away = new Promise<void>(resolve => {
    back = resolve
  })
  const first = settling.settle({ jobs: () => away.then(does('first')) })
  await advance(3000)
  await first
  const second = settling.settle({ jobs: does('second') })
  expect(done).toEqual([])
  back()
  await second
  expect(done).toEqual(['first', 'second'])
})

test('what a part throws in time is thrown, and what it throws later is told', async () => {
  const { settling, advance, logged } = started()
  const broken = async () => {
    throw new Error('broken')
  }
  await expect(settling.settle({ jobs: broken })).rejects.toThrow('broken')
  let fail: () => void = () => undefined
  const failing = new Promise<void>((_, reject) => {
    fail = () => reject(new Error('late'))
  })
  const settled = settling.settle({ jobs: () => failing })
  await advance(3000)
  await settled
  fail()
  await failing.catch(() => undefined)
  await new Promise(resolve => setImmediate(resolve))
  expect(logged.at(-1)).toEqual([{ error: 'late' }, 'reload'])
})
