import { chmodSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { TaskdError } from '../../../src/lib/errors.ts'
import { prepareDataDir } from '../../../src/master/installation.ts'
import { takeLock } from '../../../src/master/lock.ts'
import { type TempDir, tempDir } from '../../support/servers.ts'

let folder: TempDir
beforeEach(() => {
  folder = tempDir('taskd-data-')
})
afterEach(() => folder.remove())

const refusal = (act: () => unknown) => {
  try {
    act()
  } catch (error) {
    if (error instanceof TaskdError)
      return { code: error.code, text: error.message, hint: error.hint }
  }
  throw new Error('was not refused with a TaskdError')
}

describe('the data folder', () => {
  test('is made, with an id that stays', () => {
    const dir = join(folder.path, 'a', 'b')
    const id = prepareDataDir(dir)
    expect(id).toMatch(/^[\da-f]{12}$/)
    expect(prepareDataDir(dir)).toBe(id)
    expect(statSync(join(dir, 'log')).isDirectory()).toBe(true)
  })

  test('another one has another id, and a broken id is made anew', () => {
    const one = prepareDataDir(join(folder.path, 'a'))
    expect(prepareDataDir(join(folder.path, 'b'))).not.toBe(one)
    writeFileSync(join(folder.path, 'a', 'instance'), 'half')
    const fresh = prepareDataDir(join(folder.path, 'a'))
    expect(fresh).toMatch(/^[\da-f]{12}$/)
    expect(readFileSync(join(folder.path, 'a', 'instance'), 'utf8')).toBe(fresh)
  })

  test('too long for a socket, or no folder: said in one line, with what to do', () => {
    const long = refusal(() => prepareDataDir(join(folder.path, 'x'.repeat(100))))
    expect(long).toMatchObject({ code: 'E_DATA_DIR', hint: 'set a shorter data_dir in [taskd]' })
    const file = join(folder.path, 'file')
    writeFileSync(file, '')
    chmodSync(file, 0o600)
    expect(refusal(() => prepareDataDir(file)).text).toContain(`cannot use data_dir = ${file}`)
  })
})

describe('the lock', () => {
  test('is held by one, who is named, and can be taken after its release', async () => {
    const lock = await takeLock(folder.path)
    expect(readFileSync(join(folder.path, 'taskd.pid'), 'utf8')).toBe(`${process.pid}\n`)
    await expect(takeLock(folder.path)).rejects.toMatchObject({
      code: 'E_LOCKED',
      message: `taskd already runs on ${folder.path}: pid ${process.pid}`,
    })
    lock.release()
    const again = await takeLock(folder.path)
    again.release()
  })

  test('is of the folder, not of the name it is called by', async () => {
    const lock = await takeLock(folder.path)
    await expect(takeLock(`${folder.path}/../${folder.path.split('/').at(-1)}`)).rejects.toThrow(
      'already',
    )
    await using other = tempDir('taskd-data-')
    ;(await takeLock(other.path)).release()
    lock.release()
  })

  test('a pid file left behind locks nobody out', async () => {
    writeFileSync(join(folder.path, 'taskd.pid'), '1\n')
    const lock = await takeLock(folder.path)
    expect(readFileSync(join(folder.path, 'taskd.pid'), 'utf8')).toBe(`${process.pid}\n`)
    lock.release()
  })
})
