import { mkdirSync, renameSync, rmSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { judge } from '../../../src/model/run-result.ts'
import type { Task } from '../../../src/model/task.ts'
import { verdictOn } from '../../../src/workers/runner.ts'
import { type Bench, bench } from '../../support/runs.ts'

let runs: Bench
let binPath: string
beforeEach(() => {
  runs = bench()
  binPath = join(runs.folder.path, 'bin')
  mkdirSync(binPath)
})
afterEach(() => runs.folder.remove())

const ARGUMENTS = '#!/bin/sh\necho "$#"; for one; do echo "[$one]"; done\n'
const start = (name: string, param = '') =>
  runs.start(name, { call: 'bin', controller: 'api/task/script', param }, { binPath }).ending
const lines = (text: string) => text.split('\n').slice(0, -1)

describe('a file of bin_path', () => {
  test('gets the words of its arguments, and nothing else', async () => {
    runs.write('bin/a.sh', ARGUMENTS)
    const seen = async (args: string) => lines((await start('a.sh', args)).stdout)
    expect(await seen('1 2')).toEqual(['2', '[1]', '[2]'])
    expect(await seen('')).toEqual(['0'])
    expect(await seen(' -x  $(id) `id` ; * ')).toEqual([
      '5',
      '[-x]',
      '[$(id)]',
      '[`id`]',
      '[;]',
      '[*]',
    ])
  })

  test('is run by itself, or by what its ending says', async () => {
    runs.write('bin/direct', ARGUMENTS, 0o755)
    runs.write('bin/a.mjs', 'console.log(JSON.stringify(process.argv.slice(2)))')
    expect(lines((await start('direct', '1')).stdout)).toEqual(['1', '[1]'])
    expect((await start('a.mjs', '1 2')).stdout).toBe('["1","2"]\n')
  })

  test('runs in its own folder, also below bin_path and through a link inside it', async () => {
    mkdirSync(join(binPath, 'sub'))
    runs.write('bin/sub/where.sh', 'pwd -P')
    symlinkSync('sub/where.sh', join(binPath, 'inner.sh'))
    expect((await start('sub/where.sh')).stdout).toBe(`${binPath}/sub\n`)
    expect((await start('inner.sh')).stdout).toBe(`${binPath}/sub\n`)
  })

  test('that writes to standard error has failed only where fail_on_stderr says so', async () => {
    const verdicts = async (text: string) => {
      runs.write('bin/a.sh', text)
      const ended = await start('a.sh')
      const task = { call: 'bin' } as Task
      return [false, true].map(failOnStderr => verdictOn(task, ended, { failOnStderr }))
    }
    const [usual, strict] = await verdicts('echo \'{"code":"succ","data":[1]}\'; echo oh dear >&2')
    expect(usual).toMatchObject({ outcome: 'succ', answer: { code: 'succ', data: [1] } })
    expect(strict).toMatchObject({ outcome: 'fail', kind: 'exit', exitCode: 0, retryable: true })
    expect(strict?.answer.msg).toMatch(
      /^it wrote to standard error \(fail_on_stderr\): [^]*oh dear/,
    )
    for (const quiet of await verdicts('echo fine')) expect(quiet.outcome).toBe('succ')
    // However much came on standard output.
    for (const quiet of await verdicts('yes | head -c 3000000')) expect(quiet.outcome).toBe('succ')
    expect((await verdicts('echo no >&2; exit 3')).map(one => one.answer.msg)).toEqual(['no', 'no'])
  })

  test('that has become a link out of it since it was queued does not run', async () => {
    runs.write('bin/a.sh', 'echo inside')
    const evil = runs.write('evil.sh', `touch "${runs.folder.path}/hacked"; echo outside`)
    rmSync(join(binPath, 'a.sh'))
    symlinkSync(evil, join(binPath, 'a.sh'))
    const ended = await start('a.sh')
    expect(ended).toMatchObject({ cause: 'spawn', reason: 'a.sh in bin_path: leads out of it' })
    expect(judge(ended)).toMatchObject({ kind: 'spawn', retryable: true })
  })

  test('below a folder that has been moved away does not run', async () => {
    mkdirSync(join(binPath, 'sub'))
    runs.write('bin/sub/a.sh', 'echo inside')
    renameSync(join(binPath, 'sub'), join(runs.folder.path, 'away'))
    symlinkSync(join(runs.folder.path, 'away'), join(binPath, 'sub'))
    expect(await start('sub/a.sh')).toMatchObject({ cause: 'spawn' })
  })

  test.each(['../evil.sh', '/bin/true', 'sub/../../evil.sh', '', '.', 'a\0b', 'a\nb'])(
    'is never %j, even when the queue says so',
    async name => {
      runs.write('evil.sh', 'echo outside')
      const ended = await start(name)
      expect(ended).toMatchObject({ cause: 'spawn', stdout: '' })
    },
  )

  test('is none where this node has no bin_path', async () => {
    const { ending } = runs.start('a.sh', { call: 'bin' })
    expect(await ending).toMatchObject({
      cause: 'spawn',
      reason: 'bin_path is not set in [taskd] of this node',
    })
  })
})
