import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { Stamper } from '../../../src/logs/stamp.ts'

function stamped(...chunks: string[]): string {
  const stamper = new Stamper()
  return chunks
    .map(chunk => stamper.stamp(Buffer.from(chunk, 'latin1'), '<t> ').toString('latin1'))
    .join('')
}

test('each line begins with the time, the first one too', () => {
  expect(stamped('a\nb\n')).toBe('<t> a\n<t> b\n')
})

test('a line in several chunks gets one time, and an empty line one of its own', () => {
  expect(stamped('a', 'b', 'c\n', '\n', 'd')).toBe('<t> abc\n<t> \n<t> d')
})

test('a line end alone does not begin the line behind it', () => {
  expect(stamped('a\n')).toBe('<t> a\n')
  expect(stamped('a', '\n', 'b')).toBe('<t> a\n<t> b')
})

test('an empty chunk changes nothing', () => {
  expect(stamped('', 'a', '', '\n', '', 'b')).toBe('<t> a\n<t> b')
})

test('stamping may begin in the middle of a line: that line stays as it is', () => {
  const stamper = new Stamper()
  stamper.pass(Buffer.from('half'))
  expect(stamper.stamp(Buffer.from(' line\nnext\n'), '> ').toString()).toBe(' line\n> next\n')
})

test('whatever comes, in whatever chunks, only whole prefixes are added and no byte is changed', () => {
  const byte = fc.oneof(fc.constant(10), fc.nat(255))
  const chunk = fc.array(byte, { maxLength: 30 }).map(bytes => Buffer.from(bytes))
  fc.assert(
    fc.property(fc.array(chunk, { maxLength: 12 }), chunks => {
      const stamper = new Stamper()
      const result = Buffer.concat(chunks.map(one => stamper.stamp(one, 'T>')))
      const lines = Buffer.concat(chunks).toString('latin1').split('\n')
      const last = lines.pop() ?? ''
      const expected = lines.map(line => `T>${line}\n`).join('') + (last === '' ? '' : `T>${last}`)
      expect(result.toString('latin1')).toBe(expected)
    }),
    { numRuns: 2000 },
  )
})
