import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { Waiting } from '../../../src/logs/waiting.ts'

const content = (waiting: Waiting) => Buffer.concat(waiting.chunks).toString('latin1')

test('what goes in comes out, in order, whatever is taken away in between', () => {
  const step = fc.oneof(
    fc.record({ push: fc.integer({ min: 1, max: 40 }) }),
    fc.record({ push: fc.integer({ min: 3000, max: 9000 }) }),
    fc.record({ drop: fc.nat(9000) }),
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), steps => {
      const waiting = new Waiting()
      let model = ''
      for (const [n, one] of steps.entries()) {
        if ('push' in one) {
          const text = String.fromCharCode(97 + (n % 26)).repeat(one.push)
          waiting.push(Buffer.from(text))
          model += text
        } else {
          const bytes = Math.min(one.drop, model.length)
          waiting.drop(bytes)
          model = model.slice(bytes)
        }
        expect(waiting.bytes).toBe(model.length)
      }
      expect(content(waiting)).toBe(model)
    }),
    { numRuns: 500 },
  )
})

test('what is being written does not change while more comes', () => {
  const waiting = new Waiting()
  for (const text of ['first', 'second']) waiting.push(Buffer.from(text))
  const onItsWay = [...waiting.chunks]
  waiting.push(Buffer.from('third'))
  expect(Buffer.concat(onItsWay).toString()).toBe('firstsecond')
  waiting.drop('firstsec'.length)
  waiting.push(Buffer.from('fourth'))
  expect(content(waiting)).toBe('ondthirdfourth')
})

test('many small ones take little more than their bytes', () => {
  const waiting = new Waiting()
  for (let n = 0; n < 200_000; n += 1) waiting.push(Buffer.from('x'))
  expect(waiting.bytes).toBe(200_000)
  expect(waiting.held).toBeLessThan(220_000)
  expect(waiting.clear()).toBe(200_000)
  expect([waiting.bytes, waiting.held, waiting.chunks]).toEqual([0, 0, []])
})
