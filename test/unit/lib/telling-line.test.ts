import { expect, test } from 'vitest'
import { tellingLine } from '../../../src/lib/telling-line.ts'

const NODE = `file:///srv/pay.mjs:3
throw new TypeError('no account')
^

TypeError: no account
    at file:///srv/pay.mjs:3:7
Node.js v20.17.0`

const PYTHON = `Traceback (most recent call last):
  File "/srv/pay.py", line 1, in <module>
    pay()
ValueError: no account`

const PHP = `PHP Fatal error:  Uncaught App\\PayException: no account in /srv/pay.php:3
Stack trace:
#0 {main}
  thrown in /srv/pay.php on line 3`

test.each([
  ['Node', NODE, 'TypeError: no account'],
  ['Python', PYTHON, 'ValueError: no account'],
  ['PHP', PHP, 'PHP Fatal error:  Uncaught App\\PayException: no account in /srv/pay.php:3'],
  ['a shell', 'sh: 1: nope: not found', 'sh: 1: nope: not found'],
  ['Go', 'goroutine\npanic: no account\n', 'panic: no account'],
  ['words alone', '\n  the bank did not answer\nsecond', 'the bank did not answer'],
  ['nothing', '', ''],
])('of what %s writes, the line that names the error', (_what, text, line) => {
  expect(tellingLine(text)).toBe(line)
})
