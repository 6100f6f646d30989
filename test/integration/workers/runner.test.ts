import { mkdirSync, readFileSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { groupLives } from '../../../src/lib/proc.ts'
import { judge } from '../../../src/model/run-result.ts'
import { BASE, type Bench, bench } from '../../support/runs.ts'

let runs: Bench
beforeEach(() => {
  runs = bench()
})
afterEach(() => runs.folder.remove())

const lines = (text: string) => text.split('\n').slice(0, -1)

describe('how a run ends', () => {
  test('with its exit code', async () => {
    expect(await runs.sh('exit 0')).toMatchObject({ exitCode: 0, signal: null })
    expect(await runs.sh('exit 7')).toMatchObject({ exitCode: 7, signal: null })
  })

  test('with the signal that ended it', async () => {
    expect(await runs.sh('kill -SEGV $$')).toMatchObject({ exitCode: null, signal: 'SIGSEGV' })
  })

  test('with what it wrote: the answer from standard output, both streams for people', async () => {
    const ended = await runs.sh(`echo one; echo two >&2; echo '{"code":"later","msg":"m"}'`)
    expect(lines(ended.stdout)).toEqual(['one', '{"code":"later","msg":"m"}'])
    expect(lines(ended.output).toSorted()).toEqual(['one', 'two', '{"code":"later","msg":"m"}'])
    expect(judge(ended)).toMatchObject({ outcome: 'other', answer: { code: 'later' } })
  })

  test('an answer on standard error is none', async () => {
    expect(judge(await runs.sh(`echo '{"code":"fail"}' >&2`))).toMatchObject({ outcome: 'succ' })
  })

  test('text that is not UTF-8 becomes text', async () => {
    const ended = await runs.sh(String.raw`printf 'a\377b\300\n{"code":"succ"}'`)
    expect(ended.output).toBe('a\uFFFDb\uFFFD\n{"code":"succ"}')
    expect(judge(ended).outcome).toBe('succ')
  })
})

describe('how a run begins', () => {
  const show = `
    import { readFileSync } from 'node:fs'
    const { PWD, ...env } = process.env
    console.log(JSON.stringify({ argv: process.argv.slice(1), cwd: process.cwd(), env,
      stdin: readFileSync(0, 'utf8') }))`

  test.each([
    ['quotes', `it's "quoted"`],
    ['a new line', 'a\nb'],
    ['another command', '; touch hacked; $(touch hacked) `touch hacked` && touch hacked'],
    ['options', '--help'],
    ['blanks', '  a  b  '],
    ['globs and variables', '* $HOME ~ %PATH%'],
    ['backslashes', String.raw`\n \\`],
    ['text of any language', '字段1=é😀'],
    ['nothing', ''],
  ])('a param with %s arrives as it is, without a shell', async (_what, param) => {
    const script = runs.write('show.mjs', show)
    const { ending } = runs.start(script, { controller: param, function: 'f', param })
    const seen = JSON.parse((await ending).stdout) as { argv: string[] }
    expect(seen.argv).toEqual([script, param, 'f', param])
  })

  test('all three arguments are always there', async () => {
    const ended = await runs.sh('echo "$#"; for one; do echo "[$one]"; done')
    expect(lines(ended.stdout)).toEqual(['3', '[]', '[]', '[]'])
  })

  test('a param of 128 KiB arrives, and the largest list of arguments is an error that says so', async () => {
    const param = 'x'.repeat(131_071)
    expect((await runs.sh('echo "${#3}"', { param })).stdout).toBe('131071\n')
    const ended = await runs.sh('true', { param: `${param}x` })
    expect(ended).toMatchObject({ cause: 'spawn' })
    expect(ended.reason).toContain('too long')
  })

  test('in a folder and with a name of any characters', async () => {
    const folder = join(runs.folder.path, `a b'"$(x);\n`)
    mkdirSync(folder)
    const script = runs.write(`a b'"$(x);\n/run me;.sh`, 'pwd -P; echo "$0"')
    const ended = await runs.start(script).ending
    expect(ended.stdout).toBe(`${folder}\n${script}\n`)
  })

  test('with the folder of the script, or its own, as working directory', async () => {
    expect((await runs.sh('pwd -P')).stdout.trim()).toBe(runs.folder.path)
    expect((await runs.sh('pwd -P', { directory: '/usr' })).stdout).toBe('/usr\n')
  })

  test('with an empty standard input', async () => {
    const script = runs.write('show.mjs', show)
    const seen = JSON.parse((await runs.start(script).ending).stdout) as { stdin: string }
    expect(seen.stdin).toBe('')
  })

  test('with the environment it is given, and nothing of ours', async () => {
    const script = runs.write('show.mjs', show)
    process.env['TASKD_SECRET'] = 'ours'
    try {
      const environment = { TASKD_TASK_ID: '17', A: '1' }
      const { ending } = runs.start(script, { environment: { A: '2', B: '3' } }, { environment })
      const seen = JSON.parse((await ending).stdout) as { env: Record<string, string> }
      expect(seen.env).toEqual({ ...BASE, ...environment, A: '2', B: '3' })
    } finally {
      delete process.env['TASKD_SECRET']
    }
  })

  test('each in a process group of its own', async () => {
    const pids: number[] = []
    const options = { onPid: (pid: number) => pids.push(pid) }
    const ended = await runs.sh('cut -d" " -f1,5 /proc/$$/stat', {}, options)
    expect(ended.stdout.trim()).toBe(`${pids[0]} ${pids[0]}`)
  })

  test.runIf(process.getuid?.() === 0)(
    'as another user, with that user’s home and group',
    async () => {
      const ended = await runs.start('/bin/sh', {
        user: 'nobody',
        controller: '-c',
        function: 'id -un; id -g; id -G; echo $HOME $USER',
      }).ending
      const [name, group, groups, rest] = lines(ended.stdout)
      expect([name, rest]).toEqual(['nobody', '/nonexistent nobody'])
      expect(groups).toBe(group)
    },
  )

  test('a user that does not exist is a reason not to start', async () => {
    const ended = await runs.sh('true', { user: 'no-such-user' })
    expect(ended).toMatchObject({ cause: 'spawn', reason: 'no such user: no-such-user' })
  })
})

describe('what cannot be started', () => {
  const spawnFailure = async (script: string, changes = {}) => {
    const ended = await runs.start(script, changes).ending
    expect(judge(ended)).toMatchObject({ outcome: 'fail', kind: 'spawn', retryable: true })
    return ended.reason ?? ''
  }

  test('a script that is not there, is a folder, or leads nowhere', async () => {
    const missing = join(runs.folder.path, 'missing.sh')
    expect(await spawnFailure(missing)).toBe(`no such script: ${missing}`)
    expect(await spawnFailure(runs.folder.path)).toContain('is a directory')
    const link = join(runs.folder.path, 'link.sh')
    symlinkSync('/nowhere', link)
    expect(await spawnFailure(link)).toContain('no such script')
    expect(await spawnFailure(join(runs.write('file', ''), 'x.sh'))).toContain('cannot use script')
  })

  test('a script without an executable bit and without an ending that says how', async () => {
    expect(await spawnFailure(runs.write('plain', 'echo hi'))).toContain('no executable bit')
  })

  test('an interpreter that is not there', async () => {
    const script = runs.write('x.sh', 'true')
    const interpreter = '/no/such/interpreter'
    expect(await spawnFailure(script, { interpreter })).toContain(
      `cannot start ${interpreter}: not found`,
    )
    const direct = runs.write('x', '#!/no/such/interpreter\n', 0o755)
    expect(await spawnFailure(direct)).toContain(`cannot start ${direct}: not found`)
  })

  test('a working directory that is not there', async () => {
    const script = runs.write('x.sh', 'true')
    expect(await spawnFailure(script, { directory: '/no/such/folder' })).toContain(
      '/no/such/folder',
    )
  })

  test.runIf(process.getuid?.() === 0)('a script that the user may not read', async () => {
    const script = runs.write('secret.sh', 'echo secret', 0o600)
    const ended = await runs.start(script, { user: 'nobody' }).ending
    expect(judge(ended).outcome).toBe('fail')
    expect(ended.stdout).toBe('')
  })
})

describe('how the interpreter is found', () => {
  test('by the ending, or by the executable bit, or as the task says', async () => {
    const run = async (script: string, changes = {}) =>
      (await runs.start(script, changes).ending).stdout
    expect(await run(runs.write('a.mjs', 'console.log(typeof import.meta)'))).toBe('object\n')
    expect(await run(runs.write('a.cjs', 'console.log(typeof require)'))).toBe('function\n')
    expect(await run(runs.write('a.PY', 'import sys; print(len(sys.argv))'))).toBe('4\n')
    expect(await run(runs.write('a', '#!/bin/sh\necho "$# $0"', 0o755))).toMatch(/^3 \//)
    // As execvp(3) does it.
    expect(await run(runs.write('b', 'echo "$# by sh"', 0o755))).toBe('3 by sh\n')
    const odd = runs.write('a.txt', 'echo "$-"')
    expect(await run(odd, { interpreter: 'sh -u' })).toContain('u')
  })
})

describe('ending a run', () => {
  test('after max_run_time: TERM, and what it still says is heard', async () => {
    const ended = await runs.sh(
      `trap 'echo ended; exit 0' TERM; echo begun; while :; do sleep 0.01; done`,
      {},
      { maxRunTimeMs: 300 },
    )
    expect(ended).toMatchObject({ cause: 'timeout', reason: 'ran longer than 0.3 s' })
    expect(lines(ended.stdout)).toEqual(['begun', 'ended'])
    expect(judge(ended)).toMatchObject({ kind: 'timeout', retryable: true })
  })

  test('a script and its grandchild that both ignore TERM are gone after KILL', async () => {
    const pids: number[] = []
    const from = performance.now()
    const ended = await runs.sh(
      `trap '' TERM; sh -c 'trap "" TERM; while :; do sleep 0.05; done' & while :; do sleep 0.05; done`,
      {},
      { maxRunTimeMs: 200, killWaitMs: 300, onPid: pid => pids.push(pid) },
    )
    expect(performance.now() - from).toBeGreaterThan(490)
    expect(ended).toMatchObject({ cause: 'timeout', signal: 'SIGKILL' })
    expect(groupLives(pids[0] ?? 0)).toBe(false)
  })

  test('what a script leaves running is ended with it', async () => {
    const pids: number[] = []
    const ended = await runs.sh(
      `sh -c 'trap "" TERM; echo up; while :; do sleep 0.05; done' & sleep 0.2; echo '{"code":"succ"}'`,
      {},
      { killWaitMs: 300, onPid: pid => pids.push(pid) },
    )
    expect(judge(ended)).toMatchObject({ outcome: 'succ' })
    expect(groupLives(pids[0] ?? 0)).toBe(false)
  })

  test('a grandchild in a session of its own, which holds the pipes, does not hold up the end', async () => {
    const file = join(runs.folder.path, 'pid')
    const from = performance.now()
    const ended = await runs.sh(
      `setsid sh -c 'echo $$ > ${file}; exec sleep 30' & while [ ! -s ${file} ]; do sleep 0.01; done; echo done`,
    )
    expect(performance.now() - from).toBeLessThan(5000)
    expect(ended).toMatchObject({ exitCode: 0, stdout: 'done\n' })
    process.kill(Number(readFileSync(file, 'utf8')), 'SIGKILL')
  })

  test('a stopped (SIGSTOP) script is woken and ended', async () => {
    const ended = await runs.sh('kill -STOP $$; sleep 60', {}, { maxRunTimeMs: 200 })
    expect(ended).toMatchObject({ cause: 'timeout', signal: 'SIGTERM' })
  })

  test('the first cause wins', async () => {
    const script = runs.write('slow.sh', 'sleep 60')
    const run = runs.start(script, {}, { maxRunTimeMs: 500 })
    run.stop('cancelled', 'by hand')
    run.stop('returned', 'leaving')
    const ended = await run.ending
    expect(ended).toMatchObject({ cause: 'cancelled', reason: 'by hand', stopped: 'cancelled' })
    run.stop('timeout', 'too late to matter')
    expect(judge(ended)).toMatchObject({ kind: 'cancelled', retryable: false })
  })

  test('given back, it has no verdict', async () => {
    const run = runs.start(runs.write('slow.sh', 'sleep 60'))
    run.stop('returned', 'leaving')
    const ended = await run.ending
    expect(ended).toMatchObject({ stopped: 'returned', signal: 'SIGTERM' })
    expect(ended.cause).toBeUndefined()
  })

  test('a run that ended is not signalled any more', async () => {
    const run = runs.start(runs.write('quick.sh', 'exit 0'))
    expect(await run.ending).toMatchObject({ exitCode: 0 })
    run.stop('cancelled', 'too late')
    expect((await run.ending).cause).toBeUndefined()
  })
})

describe('much output', () => {
  test('200 MB are taken without growing, and the end is kept', async () => {
    const before = process.memoryUsage.rss()
    let peak = before
    const watching = setInterval(() => {
      peak = Math.max(peak, process.memoryUsage.rss())
    }, 20)
    const ended = await runs.sh(
      `head -c 200000000 /dev/zero | tr '\\0' 'x'; echo; echo '{"code":"fail","msg":"the end"}'`,
    )
    clearInterval(watching)
    expect(judge(ended)).toMatchObject({ outcome: 'fail', answer: { msg: 'the end' } })
    expect(Buffer.byteLength(ended.output)).toBeLessThanOrEqual(64 * 1024)
    expect(peak - before).toBeLessThan(100 * 1024 * 1024)
  })

  test('a script that closes its output and goes on is waited for', async () => {
    const from = performance.now()
    const ended = await runs.sh('exec >&- 2>&-; sleep 0.5; exit 3')
    expect(ended).toMatchObject({ exitCode: 3 })
    expect(performance.now() - from).toBeGreaterThan(450)
  })
})

test('many at once end each on its own', async () => {
  const script = runs.write('echo.sh', 'echo "$3"; exit "$3"')
  const ended = await Promise.all(
    Array.from({ length: 40 }, (_, n) => runs.start(script, { param: String(n) }).ending),
  )
  expect(ended.map(one => [one.exitCode, one.stdout.trim()])).toEqual(
    ended.map((_, n) => [n, String(n)]),
  )
})
