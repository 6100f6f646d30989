import { readFileSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type LogOptions, openLog } from '../../../src/lib/log.ts'
import { type TempDir, tempDir } from '../../support/servers.ts'
import { waitFor } from '../../support/wait.ts'

describe('the log', () => {
  let folder: TempDir
  let file: string
  beforeEach(() => {
    folder = tempDir('taskd-log-')
    file = join(folder.path, 'taskd.log')
  })
  afterEach(() => folder.remove())

  const open = (options: Partial<LogOptions> = {}) =>
    openLog({ level: 'info', file, format: 'text', ...options })
  const read = (path = file) => readFileSync(path, 'utf8')

  test('writes a line for people: time, level, message, fields', async () => {
    const root = open()
    root.log.warn({ pid: 12, why: 'no such file', path: '/a/b' }, 'worker died')
    const text = await waitFor(() => read(), { what: 'the line is written' })
    expect(text).toMatch(
      /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} warn {2}worker died {2}pid=12 why="no such file" path=\/a\/b\n$/,
    )
  })

  test('one event is one line, whatever is in it', async () => {
    const root = open()
    root.log.info({ msg2: 'a\nb\u001B[31m' }, 'line\nbreak \u001B[2J \u0000 end')
    const text = await waitFor(() => read(), { what: 'the line is written' })
    expect(text.split('\n')).toHaveLength(2)
    expect(Buffer.from(text.trimEnd()).filter(byte => byte < 32)).toHaveLength(0)
    expect(text).toContain('line\\nbreak')
  })

  test('writes JSON for machines', async () => {
    const root = open({ format: 'json' })
    root.log.error({ task: 'x' }, 'failed')
    const text = await waitFor(() => read(), { what: 'the line is written' })
    expect(JSON.parse(text)).toMatchObject({ level: 50, task: 'x', msg: 'failed' })
  })

  test('leaves out what is below its level, which can be changed', async () => {
    const root = open()
    root.log.debug('quiet')
    root.setLevel('debug')
    root.log.debug('loud')
    const text = await waitFor(() => read(), { what: 'a line is written' })
    expect([text.includes('quiet'), text.includes('loud')]).toEqual([false, true])
  })

  test('opens its file anew after logrotate moved it', async () => {
    const root = open()
    root.log.info('before')
    await waitFor(() => read().includes('before'), { what: 'the first line' })
    renameSync(file, `${file}.1`)
    root.reopen()
    await waitFor(() => read() === '', { what: 'the new file is there' })
    root.log.info('after')
    await waitFor(() => read().includes('after'), { what: 'the second line' })
    expect(read(`${file}.1`)).not.toContain('after')
  })

  test('its last lines are written before flush resolves', async () => {
    const root = open()
    for (let n = 0; n < 1000; n += 1) root.log.info(`line ${n}`)
    await root.flush()
    expect(read().trimEnd().split('\n')).toHaveLength(1000)
    await root.flush()
  })

  test('a full disk neither throws nor grows: what cannot be written is counted', async () => {
    const root = open({ file: '/dev/full' })
    const line = 'x'.repeat(10_000)
    for (let n = 0; n < 500; n += 1) root.log.info(line)
    await waitFor(() => root.lost() > 0, { what: 'lines are counted as lost' })
    await root.flush()
    root.log.info('still alive')
    await root.flush()
    expect(root.lost()).toBeGreaterThan(100)
  })
})
