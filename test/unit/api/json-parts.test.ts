import { array, assert, asyncProperty, constantFrom, integer, jsonValue, string } from 'fast-check'
import { expect, test } from 'vitest'
import { parseParts, textsOf } from '../../../src/api/json-parts.ts'
import { JsonScan } from '../../../src/api/json-scan.ts'
import { Turns } from '../../../src/lib/turns.ts'

const LIMITS = { values: 1000, atOnce: 100 }
const turns = new Turns(8)

/** Looked through in pieces of so many bytes, then parsed. */
async function read(text: string, step = 7, limits = LIMITS): Promise<unknown> {
  const bytes = Buffer.from(text)
  const scan = new JsonScan(limits)
  for (let at = 0; at < bytes.length; at += step) scan.push(bytes.subarray(at, at + step))
  return parseParts(bytes, scan.cuts, turns)
}

const wide = { values: 1e9, atOnce: 1e9 }

test('the result is that of JSON.parse, however it comes', async () => {
  const spaced = (value: unknown, blanks: number) => JSON.stringify(value, null, blanks)
  const property = asyncProperty(
    jsonValue({ maxDepth: 4 }),
    integer({ min: 0, max: 2 }),
    integer({ min: 1, max: 20 }),
    async (value, blanks, step) => {
      const text = spaced(value, blanks)
      expect(await read(text, step, wide)).toEqual(JSON.parse(text))
    },
  )
  await assert(property, { numRuns: 500 })
})

test('what JSON.parse refuses is refused, and nothing else', async () => {
  const sign = constantFrom('{', '}', '[', ']', ',', ':', '"a"', '1', ' ', 'null', '"', '\\', '-')
  const junk = array(sign, { maxLength: 12 }).map(parts => parts.join(''))
  const property = asyncProperty(junk, async text => {
    let expected: unknown = 'refused'
    try {
      expected = JSON.parse(text) as unknown
    } catch {
      // It stays.
    }
    const found = await read(text, 3, wide).catch(() => 'refused')
    expect([text, found]).toEqual([text, expected])
  })
  await assert(property, { numRuns: 3000 })
})

test.each([
  '{"x":1[2]}',
  '{"x":[1]2}',
  '{"x":[1]}{}',
  '[1]]',
  '[1,]',
  '{"a":1,}',
  '{,}',
  '{"a":[1}',
  '[{]}',
  '{"a"[1]}',
  'x[1]',
])('%s is not JSON', async text => {
  await expect(read(text)).rejects.toThrow('not valid JSON')
})

test('a key that is there twice, and one called __proto__', async () => {
  const text = '{"a":1,"__proto__":[2],"a":[3]}'
  expect(Object.entries((await read(text)) as object)).toEqual([
    ['a', [3]],
    ['__proto__', [2]],
  ])
})

test('the texts of the entries of a list are kept byte for byte', async () => {
  const { tasks } = (await read('{"tasks":[ {"a" : 1e2} ,{"b":12345678901234567890}]}')) as {
    tasks: unknown[]
  }
  const text = textsOf(tasks)
  expect([0, 1].map(n => text?.(n).trim())).toEqual(['{"a" : 1e2}', '{"b":12345678901234567890}'])
  expect(textsOf([])).toBeUndefined()
})

test.each([
  ['values in all', `[${'{},'.repeat(1000)}{}]`],
  ['values in one entry', `[[${'1,'.repeat(100)}1]]`],
  ['values in an entry of a list in an object', `{"a":[[${'1,'.repeat(100)}1]]}`],
  ['members of an object', `{${Array.from({ length: 101 }, (_, n) => `"${n}":1`).join()}}`],
  ['values in a member', `{"a":{"b":[${'1,'.repeat(100)}1]}}`],
  ['many lists in an object', `{${Array.from({ length: 101 }, (_, n) => `"${n}":[]`).join()}}`],
])('too many %s: refused before the end has come', (_what, text) => {
  const scan = new JsonScan(LIMITS)
  expect(() => scan.push(Buffer.from(text.slice(0, -2)))).toThrow(
    expect.objectContaining({ code: 'E_TOO_LARGE', message: expect.stringContaining('more than') }),
  )
})

test('an object has at most 5,000 names, wherever it is', () => {
  const names = (count: number) => Array.from({ length: count }, (_, n) => `"${n}":1`).join()
  const scanned = (text: string) => new JsonScan(wide).push(Buffer.from(text))
  for (const around of ['OBJECT', '[OBJECT]', '{"a":[[],OBJECT]}']) {
    scanned(around.replace('OBJECT', `{${names(5000)}}`))
    expect(() => scanned(around.replace('OBJECT', `{${names(5001)}}`))).toThrow(
      'an object with more than 5000 names',
    )
  }
})

test('a list of many small entries has room', async () => {
  const text = `{"rows":[${Array.from({ length: 300 }, () => '{"a":1}').join()}]}`
  expect(await read(text)).toEqual(JSON.parse(text))
})

test('signs within texts count for nothing', async () => {
  const property = asyncProperty(
    string({ unit: 'binary' }),
    integer({ min: 1, max: 9 }),
    async (text, step) => {
      const whole = JSON.stringify([`[{,"\\${text}`, { a: text }])
      expect(await read(whole, step)).toEqual(JSON.parse(whole))
    },
  )
  await assert(property, { numRuns: 100 })
})

test('deeper than 64 levels is refused while it comes', () => {
  const scan = new JsonScan(LIMITS)
  expect(() => scan.push(Buffer.from('['.repeat(64)))).not.toThrow()
  expect(() => scan.push(Buffer.from('['))).toThrow('nested deeper than 64 levels')
})

test('more than 8 MiB at one place is refused', () => {
  const scan = new JsonScan(LIMITS)
  scan.push(Buffer.from('["'))
  expect(() => scan.push(Buffer.alloc((8 << 20) + 1, 'a'))).toThrow('more than 8 MiB at one place')
})
