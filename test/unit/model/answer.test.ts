import { describe, expect, test } from 'vitest'
import { JsonText } from '../../../src/lib/json-text.ts'
import { findAnswer } from '../../../src/model/answer.ts'

const found = (stdout: string) => findAnswer({ stdout })
const MIB = 1 << 20

describe('the answer in the output', () => {
  const answer = { code: 'succ', msg: '', data: [] }

  test.each([
    ['alone', '{"code":"succ"}', answer],
    ['with blanks around', ' \n {"code":"succ"} \r\n\n', answer],
    ['with a byte order mark', '\uFEFF{"code":"succ"}', answer],
    ['over several lines, alone', '{\n  "code": "succ",\n  "msg": "m"\n}', { ...answer, msg: 'm' }],
    ['after other lines', 'working…\n{"a":1}\n{"code":"succ"}', answer],
    ['before other lines', '{"code":"succ"}\nbye\n\n', answer],
    ['on Windows lines', 'a\r\n{"code":"succ"}\r\nb', answer],
    ['the last of several', '{"code":"fail"}\n{"code":"succ"}', answer],
    ['after one that is cut', '…","data":[]}\n{"code":"succ"}', answer],
    ['a numeric code', '{"code":404}', { ...answer, code: '404' }],
    ['code 0', '{"code":0}', { ...answer, code: '0' }],
    ['a code of true', '{"code":true}', { ...answer, code: 'true' }],
    ['a message that is no text', '{"code":"succ","msg":{"a":1}}', { ...answer, msg: '{"a":1}' }],
    ['a message of null', '{"code":"succ","msg":null,"data":null}', answer],
    ['data of any kind', '{"code":"succ","data":{"x":[1]}}', { ...answer, data: { x: [1] } }],
    ['data of 0', '{"code":"succ","data":0}', { ...answer, data: 0 }],
    ['behind other text on its line', 'Notice: x in y.php{"code":"succ"}', answer],
    ['behind an open brace', 'if (x) { {"code":"succ"}', answer],
    ['behind a quote', 'he said "{"code":"succ"}', answer],
    ['over several lines, after a notice', 'Notice: x\n{\n  "code": "succ"\n}\n', answer],
    ['over several lines, before others', '{\n  "code": "succ"\n}\nbye', answer],
    ['behind another on its line', '{"code":"fail"}{"code":"succ"}', answer],
    ['behind an object without a code', '{"a":1}{"code":"succ"}', answer],
    [
      'with its code last',
      'x{"status":1,"data":{"code":"fail"},"code":"succ"}',
      { ...answer, data: { code: 'fail' } },
    ],
    [
      'with another in its data',
      '{"code":"succ","data":[{"code":"fail"}]}',
      { ...answer, data: [{ code: 'fail' }] },
    ],
    [
      'with braces and quotes in its text',
      'a}"{"code":"succ","msg":"{\\"code\\":\\"fail\\"}\\\\"}',
      { ...answer, msg: '{"code":"fail"}\\' },
    ],
    [
      'a code of many digits',
      '{"code":1234567890123456789}',
      { ...answer, code: '1234567890123456789' },
    ],
    [
      'a message of many digits',
      '{"code":"succ","msg":[1234567890123456789]}',
      { ...answer, msg: '[1234567890123456789]' },
    ],
    [
      'data of many digits',
      'x{"code":"succ","data":[1234567890123456789, 1.10]}',
      { ...answer, data: new JsonText('[1234567890123456789, 1.10]') },
    ],
    [
      'data of common numbers',
      '{"code":"succ","data":[1,-2,0.5,9007199254740991]}',
      { ...answer, data: [1, -2, 0.5, 9_007_199_254_740_991] },
    ],
  ])('%s', (_what, stdout, expected) => {
    expect(found(stdout)).toEqual({ type: 'answer', answer: expected })
  })

  test.each([
    ['nothing', ''],
    ['text', 'the "code" is 17'],
    ['a list', '[{"code":"succ"}]'],
    ['an object without a code', '{"msg":"code"}'],
    ['a code of null', '{"code":null}'],
    ['a code that is an object', '{"code":{"a":1}}'],
    ['something behind it on its line', '{"code":"succ"} done'],
    ['in the data of something else', '{"result":{"code":"fail"}}'],
    ['in the data of something else, a line of its own', '{\n"result":\n{"code":"fail"}\n}'],
    ['in a list, a line of its own', '[\n{"code":"fail"}\n]'],
    ['in a line of a log', 'got {"code":"fail"}\nand went on'],
    ['in a line of a log that was cut', 'got {"code":"fail","da…\nand went on'],
    ['the beginning of something else', '{"rows":[1,2'],
    ['a brace that ends other text', 'int main() {'],
    ['a prototype', '{"__proto__":{"code":"succ"}}'],
  ])('is not there: %s', (_what, stdout) => {
    expect(found(stdout)).toEqual({ type: 'none' })
  })

  test.each([
    ['in its text', '{"code":"fail","msg":"it is'],
    ['in an escape', '{"code":"fail","msg":"it is \\'],
    ['in its code', '{"code":"fai'],
    ['in a number', '{"code":1'],
    ['in a word', '{"code":true,"data":nul'],
    ['in its first key', 'Notice: x{"co'],
    ['behind its brace, on a line of its own', 'Notice: x\n{\n'],
    ['behind an object in its data', '{"code":"fail","data":[{"code":"succ"}'],
    ['with its data first', '{"data":[1,2'],
    ['with its message first', 'Notice: x{"msg":"a","code":"fail"'],
    ['behind a whole one', '{"code":"succ"}\n{"code":"fail","msg":"a"'],
    ['over several lines', '{\n  "code": "fail",\n  "data": [\n    1,'],
    ['by a last line of its own', '{"code":"fail","msg":"a\nbye'],
    ['by quotes in its text', '{"code":"fail","msg":"it"s"}'],
    ['by a line end in its text', '{"code":"fail","msg":"a\nb"}'],
    ['by a comma too many', '{"code":"fail",}'],
    ['by a code that is a word', '{"code":fail}'],
    ['by 600 lists in each other', `{"code":"fail","data":${'['.repeat(600)}${']'.repeat(600)}}`],
  ])('is broken: %s', (_what, stdout) => {
    expect(found(stdout).type).toBe('broken')
  })

  test('is broken wherever the output ends within it', () => {
    const whole =
      'Notice: a {b} "c"{"code": "fail","msg":"\\u00e9 \\"x\\"","data":[{"code":1.5e3,"a":null},[]]}'
    for (let end = whole.indexOf('{"code"') + 2; end < whole.length; end += 1)
      expect([whole.slice(0, end), found(whole.slice(0, end)).type]).toEqual([
        whole.slice(0, end),
        'broken',
      ])
    expect(found(whole).type).toBe('answer')
  })

  test('is broken when it is larger than what is kept', () => {
    const rows = Array.from({ length: 40_000 }, (_none, n) => ({ id: n, name: `row "${n}"` }))
    const kept = JSON.stringify({ code: 'fail', msg: '', data: rows }).slice(-MIB)
    expect(kept).toHaveLength(MIB)
    expect(findAnswer({ stdout: kept, cut: true }).type).toBe('broken')
    expect(findAnswer({ stdout: kept, cut: true, head: '{"code":"fail","msg":' }).type).toBe(
      'broken',
    )
    // A page of an rpc task, say.
    expect(findAnswer({ stdout: kept, cut: true, head: '{"rows":[{"id":0' }).type).toBe('none')
    const text = `${'some words of a log\n'.repeat(60_000)}}`.slice(-MIB)
    expect(findAnswer({ stdout: text, cut: true }).type).toBe('none')
    const lines = '{"level":30,"msg":"a line"}\n'.repeat(60_000).slice(-MIB)
    expect(findAnswer({ stdout: lines, cut: true }).type).toBe('none')
    const answered = `${lines}x{"code":"fail"}`
    expect(findAnswer({ stdout: answered, cut: true })).toMatchObject({ answer: { code: 'fail' } })
  })

  test.each([
    ['lines that are nearly one', '{"code":}\n'],
    ['objects that never end', '{"code":1,"data":{"a":'],
    ['lists within each other that turn out wrong', '{"code":1,"data":['],
    ['braces that nothing opens', '}\n'],
    ['quotes', '"'],
    ['backslashes', '\\'],
    ['lines of JSON', '{"a":[1,2,3],"b":"c"}\n'],
    ['braces', '{'],
  ])('is looked for in a MiB of %s in no time', (_what, part) => {
    const text = part.repeat(MIB / part.length)
    const from = performance.now()
    findAnswer({ stdout: `${text}}`, cut: true })
    expect(performance.now() - from).toBeLessThan(5000)
  })
})
