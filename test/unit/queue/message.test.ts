import { describe, expect, test } from 'vitest'
import { parseTask } from '../../../src/model/task.ts'
import { decodeText, parseMessage } from '../../../src/queue/message.ts'

function read(text: string): unknown {
  const parsed = parseMessage(text)
  if (!parsed.ok) throw new Error(parsed.reason)
  return parsed.value
}

describe('a message', () => {
  test('is JSON', () => {
    expect(read('{"a":[1,2.5,"x",null,true]}')).toEqual({ a: [1, 2.5, 'x', null, true] })
  })

  test('keeps every digit of an id that a double cannot hold', () => {
    const value = read('{"script":"s","unique_task_id":1234567890123456789}')
    expect(parseTask(value, 'q', '')).toMatchObject({ value: { id: '1234567890123456789' } })
    const param = read('{"script":"s","param":{"order":-9007199254740993}}')
    expect(parseTask(param, 'q', '')).toMatchObject({ value: { param: 'order=-9007199254740993' } })
  })

  test('reads small numbers the same, whether or not there is a large one beside them', () => {
    const small = '"a":17,"b":0.1,"c":1e3,"d":9007199254740991,"e":-0.5'
    expect(read(`{${small},"z":1234567890123456789}`)).toEqual({
      ...(read(`{${small}}`) as object),
      z: '1234567890123456789',
    })
  })

  test('a key that comes twice has its last value, also beside a large number', () => {
    expect(read('{"a":1,"a":2}')).toEqual({ a: 2 })
    expect(read('{"a":1,"a":2,"z":"1234567890123456789"}')).toMatchObject({ a: 2 })
  })

  test('may hold long digits in a text', () => {
    expect(read('{"a":"1234567890123456789","b":1}')).toEqual({ a: '1234567890123456789', b: 1 })
  })

  test.each(['', '{', 'nonsense', '{"a":1234567890123456789', '{"a":}', "{'a':1}", 'NaN'])(
    '%j is refused with a reason',
    text => {
      const parsed = parseMessage(text)
      expect(parsed.ok ? '' : parsed.reason).toMatch(/^not JSON: ./)
    },
  )

  test.each(['', '1234567890123456789,'])(
    'nested a hundred thousand deep (%j) is refused, here or as a task',
    tail => {
      const depth = 100_000
      const parsed = parseMessage(`[${tail}${'['.repeat(depth)}${']'.repeat(depth)}]`)
      const task = parsed.ok ? parseTask({ script: 's', param: parsed.value }, 'q', '') : parsed
      expect(task).toMatchObject({ ok: false, reason: expect.stringMatching(/nested/) })
    },
  )

  test('a prototype cannot be handed in, also beside a large number', () => {
    const value = read('{"__proto__":{"script":"/bin/true"},"n":1234567890123456789}')
    expect(parseTask(value, 'q', '')).toMatchObject({ ok: false })
    expect(({} as { script?: unknown }).script).toBeUndefined()
  })

  test('a __proto__ of null beside a large number cannot make a task throw', () => {
    const value = read('{"script":"s","start_time":{"__proto__":null},"n":1234567890123456789}')
    expect(parseTask(value, 'q', '')).toMatchObject({ ok: false })
  })
})

describe('the bytes of a message', () => {
  test('are UTF-8, or refused', () => {
    expect(decodeText(Buffer.from('字段'))).toBe('字段')
    expect(decodeText(Buffer.from([0x7b, 0xff, 0xfe, 0x7d]))).toBeUndefined()
    expect(decodeText(Buffer.from([0xed, 0xa0, 0x80]))).toBeUndefined()
  })
})
