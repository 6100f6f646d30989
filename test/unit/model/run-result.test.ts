import { describe, expect, test } from 'vitest'
import { cancelledResult, type Ending, judge, lostResult } from '../../../src/model/run-result.ts'

/** A run that ended by itself with exit code 0 and said nothing, but for what the test changes. */
const ended = (changes: Partial<Ending> = {}) =>
  judge({ exitCode: 0, signal: null, stdout: '', output: changes.stdout ?? '', ...changes })

const said = (code: string) => `{"code":"${code}","msg":"m","data":[1]}`

/** docs: the table of outcomes, a row each. */
describe('the verdict', () => {
  test('a request that was not answered with 2xx: fail, kind http, retried, with its data', () => {
    const reason = 'HTTP 503 Service Unavailable: busy'
    expect(ended({ exitCode: null, cause: 'http', reason, stdout: said('succ') })).toMatchObject({
      outcome: 'fail',
      kind: 'http',
      retryable: true,
      answer: { code: 'fail', msg: reason, data: [1] },
    })
  })

  test('`code` = `succ`, exit 0: succ, not retried, not a failure', () => {
    expect(ended({ stdout: said('succ') })).toMatchObject({
      outcome: 'succ',
      kind: '',
      retryable: false,
      answer: { code: 'succ', msg: 'm', data: [1] },
    })
  })

  test('no JSON object with a `code`, exit 0: succ, with the tail of the output as its message', () => {
    expect(ended({ stdout: 'all\nis well\n' })).toMatchObject({
      outcome: 'succ',
      kind: '',
      retryable: false,
      answer: { code: 'succ', msg: 'all\nis well', data: [] },
    })
    const long = ended({ stdout: `${'x'.repeat(5000)}the end\n` })
    expect(long.answer.msg).toHaveLength(1000)
    expect(long.answer.msg.endsWith('the end')).toBe(true)
  })

  test('an answer that is cut off, exit 0: fail, kind answer, retried, and stronger than nothing else', () => {
    const cut = '{"code":"succ","msg":"all is'
    expect(ended({ stdout: cut })).toMatchObject({
      outcome: 'fail',
      kind: 'answer',
      retryable: true,
      answer: { code: 'fail', data: [] },
    })
    expect(ended({ stdout: cut }).answer.msg).toContain('unfinished')
    expect(ended({ stdout: cut, exitCode: 3 })).toMatchObject({ kind: 'exit' })
    expect(ended({ stdout: cut, cause: 'timeout', reason: 'x' })).toMatchObject({ kind: 'timeout' })
  })

  test('`code` = `fail`, exit 0: fail, retried', () => {
    expect(ended({ stdout: said('fail') })).toMatchObject({
      outcome: 'fail',
      kind: 'answer',
      retryable: true,
      answer: { code: 'fail', msg: 'm', data: [1] },
    })
  })

  test.each(['later', '404', 'SUCC', ''])(
    'any other `code` (%j), exit 0: kept, not retried',
    code => {
      expect(ended({ stdout: said(code) })).toMatchObject({
        outcome: 'other',
        kind: 'answer',
        retryable: false,
        answer: { code, msg: 'm', data: [1] },
      })
    },
  )

  test.each(['succ', 'fail', 'later'])('exit not 0 is fail, though the answer says %s', code => {
    expect(ended({ exitCode: 3, stdout: said(code) })).toMatchObject({
      outcome: 'fail',
      kind: 'exit',
      retryable: true,
      exitCode: 3,
      answer: { code: 'fail', msg: 'm', data: [1] },
    })
  })

  test('exit not 0 without an answer tells the tail of the output, or the exit code', () => {
    expect(ended({ exitCode: 1, output: 'no money\n' }).answer.msg).toBe('no money')
    expect(ended({ exitCode: 1 }).answer.msg).toBe('exit code 1')
  })

  test('ended by a signal: fail, retried, whatever it said', () => {
    const verdict = { outcome: 'fail', kind: 'signal', retryable: true, signal: 'SIGSEGV' }
    const dead = { exitCode: null, signal: 'SIGSEGV' }
    expect(ended(dead)).toMatchObject({ ...verdict, answer: { msg: 'ended by SIGSEGV' } })
    expect(ended({ ...dead, stdout: said('succ') })).toMatchObject(verdict)
  })

  test.each([
    ['timeout', true],
    ['spawn', true],
    ['cancelled', false],
    ['lost', true],
  ] as const)(
    '%s: fail, retried = %s, and stronger than exit code, signal and answer',
    (cause, retryable) => {
      for (const rest of [{}, { exitCode: 1 }, { exitCode: null, signal: 'SIGKILL' }])
        expect(ended({ cause, reason: 'why', stdout: said('succ'), ...rest })).toMatchObject({
          outcome: 'fail',
          kind: cause,
          retryable,
          answer: { code: 'fail', msg: 'why' },
        })
    },
  )

  test('lost after the last death is final', () => {
    const verdict = { outcome: 'fail', kind: 'lost', retryable: false }
    expect(lostResult(3)).toMatchObject(verdict)
    expect(lostResult(3).answer.msg).toContain('3 times')
  })

  test('cancelled before it began is as final as while it ran', () => {
    const verdict = { outcome: 'fail', kind: 'cancelled', retryable: false }
    expect(cancelledResult('by hand')).toMatchObject({ ...verdict, answer: { msg: 'by hand' } })
  })
})
