import { expect, test } from 'vitest'
import {
  didYouMean,
  didYouMeanOneOf,
  quoted,
  suggest,
  unknownName,
} from '../../../src/lib/suggest.ts'

const KEYS = ['task_key', 'run_time', 'script', 'retries', 'retry_intervals', 'user']

test.each([
  ['run_tiem', 'run_time'],
  ['runtime', 'run_time'],
  ['Task-Key', 'task_key'],
  ['SCRIPT', 'script'],
  ['retrys', 'retries'],
  ['usr', 'user'],
])('%s was meant to be %s', (word, meant) => {
  expect(suggest(word, KEYS)).toBe(meant)
})

test.each(['', 'command', 'x', 'numprocs', 'u'.repeat(65)])('%s is near to nothing', word => {
  expect(suggest(word, KEYS)).toBeUndefined()
})

test('an empty name is near to nothing', () => {
  expect(suggest('a', ['', 'b'])).toBe('b')
  expect(suggest('a', [''])).toBeUndefined()
})

test('the nearest of several wins', () => {
  expect(suggest('retry_interval', ['retries', 'retry_intervals'])).toBe('retry_intervals')
})

test('a hint names the near word, as it is shown there, or says something else', () => {
  expect(didYouMean('usr', KEYS)).toBe('did you mean user?')
  expect(didYouMean('usr', KEYS, 'look it up', quoted)).toBe('did you mean "user"?')
  expect(didYouMean('command', KEYS, 'look it up', quoted)).toBe('look it up')
  expect(didYouMean('command', KEYS)).toBe('')
})

test('where the choice is small, the hint always lists it', () => {
  const list = 'write one of: a1, b2'
  expect(didYouMeanOneOf('a', ['a1', 'b2'], list)).toBe(`did you mean "a1"? ${list}`)
  expect(didYouMeanOneOf('long', ['a1', 'b2'], list)).toBe(list)
})

test('an unknown name is an error whose hint is the near name', () => {
  const error = (name: string) =>
    unknownName('E_NO_JOB', `no job named ${name}`, name, ['mailer'], 'taskd status lists them')
  expect(error('mialer')).toMatchObject({
    code: 'E_NO_JOB',
    message: 'no job named mialer',
    hint: 'did you mean mailer?',
  })
  expect(error('x').hint).toBe('taskd status lists them')
})
