import { array, assert, asyncProperty, constantFrom, string } from 'fast-check'
import { expect, test } from 'vitest'
import { readForm } from '../../../src/api/form.ts'
import { Turns } from '../../../src/lib/turns.ts'

const turns = new Turns(8)

test('a form means what URLSearchParams says', async () => {
  const sign = constantFrom('a', '=', '&', '%', '+', '4', 'C', '3', '%C3%A4', '%2', '%zz', ' ')
  const junk = array(sign, { maxLength: 20 }).map(parts => parts.join(''))
  const property = asyncProperty(junk, string({ unit: 'binary' }), async (text, any) => {
    // Where both are mixed, the Node of today breaks what is no ASCII.
    const written = `${text}&${any.toWellFormed().replaceAll('%', '')}`
    expect(await readForm(Buffer.from(written), turns)).toEqual([
      // It takes a question mark at the beginning for that of a URL.
      ...new URLSearchParams(written.replace(/^\?/, '?%3F')),
    ])
  })
  await assert(property, { numRuns: 300 })
})

test('a mark at the beginning is no part of it', async () => {
  expect(await readForm(Buffer.from('\uFEFFa=1'), turns)).toEqual([['a', '1']])
})

test('each pair waits for its turn', async () => {
  let asked = 0
  const counting = { wait: async () => void (asked += 1) } as unknown as Turns
  await readForm(Buffer.from('a=1&b=2&&c'), counting)
  expect(asked).toBe(4)
})
