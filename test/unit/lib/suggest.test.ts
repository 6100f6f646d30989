import { expect, test } from 'vitest'
import { suggest } from '../../../src/lib/suggest.ts'

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
