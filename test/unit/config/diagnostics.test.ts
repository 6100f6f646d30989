import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { decode } from '../../../src/config/decode.ts'
import { loadConfig } from '../../../src/config/load.ts'
import { anySchedule, folderOf, load, mistakes, problemsOf, short } from './load-files.ts'

const problemOf = (file: string) =>
  problemsOf(loadConfig(file, {}, anySchedule)).map(one => [one.line, one.message])

describe('secrets are not printed', () => {
  test.each([
    ['secert = hunter2', 'secert = ******: is not a key of [taskd]. did you mean "secret"?'],
    ['redis = redsi://u:hunter2@h', 'redis = redsi://u:******@h: is not a Redis address'],
    ['database = mysql://u:hunter2@h', 'database = mysql://u:******@h: names no database'],
    ['secret: hunter2', '******: is neither [section] nor key = value'],
    ['my_password = hunter2', 'my_password = ******: is not a key'],
  ])('%s', (line, expected) => {
    const loaded = load({ 'conf/cron.ini': `[taskd]\n${line}` })
    expect(JSON.stringify(loaded)).not.toContain('hunter2')
    expect(problemsOf(loaded).map(short)).toEqual([expect.stringContaining(`:2: ${expected}`)])
  })

  test('nor those in an environment', () => {
    const text = '[a]\nenvironment = DB_PASSWORD="hunter2 x",B,TOKEN=hunter2'
    const loaded = load({ 'conf/cron.ini': text })
    expect(JSON.stringify(loaded)).not.toContain('hunter2')
    expect(problemsOf(loaded).map(short).join('\n')).toContain('DB_PASSWORD=******,B,TOKEN=******')
  })
})

describe('a file that cannot be a configuration', () => {
  test('is missing, a folder, a device, or larger than 16 MB', () => {
    const folder = folderOf({ 'conf/big.ini': Buffer.alloc(16 * 1024 * 1024 + 1, ';') })
    expect(problemOf(join(folder, 'no.ini'))).toEqual([[0, 'there is no such file']])
    expect(problemOf(join(folder, 'conf'))).toEqual([[0, 'is a directory']])
    expect(problemOf('/dev/zero')).toEqual([[0, 'is not a regular file']])
    expect(problemOf(join(folder, 'conf/big.ini'))).toEqual([[0, 'is larger than 16 MB']])
  })

  test.each([
    ['NUL bytes', Buffer.from('[a]\nx=\0'), 2, 'has a NUL byte: it is not a text file'],
    ['GB18030', Buffer.from([0x3b, 10, 0x3b, 0xb6, 0xa8, 0xca, 0xb1, 10]), 2, 'is not valid UTF-8'],
    ['a cut character', Buffer.from([0x3b, 0xe5]), 1, 'is not valid UTF-8'],
    ['UTF-16', Buffer.from('\uFEFF[a]', 'utf16le'), 1, 'is written in UTF-16'],
  ])('has %s', (_, bytes, line, message) => {
    const loaded = load({ 'conf/cron.ini': bytes })
    expect(problemsOf(loaded).map(one => [one.line, one.message])).toEqual([[line, message]])
  })
})

test('a byte order mark is no part of the text', () => {
  expect(decode(Buffer.from('\uFEFF[a]'))).toEqual({ ok: true, text: '[a]' })
})

test('a problem has exactly the fields that scripts read', () => {
  const [problem] = problemsOf(load({ 'conf/cron.ini': '[taskd]\nhttp = x' }))
  expect(Object.keys(problem ?? {})).toEqual(['file', 'line', 'key', 'value', 'message', 'hint'])
})

test('control characters in a value cannot paint the terminal', () => {
  expect(mistakes('[taskd]\nhttp = \u001B[31mx')).toEqual([
    expect.stringContaining('http = \\u001b[31mx: is not an address'),
  ])
})
