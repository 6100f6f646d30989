import {
  appendFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Spool, SpoolFullError, type SpoolOptions } from '../../../../src/features/channel/spool.ts'
import { type TempDir, tempDir } from '../../../support/temp-dir.ts'

let folder: TempDir
let dir: string
beforeEach(() => {
  folder = tempDir('taskd-spool-')
  dir = join(folder.path, 'x')
})
afterEach(() => folder.remove())

const open = (options: Partial<SpoolOptions> = {}) =>
  Spool.open({ dir, maxBytes: 1 << 30, ...options })

async function drained(spool: Spool): Promise<string[]> {
  const texts: string[] = []
  for (let text = await spool.head(); text !== undefined; text = await spool.head()) {
    texts.push(text)
    await spool.drop()
  }
  return texts
}

const segments = () => readdirSync(dir).filter(name => name.endsWith('.seg'))
const segment = (at = 0) => join(dir, segments()[at] ?? '')
const bad = () => readdirSync(dir).filter(name => name.endsWith('.bad'))

test('texts come back in their order, over any number of files, and leave nothing behind', async () => {
  const spool = await open({ segmentBytes: 200 })
  const texts = Array.from({ length: 100 }, (_, n) => `{"n":${n},"t":"${'广'.repeat(n % 7)}"}`)
  for (const text of texts) await spool.append(text)
  expect(spool.batches).toBe(100)
  expect(segments().length).toBeGreaterThan(5)
  expect(await drained(spool)).toEqual(texts)
  expect(spool).toMatchObject({ batches: 0, bytes: 0 })
  expect(segments()).toEqual([])
  await spool.append('again')
  expect(await drained(spool)).toEqual(['again'])
  await spool.close()
})

test('appends that overlap are all kept, in the order of the calls', async () => {
  const spool = await open()
  const texts = Array.from({ length: 50 }, (_, n) => `${n}`)
  await Promise.all(texts.map(text => spool.append(text)))
  expect(await drained(spool)).toEqual(texts)
  await spool.close()
})

test('a text larger than a read comes back whole', async () => {
  const spool = await open()
  const texts = ['x'.repeat(3 << 20), 'small', 'y'.repeat(300_000)]
  for (const text of texts) await spool.append(text)
  expect(await drained(spool)).toEqual(texts)
  await spool.close()
})

test('the next life finds what was not dropped, and only that', async () => {
  const first = await open({ segmentBytes: 30 })
  for (const text of ['one', 'two', 'three', 'four', 'five']) await first.append(text)
  await first.drop()
  await first.drop()
  const { batches, bytes } = first
  await first.close()
  const second = await open({ segmentBytes: 30 })
  expect(second).toMatchObject({ batches, bytes })
  await second.append('six')
  expect(await drained(second)).toEqual(['three', 'four', 'five', 'six'])
  await second.close()
  const third = await open()
  expect(third.batches).toBe(0)
  expect(await third.head()).toBeUndefined()
  await third.close()
})

test('folder and files are for nobody else to read', async () => {
  const spool = await open()
  await spool.append('x')
  await spool.append('y')
  await spool.setAside('z', '{}')
  expect(statSync(dir).mode & 0o777).toBe(0o700)
  for (const name of readdirSync(dir)) expect(statSync(join(dir, name)).mode & 0o077).toBe(0)
  await spool.close()
})

test('wherever the last record is torn, the ones before it are there and it goes on', async () => {
  const whole = await open()
  await whole.append('first')
  const end = statSync(segment()).size
  await whole.append('second')
  const size = statSync(segment()).size
  await whole.close()
  const bytes = readFileSync(segment())
  for (let cut = end; cut < size; cut += 1) {
    writeFileSync(segment(), bytes.subarray(0, cut))
    const spool = await open()
    expect(spool.batches, `cut at ${cut}`).toBe(1)
    await spool.append('third')
    expect(await drained(spool)).toEqual(['first', 'third'])
    await spool.close()
    writeFileSync(join(dir, '000000000001.seg'), bytes)
  }
})

test('zeros that a crash has left at the end of a file are no record', async () => {
  const first = await open()
  await first.append('kept')
  await first.close()
  appendFileSync(segment(), Buffer.alloc(4096))
  const spool = await open()
  expect(await drained(spool)).toEqual(['kept'])
  await spool.close()
})

test('a record that the disk gives back changed is set aside, and holds up nothing', async () => {
  const first = await open()
  for (const text of ['{"n":1}', '{"n":2}', '{"n":3}']) await first.append(text)
  await first.close()
  const bytes = readFileSync(segment())
  bytes[bytes.indexOf('"n":2') + 4] = 0x39
  writeFileSync(segment(), bytes)
  const told: string[] = []
  const spool = await open({ onCorrupt: file => told.push(file) })
  expect(await drained(spool)).toEqual(['{"n":1}', '{"n":3}'])
  expect(told).toEqual(bad())
  expect(readFileSync(join(dir, told[0] ?? ''), 'utf8')).toContain('"n":9')
  expect(spool.batches).toBe(0)
  await spool.close()
})

test.each(['', 'junk', '00000000 000000000001 000000009999\n'])(
  'a position that cannot be believed means that more is sent again, and nothing is lost: %j',
  async junk => {
    const first = await open()
    for (const text of ['a', 'b', 'c']) await first.append(text)
    await first.drop()
    await first.close()
    writeFileSync(join(dir, 'position'), junk)
    const spool = await open()
    expect(await drained(spool)).toEqual(['a', 'b', 'c'])
    await spool.close()
  },
)

test('a position past the end of a file that has become shorter loses nothing that is there', async () => {
  const first = await open()
  for (const text of ['a', 'b', 'c']) await first.append(text)
  await first.drop()
  await first.drop()
  await first.close()
  truncateSync(segment(), statSync(segment()).size / 3)
  const spool = await open()
  expect(await drained(spool)).toEqual(['a'])
  await spool.close()
})

test('what may wait is bounded, with what was set aside; when it goes, there is room again', async () => {
  const spool = await open({ maxBytes: 100 })
  const text = 'x'.repeat(30)
  await spool.append(text)
  await spool.append(text)
  await expect(spool.append(text)).rejects.toBeInstanceOf(SpoolFullError)
  expect(spool.batches).toBe(2)
  await spool.setAside('reason', 'y'.repeat(30))
  const refused = await spool.append(text).catch((error: unknown) => error)
  expect(refused).toMatchObject({ bad: { count: 1, bytes: 30 } })
  await folderWithout('reason.bad')
  await spool.append(text)
  expect(await drained(spool)).toEqual([text, text])
  await spool.close()
})

async function folderWithout(name: string): Promise<void> {
  const { unlink } = await import('node:fs/promises')
  await unlink(join(dir, name))
}

test('what is set aside keeps its reason in a file whose name cannot lead elsewhere', async () => {
  const spool = await open()
  await spool.append('poison')
  await spool.append('well')
  await spool.setAside('client:../../etc/x\n', '{"reason":"no"}')
  expect(bad()).toEqual(['client_.._.._etc_x_.bad'])
  expect(readFileSync(join(dir, bad()[0] ?? ''), 'utf8')).toBe('{"reason":"no"}')
  expect(await spool.countBad()).toEqual({ count: 1, bytes: 15 })
  expect(await drained(spool)).toEqual(['well'])
  await spool.close()
})

test('once it is closed nothing touches the files any more', async () => {
  const spool = await open()
  await spool.close()
  await expect(spool.append('late')).rejects.toThrow('the spool is closed')
  expect(segments()).toEqual([])
  expect(existsSync(join(dir, 'position'))).toBe(true)
})
