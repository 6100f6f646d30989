import { describe, expect, test } from 'vitest'
import { answerExtra, fitsExtra } from '../../../src/store/extra.ts'
import { withProblem } from '../../../src/store/task-problem.ts'

describe('extra of a row of task', () => {
  test('a problem comes and goes beside what is there', () => {
    const noted = withProblem('{"owner":"ops"}', 'bad spec')
    expect(JSON.parse(noted)).toEqual({ owner: 'ops', error: 'bad spec' })
    expect(JSON.parse(withProblem(noted, 'worse'))).toEqual({ owner: 'ops', error: 'worse' })
    expect(withProblem(noted, undefined)).toBe('{"owner":"ops"}')
  })

  test.each(['', '{}', '{ "a": 1 }', 'a note', '[1]', 'null', '{"a":'])(
    'without a problem %j stays as it is',
    extra => {
      expect(withProblem(extra, undefined)).toBe(extra)
    },
  )

  test('the same problem again changes nothing, not even how it is written', () => {
    const extra = '{ "error": "bad spec" }'
    expect(withProblem(extra, 'bad spec')).toBe(extra)
  })

  test.each(['a note', '[1]', '"text"', '{"a":'])('what is no object, %j, is kept', extra => {
    expect(JSON.parse(withProblem(extra, 'bad'))).toEqual({ text: extra, error: 'bad' })
  })
})

describe('extra of a run', () => {
  test('what fits into 65,535 bytes is stored as it is', () => {
    const answer = JSON.stringify({ msg: '任'.repeat(21_840) })
    expect(Buffer.byteLength(answer)).toBeLessThanOrEqual(65_535)
    expect(answerExtra(answer)).toBe(answer)
  })

  test('the longest beginning of an answer fits, however it is escaped', () => {
    const text = '\u0001'.repeat(100_000)
    for (const answer of [text, JSON.stringify({ code: text, msg: text })])
      expect(fitsExtra(answerExtra(answer))).toBe(true)
  })
})
