import { execFileSync } from 'node:child_process'
import { chownSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { waitFor } from '../support/wait.ts'
import { NPM_CI, ROOT, setupSandbox } from './setup-sandbox.ts'

describe('npm packages and the build', () => {
  it.each(['sh', 'bash'])(
    '%s: a fresh clone gets both, the second run does nothing',
    async shell => {
      await using box = setupSandbox()
      box.has('redis-server')
      const first = await box.setup('start', {}, shell)
      expect(first).toEqual({
        code: 0,
        stdout: 'setup: installing npm packages: npm ci\nsetup: building: scripts/build\n',
        stderr: '',
      })
      expect(box.calls()).toEqual([NPM_CI, 'build'])
      const second = await box.setup('start', {}, shell)
      expect(second).toEqual({ code: 0, stdout: '', stderr: '' })
      expect(box.calls()).toHaveLength(2)
    },
  )

  it('a changed lock file means new packages', async () => {
    await using box = setupSandbox()
    box.has('redis-server')
    await box.setup('start')
    writeFileSync(join(box.clone, 'package-lock.json'), '{"changed":true}')
    await box.setup('start')
    expect(box.calls().filter(one => one === NPM_CI)).toHaveLength(2)
  })

  it('an installation that was cut short is done again', async () => {
    await using box = setupSandbox()
    box.has('redis-server')
    await box.setup('start')
    rmSync(join(box.clone, 'node_modules/.package-lock.json'))
    await box.setup('start')
    expect(box.calls().filter(one => one === NPM_CI)).toHaveLength(2)
  })

  it("packages from the person's own `npm ci` are left alone", async () => {
    await using box = setupSandbox()
    box.has('redis-server')
    mkdirSync(join(box.clone, 'node_modules/.bin'), { recursive: true })
    for (const one of ['.bin/tsc', '.package-lock.json'])
      writeFileSync(join(box.clone, 'node_modules', one), '')
    expect(await box.setup('start')).toMatchObject({ code: 0 })
    expect(box.calls()).toEqual(['build'])
  })

  it('a failed `npm ci` is the end, and is tried again next time', async () => {
    await using box = setupSandbox()
    box.has('redis-server')
    const { code, stderr } = await box.setup('start', { FAKE_NPM_FAILS: '1' })
    expect(code).toBe(1)
    expect(stderr).toContain('npm ci failed')
    expect(box.calls()).toEqual([NPM_CI])
    expect(await box.setup('start')).toMatchObject({ code: 0 })
    expect(box.calls()).toEqual([NPM_CI, NPM_CI, 'build'])
  })

  it('an npm cache that cannot be written is replaced by a temporary one, gone afterwards', async () => {
    await using box = setupSandbox()
    box.has('redis-server')
    expect(await box.setup('start', { FAKE_CACHE: '/dev/null/cache' })).toMatchObject({ code: 0 })
    const used = readFileSync(join(box.dir, 'cache-used'), 'utf8').trim()
    expect(used).toMatch(/^\//)
    expect(existsSync(used)).toBe(false)
  })

  it('a changed source is built, and a failed build is built again', async () => {
    await using box = setupSandbox()
    box.has('redis-server')
    await box.setup('start')
    writeFileSync(join(box.clone, 'src/a.ts'), '// changed')
    const failed = await box.setup('start', { FAKE_BUILD_FAILS: '1' })
    expect(failed).toMatchObject({ code: 1, stderr: expect.stringContaining('the build failed') })
    expect(await box.setup('start')).toMatchObject({ code: 0 })
    expect(box.calls().filter(one => one === 'build')).toHaveLength(3)
    await box.setup('start')
    expect(box.calls().filter(one => one === 'build')).toHaveLength(3)
  })

  it("what root makes in another user's clone is given to that user", async () => {
    await using box = setupSandbox()
    box.has('redis-server')
    if (process.getuid?.() === 0) chownSync(box.clone, 65534, 65534)
    expect(await box.setup('start', ROOT)).toMatchObject({ code: 0 })
    const made = box.calls().filter(one => one.startsWith('chown'))
    expect(made.map(one => one.split(' ').at(-1))).toEqual(['node_modules', 'dist'])
  })

  it('two at once: the second waits and says so, and the work is done once', async () => {
    await using box = setupSandbox()
    box.has('redis-server')
    const first = box.begin('start', { FAKE_WAIT: '1' })
    await waitFor(() => box.calls().length > 0, { what: 'the first is in npm ci' })
    const second = box.begin('start')
    await waitFor(() => second.said().includes('waiting for another scripts/setup'), {
      what: 'the second says that it waits',
    })
    writeFileSync(join(box.dir, 'go'), '')
    expect(await first.ended).toMatchObject({ code: 0 })
    expect(await second.ended).toMatchObject({ code: 0 })
    expect(box.calls()).toEqual([NPM_CI, 'build'])
  })
})

describe('what it refuses', () => {
  it.each(['v18.19.1', 'v20.16.0'])('Node.js %s', async version => {
    await using box = setupSandbox()
    box.has('redis-server')
    const { code, stderr } = await box.setup('start', { FAKE_NODE: version })
    expect(code).toBe(1)
    expect(stderr).toMatch(/^setup: Node\.js [\d.]+ is too old\. Install 20\.17 or newer: https:/)
    expect(box.calls()).toEqual([])
  })

  it.each(['v20.17.0', 'v22.0.0', 'v24.11.1'])('but not Node.js %s', async version => {
    await using box = setupSandbox()
    box.has('redis-server')
    expect(await box.setup('start', { FAKE_NODE: version })).toMatchObject({ code: 0 })
  })

  it.each(['node', 'npm'])('a machine without %s', async tool => {
    await using box = setupSandbox()
    box.lacks(tool)
    expect(await box.setup('start', ROOT)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('is not on the PATH'),
    })
  })

  it('a purpose it does not know', async () => {
    await using box = setupSandbox()
    expect(await box.setup('everything')).toEqual({
      code: 1,
      stdout: '',
      stderr: 'setup: usage: scripts/setup start|test|bench\n',
    })
  })
})

describe('package-lock.json', () => {
  const text = readFileSync('package-lock.json', 'utf8')

  it('names no host: packages come from whichever registry the person uses', () => {
    expect(text.match(/"resolved": "[a-z+]*:\/\/[^"]*/g)).toBe(null)
  })

  it('has an entry for every optional package, or `npm ci` refuses it', () => {
    const { packages } = JSON.parse(text) as { packages: Record<string, Entry> }
    const names = new Set(Object.keys(packages).map(one => one.replace(/^.*node_modules\//, '')))
    const wanted = Object.values(packages).flatMap(one =>
      Object.keys(one.optionalDependencies ?? {}),
    )
    expect(wanted.filter(one => !names.has(one))).toEqual([])
  })
})

interface Entry {
  readonly optionalDependencies?: Readonly<Record<string, string>>
}

it('scripts are plain sh', () => {
  for (const script of ['scripts/setup', '.ci/run', 'scripts/build', 'scripts/check'])
    expect(execFileSync('sh', ['-n', script], { encoding: 'utf8' })).toBe('')
})
