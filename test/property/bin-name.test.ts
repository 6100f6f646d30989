import {
  chmodSync,
  linkSync,
  mkdirSync,
  realpathSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { fileOfBin } from '../../src/model/bin-name.ts'
import { type TempDir, tempDir } from '../support/temp-dir.ts'

let folder: TempDir
let bin: string
beforeAll(() => {
  folder = tempDir('taskd-bin-')
  const root = folder.path
  bin = join(root, 'bin')
  for (const one of ['bin/sub/deep', 'bin-other', 'out'])
    mkdirSync(join(root, one), { recursive: true })
  const put = (name: string) => {
    writeFileSync(join(root, name), '#!/bin/sh\n')
    chmodSync(join(root, name), 0o755)
  }
  for (const one of ['bin/a', 'bin/sub/a', 'bin/sub/deep/a', 'out/a', 'bin-other/a', 'a']) put(one)
  symlinkSync(join(root, 'out/a'), join(bin, 'link'))
  symlinkSync('../out', join(bin, 'folder'))
  symlinkSync('..', join(bin, 'up'))
  symlinkSync('/', join(bin, 'root'))
  symlinkSync('sub/a', join(bin, 'inner'))
  symlinkSync('loop', join(bin, 'loop'))
  symlinkSync('../../bin-other/a', join(bin, 'sub/near'))
  linkSync(join(bin, 'a'), join(bin, 'sub/hard'))
})
afterAll(() => folder.remove())

const INSIDE = ['a', 'sub', 'deep', 'link', 'folder', 'up', 'root', 'inner', 'loop', 'near', 'hard']
const WAYS_OUT = ['..', '.', '', '...', '~', '%2e%2e', '..\\', '..\0', '／', '․․']
const ODD = [
  'bin',
  'bin-other',
  'out',
  'etc',
  'passwd',
  '\0',
  '\n',
  ' ',
  '-',
  '\u202e',
  '\ud800',
  'a\n',
]
const PARTS = [...INSIDE, ...WAYS_OUT, ...ODD]
const LIKELY = ['a', 'sub', 'deep', 'inner', 'hard', 'near', 'up', 'folder', 'link']
const names = fc.oneof(
  fc.array(fc.constantFrom(...LIKELY), { maxLength: 3 }).map(parts => parts.join('/')),
  fc.array(fc.constantFrom(...PARTS), { maxLength: 8 }).map(parts => parts.join('/')),
  fc
    .array(fc.oneof(fc.constantFrom(...PARTS), fc.string({ unit: 'binary', maxLength: 6 })), {
      maxLength: 6,
    })
    .map(parts => parts.join('/')),
  fc.string({ unit: 'binary' }),
)

/** What is wrong with an answer, or ''. */
function problemOf(name: string): string {
  const file = fileOfBin(bin, name)
  if (!file.ok) return file.reason.includes(folder.path) ? 'tells where the folder is' : ''
  const { value } = file
  if (value !== realpathSync(value)) return 'a link'
  if (!value.startsWith(`${realpathSync(bin)}/`)) return 'outside'
  return statSync(value).isFile() ? '' : 'no file'
}

test('no name at all leads to a file that is not inside bin_path', () => {
  let found = 0
  fc.assert(
    fc.property(names, name => {
      expect(problemOf(name)).toBe('')
      if (fileOfBin(bin, name).ok) found += 1
    }),
    { numRuns: 20_000 },
  )
  // It is no property of nothing: some do lead to files.
  expect(found).toBeGreaterThan(100)
})

test.each([
  ['a', 'bin/a'],
  ['sub/deep/a', 'bin/sub/deep/a'],
  ['inner', 'bin/sub/a'],
])('%s is the file %s', (name, path) => {
  expect(fileOfBin(bin, name)).toEqual({ ok: true, value: join(realpathSync(folder.path), path) })
})

test.each([
  ['link', 'link in bin_path: leads out of it'],
  ['folder/a', 'leads out of it'],
  ['up/a', 'leads out of it'],
  ['up/bin-other/a', 'leads out of it'],
  ['root/etc/passwd', 'leads out of it'],
  ['sub/near', 'leads out of it'],
  ['sub', 'is no regular file'],
  ['up/bin', 'leads out of it'],
  ['loop', 'is a link that leads nowhere'],
  ['nobody', 'there is no such file'],
  ['a/b', 'there is no such file'],
])('%s is refused', (name, reason) => {
  expect(fileOfBin(bin, name)).toEqual({ ok: false, reason: expect.stringContaining(reason) })
})

test('a folder that is a link itself is meant where it leads, and one that is none is said so', () => {
  symlinkSync(bin, join(folder.path, 'alias'))
  expect(fileOfBin(join(folder.path, 'alias'), 'a')).toMatchObject({ ok: true })
  expect(fileOfBin(join(folder.path, 'none'), 'a')).toEqual({
    ok: false,
    reason: 'a in bin_path: the folder itself cannot be used (ENOENT)',
  })
})
