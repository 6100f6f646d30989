import { describe, expect, test } from 'vitest'
import {
  lastLines,
  RunTail,
  type RunTailOptions,
  type TailItem,
} from '../../../src/master/run-tail.ts'

function tailOf(options: Partial<RunTailOptions> = {}): RunTail {
  return new RunTail({ lines: 10, follow: true, only: undefined, initial: new Map(), ...options })
}

const part = (id: string, at: number, text: string, snapshot = false): TailItem => ({
  type: 'output',
  workerId: 'w',
  id,
  at,
  bytes: Buffer.from(text),
  snapshot,
  label: id,
})
const first = (id: string, text: string, at = 0) => part(id, at, text, true)
const ended = (id: string): TailItem => ({ type: 'ended', id, how: 'succ, 1 s' })
const LOST: TailItem = { type: 'lost', workerId: 'w' }

/** All that it says of these, in order. */
async function read(tail: RunTail, ...items: readonly TailItem[]): Promise<string> {
  for (const item of items) tail.push(item)
  tail.end()
  let text = ''
  for await (const bytes of tail) text += Buffer.from(bytes).toString()
  return text
}

describe('the tail of one run', () => {
  const one = (lines = 10) => tailOf({ only: 'a', lines, initial: new Map([['a', 'w']]) })

  test('begins with the last lines so far and goes on without a gap', async () => {
    const text = await read(one(2), first('a', '1\n2\n3\n'), part('a', 6, '4\n'), ended('a'))
    expect(text).toBe('2\n3\n4\n')
  })

  test('what it has had already does not come again with another snapshot', async () => {
    const text = await read(
      one(),
      first('a', 'one '),
      part('a', 4, 'two '),
      first('a', 'one two '),
      first('a', 'two three', 4),
    )
    expect(text).toBe('one two three')
  })

  test('parts that come before the first snapshot are in it', async () => {
    const text = await read(one(), part('a', 4, 'two '), first('a', 'one two '))
    expect(text).toBe('one two ')
  })

  test('what was left out on the way is counted and told where it is missing', async () => {
    const text = await read(one(), first('a', 'begin'), part('a', 1005, 'end\n'))
    expect(text).toBe('begin\n[taskd: 1000 bytes left out here]\nend\n')
  })

  test('is over with the run, and says nothing about it', async () => {
    const tail = one()
    for (const item of [first('a', 'x'), ended('a'), part('a', 1, 'late')]) tail.push(item)
    let text = ''
    for await (const bytes of tail) text += Buffer.from(bytes).toString()
    expect(text).toBe('x')
  })

  test('is over with its worker, and says so', async () => {
    const tail = one()
    for (const item of [first('a', 'x'), LOST]) tail.push(item)
    let text = ''
    for await (const bytes of tail) text += Buffer.from(bytes).toString()
    expect(text).toBe('x\n[taskd: its worker ended before it; the task goes back on its queue]\n')
  })

  test('without follow it is over once the output so far is there', async () => {
    const tail = tailOf({ only: 'a', follow: false, initial: new Map([['a', 'w']]) })
    for (const item of [first('b', 'other'), first('a', 'mine'), part('a', 4, 'more')])
      tail.push(item)
    let text = ''
    for await (const bytes of tail) text += Buffer.from(bytes).toString()
    expect(text).toBe('mine')
  })
})

describe('the tail of a worker', () => {
  test('puts a headline wherever another run begins to speak, and tells how each ended', async () => {
    const text = await read(
      tailOf(),
      first('a', 'a1\n'),
      part('a', 3, 'a2'),
      first('b', ''),
      part('b', 0, 'b1\n'),
      part('a', 5, 'a3\n'),
      ended('a'),
      ended('b'),
    )
    expect(text).toBe(
      '==> a <==\na1\na2\n==> b <==\nb1\n==> a <==\na3\n==> a: succ, 1 s <==\n==> b: succ, 1 s <==\n',
    )
  })

  test('a task that runs again is heard again', async () => {
    const text = await read(tailOf(), first('a', '1\n'), ended('a'), first('a', '1\n'), ended('a'))
    expect(text).toBe('==> a <==\n1\n==> a: succ, 1 s <==\n==> a <==\n1\n==> a: succ, 1 s <==\n')
  })

  test('a run that began meanwhile is shown from its start, however many lines', async () => {
    const text = await read(tailOf({ lines: 1 }), first('a', '1\n2\n3\n'))
    expect(text).toBe('==> a <==\n1\n2\n3\n')
  })

  test('goes on when the worker dies', async () => {
    const text = await read(tailOf(), first('a', 'x'), LOST, first('a', 'y'))
    expect(text).toContain('==> a: its worker ended before it')
    expect(text.endsWith('==> a <==\ny')).toBe(true)
  })

  test('with nothing in progress and without follow it is over at once', async () => {
    const tail = tailOf({ follow: false })
    expect((await tail[Symbol.asyncIterator]().next()).done).toBe(true)
  })
})

test('a reader that never reads costs a bounded amount, and then has the end', async () => {
  const tail = tailOf({ only: 'a' })
  const bytes = 'x'.repeat(10_000)
  const before = process.memoryUsage().arrayBuffers
  tail.push(first('a', ''))
  for (let n = 0; n < 10_000; n += 1) tail.push(part('a', n * 10_000, bytes))
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(50e6)
  tail.push(part('a', 100_000_000, 'END'))
  tail.end()
  let text = ''
  for await (const chunk of tail) text += Buffer.from(chunk).toString()
  const [, left = '0'] = /left out here/.exec(text) ? (/: (\d+) bytes/.exec(text) ?? []) : []
  expect(text.length).toBeLessThan(300_000)
  expect(Number(left) + text.replace(/\[taskd.*\]\n/, '').length).toBe(100_000_003)
  expect(text.endsWith('xEND')).toBe(true)
})

test('very many short runs do not pile up for a reader that never reads', async () => {
  const tail = tailOf()
  for (let n = 0; n < 100_000; n += 1) {
    tail.push(first(`${n}`, ''))
    tail.push(ended(`${n}`))
  }
  tail.end()
  let count = 0
  for await (const _ of tail) count += 1
  expect(count).toBeLessThan(2000)
})

test.each([
  ['a\nb\nc\n', 2, 'b\nc\n'],
  ['a\nb\nc', 2, 'b\nc'],
  ['a\nb\nc', 5, 'a\nb\nc'],
  ['\n\n\n', 2, '\n\n'],
  ['a', 1, 'a'],
  ['', 3, ''],
  ['a\n', 0, ''],
  ['\na', 1, 'a'],
])('of %j the last %i lines are %j', (text, lines, expected) => {
  expect(lastLines(Buffer.from(text), lines).toString()).toBe(expected)
})

test('what a slow reader misses is counted together with what was left out before it', async () => {
  const tail = tailOf({ only: 'a' })
  const bytes = 'x'.repeat(10_000)
  tail.push(first('a', ''))
  for (let n = 0; n < 100; n += 1) tail.push(part('a', n * 30_000, bytes))
  tail.end()
  let text = ''
  for await (const chunk of tail) text += Buffer.from(chunk).toString()
  let missed = 0
  const plain = text.replace(/\n?\[taskd: (\d+) bytes left out here\]\n/g, (_note, count) => {
    missed += Number(count)
    return ''
  })
  expect(plain.length + missed).toBe(99 * 30_000 + 10_000)
})
