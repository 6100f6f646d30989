import { Hono } from 'hono'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { onError } from '../../../src/api/app.ts'
import type { Control } from '../../../src/api/control.ts'
import { flag, integer, listsOf } from '../../../src/api/fields.ts'
import { check, checker } from '../../../src/api/input.ts'
import { readParams } from '../../../src/api/params.ts'

const app = new Hono()
app.onError(onError({} as Control, { error: () => undefined }))
app.all('/x/:id?', async c => {
  const lists = new Set(['names'])
  const found = await readParams(c, { lists, listAs: 'tasks' })
  return c.json({ keys: Object.keys(found), found })
})

const JSON_TYPE = 'application/json'
const FORM = 'application/x-www-form-urlencoded'

async function send(
  path: string,
  type?: string,
  body?: string | Uint8Array<ArrayBuffer> | FormData,
): Promise<Record<string, unknown>> {
  const answer = await app.request(path, {
    method: 'POST',
    headers: type === undefined ? {} : { 'content-type': type },
    ...(body !== undefined && { body }),
  })
  return { status: answer.status, ...((await answer.json()) as Record<string, unknown>) }
}

test('path, JSON, form and query: the one before wins', async () => {
  expect(await send('/x/p?id=q&a=q', JSON_TYPE, '{"id":"j","a":"j"}')).toMatchObject({
    found: { id: 'p', a: 'j' },
  })
  expect(await send('/x?a=q&b=q', FORM, 'a=f')).toMatchObject({ found: { a: 'f', b: 'q' } })
})

test('each way of the body is understood', async () => {
  const form = new FormData()
  form.append('a', '1 é')
  expect(await send('/x', undefined, form)).toMatchObject({ found: { a: '1 é' } })
  expect(await send('/x', FORM, 'a=1+%C3%A9')).toMatchObject({ found: { a: '1 é' } })
  expect(await send('/x', 'application/json; charset=utf-8', '{"a":1}')).toMatchObject({
    found: { a: 1 },
  })
  expect(await send('/x', 'application/vnd.x+json', '{"a":1}')).toMatchObject({ found: { a: 1 } })
  expect(await send('/x', JSON_TYPE, '\uFEFF{"a":1}')).toMatchObject({ found: { a: 1 } })
  expect(await send('/x', JSON_TYPE, ' ')).toMatchObject({ found: {} })
  expect(await send('/x')).toMatchObject({ found: {} })
})

test('what curl -d sends as JSON is JSON, whatever curl calls it', async () => {
  expect(await send('/x', FORM, ' {"a":[1]}')).toMatchObject({ found: { a: [1] } })
  expect(await send('/x', undefined, new Uint8Array(Buffer.from('[{"a":1}]')))).toMatchObject({
    found: { tasks: [{ a: 1 }] },
  })
})

test('pairs make lists where they are repeated, have brackets, or are known to be lists', async () => {
  expect(await send('/x?a=1&a=2&b[]=3&c[0]=4&c[1]=5&names=6&d[x]=7&e=8')).toMatchObject({
    found: { a: ['1', '2'], b: ['3'], c: ['4', '5'], names: ['6'], 'd[x]': '7', e: '8' },
  })
})

test('a field called __proto__ is a field, and changes nothing else', async () => {
  const { keys, found } = await send('/x?__proto__=q', JSON_TYPE, '{"constructor":{"a":1}}')
  expect(keys).toEqual(['__proto__', 'constructor'])
  expect((found as { polluted?: unknown }).polluted).toBeUndefined()
})

const deep = (depth: number) => `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`
const file = new FormData()
file.append('upload', new File(['x'], 'secret.txt'))

test.each<
  [string, string | undefined, string | Uint8Array<ArrayBuffer> | FormData, number, string]
>([
  ['half a JSON', JSON_TYPE, '{"password":"hunter2', 400, 'not valid JSON'],
  ['JSON that is no object', JSON_TYPE, '"hunter2"', 400, 'no object'],
  ['null', JSON_TYPE, 'null', 400, 'no object'],
  ['bytes that are no UTF-8', JSON_TYPE, new Uint8Array([0x7b, 0xff, 0x7d]), 400, 'UTF-8'],
  ['nesting without end', JSON_TYPE, deep(65), 400, 'nested deeper'],
  ['brackets without end', JSON_TYPE, '['.repeat(500_000), 400, 'not valid JSON'],
  ['much nesting', JSON_TYPE, deep(100_000), 400, 'nested deeper'],
  ['a file', undefined, file, 400, 'upload: is a file'],
  ['half a multipart', 'multipart/form-data; boundary=x', '--x\r\nhunter2', 400, 'cannot be read'],
  ['a multipart without boundary', 'multipart/form-data', 'hunter2', 400, 'cannot be read'],
  ['XML', 'application/xml', '<hunter2/>', 415, 'application/json'],
  ['plain text', 'text/plain', '{"hunter2":1}', 415, 'application/json'],
])(
  '%s is refused in plain words that do not repeat it',
  async (_what, type, body, status, words) => {
    const answer = await send('/x', type, body)
    expect(answer).toEqual({
      status,
      error: { code: expect.any(String), message: expect.stringContaining(words) },
    })
    expect(JSON.stringify(answer)).not.toContain('hunter2')
  },
)

test('64 levels are taken', async () => {
  expect((await send('/x', JSON_TYPE, deep(64))).status).toBe(200)
})

const schema = z.object({
  n: integer(0, 10),
  on: flag().default(false),
  names: z.array(z.string()).max(2).optional(),
})

test('numbers and flags may come as text, and nothing else becomes one', () => {
  expect(check(schema, { n: '7', on: 'yes' })).toEqual({ n: 7, on: true })
  expect(check(schema, { n: 7, on: 0 })).toEqual({ n: 7, on: false })
  for (const n of ['', ' ', '0x1', '1e1', '1.5', 1.5, true, null, [1], '11', -1, 'Infinity'])
    expect(() => check(schema, { n })).toThrow(/n: /)
  for (const on of ['maybe', 2, null, ['true'], {}])
    expect(() => check(schema, { n: 1, on })).toThrow(/on: /)
})

test('every field that is wrong is told at once', () => {
  expect(() => check(schema, { n: 'x', on: 'x', names: ['a', 'b', 'c'] })).toThrow(
    /n: .*; on: .*; names: /,
  )
})

test('ten thousand wrong names do not make a message of a megabyte', () => {
  const many = z.object({ names: z.array(z.string()) })
  const names = Array.from({ length: 10_000 }, () => 1)
  expect(() => check(many, { names })).toThrow(/; and 9980 more$/)
})

test('the lists of a schema are found behind defaults and options', () => {
  const lists = z.object({
    a: z.array(z.string()),
    b: z.array(z.string()).optional(),
    c: z.array(z.string()).default([]),
    d: z.string(),
  })
  expect([...listsOf(lists)]).toEqual(['a', 'b', 'c'])
  expect([...listsOf(z.string())]).toEqual([])
})

test('how long a list may be is looked at before its entries are', async () => {
  let looked = 0
  const entry = z.custom(() => {
    looked += 1
    return true
  })
  const checked = checker(z.strictObject({ ids: z.array(entry).max(3).default([]) }))
  await expect(checked({ ids: [1, 2, 3, 4] })).rejects.toThrow('ids: has more than 3 entries')
  await expect(checked({ ids: 1 })).rejects.toThrow('ids: must be a list')
  await expect(checked({ id: [] })).rejects.toThrow('id: is no parameter here')
  expect(looked).toBe(0)
  expect(await checked({ ids: [1, 2, 3] })).toEqual({ ids: [1, 2, 3] })
  expect(await checked({})).toEqual({ ids: [] })
  expect(looked).toBe(3)
})

test('the entries of a long list leave turns of the event loop to others', async () => {
  const checked = checker(z.object({ ids: z.array(z.string().transform(text => `${text}!`)) }))
  let turns = 0
  const timer = setInterval(() => {
    turns += 1
  })
  const ids = Array.from({ length: 200_000 }, () => 'a')
  const { ids: found } = await checked({ ids })
  clearInterval(timer)
  expect(turns).toBeGreaterThan(1)
  expect([found.length, found[199_999]]).toEqual([200_000, 'a!'])
})

test('what is wrong with entries is told by their place, and all of it is counted', async () => {
  const checked = checker(z.object({ names: z.array(z.string()) }))
  await expect(checked({ names: ['a', 1] })).rejects.toThrow('names[1]: must be text')
  const names = Array.from({ length: 10_000 }, () => 1)
  await expect(checked({ names })).rejects.toThrow(/; and 9980 more$/)
})
