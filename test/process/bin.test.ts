import { spawn } from 'node:child_process'
import { copyFileSync, mkdirSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { whichOf } from '../support/pid-one.ts'
import { tempDir } from '../support/temp-dir.ts'

/** bin/taskd in an installation of its own, whose program tells how it was started. */

const TELLS = `
const { argv, execArgv, pid, ppid } = process
const cache = process.env.NODE_COMPILE_CACHE
console.log(JSON.stringify({ argv, execArgv, pid, ppid, cache, cwd: process.cwd() }))
if (argv[2] === 'exit') process.exit(Number(argv[3]))
if (argv[2] === 'kill') process.kill(pid, argv[3])
`

interface Told {
  readonly argv: readonly string[]
  readonly execArgv: readonly string[]
  readonly pid: number
  readonly ppid: number
  readonly cache: string
  readonly cwd: string
}

function install() {
  const folder = tempDir('taskd bin ')
  const root = join(realpathSync(folder.path), 'opt', 'taskd 1')
  mkdirSync(join(root, 'bin'), { recursive: true })
  mkdirSync(join(root, 'dist', 'cli'), { recursive: true })
  copyFileSync('bin/taskd', join(root, 'bin', 'taskd'))
  writeFileSync(join(root, 'dist', 'cli', 'main.js'), TELLS)
  const at = (name: string) => join(folder.path, name)
  mkdirSync(at('else where'))
  const link = (to: string, name: string) => {
    symlinkSync(to, at(name))
    return at(name)
  }
  return {
    root,
    at,
    link,
    program: join(root, 'bin', 'taskd'),
    [Symbol.asyncDispose]: () => folder.remove(),
  }
}

async function call(
  command: string,
  args: readonly string[] = [],
  options: { cwd?: string; env?: NodeJS.ProcessEnv } = {},
) {
  const child = spawn(command, args, options)
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((done, fail) => {
    child.once('error', fail)
    child.once('close', (...ended) => done(ended))
  })
  const told = () => JSON.parse(stdout) as Told
  return { code, signal, stderr, told, pid: child.pid }
}

it('becomes node, with the arguments as they are', async () => {
  await using taskd = install()
  const args = ['push', '--param', 'a b', '', '*', "it's", '$HOME', '-n']
  const answer = await call(taskd.program, args, { cwd: taskd.at('else where') })
  expect(answer.stderr).toBe('')
  const told = answer.told()
  expect(told.argv.slice(1)).toEqual([join(taskd.root, 'dist/cli/main.js'), ...args])
  expect(told.execArgv).toEqual([])
  expect(told.cwd).toBe(realpathSync(taskd.at('else where')))
  // No shell is left between.
  expect(told.pid).toBe(answer.pid)
  expect(told.ppid).toBe(process.pid)
})

it.each([
  [['start', '-n']],
  [['-c', 'x.ini', 'restart']],
  [['agent', '--master', 'http://127.0.0.1:1']],
])('gives node the flags of a daemon for %j', async args => {
  await using taskd = install()
  const told = (await call(taskd.program, args)).told()
  expect(told.execArgv).toEqual(['--max-semi-space-size=4', '--v8-pool-size=0'])
})

it('names a folder of the installation for compiled code, unless the user has named one', async () => {
  await using taskd = install()
  expect((await call(taskd.program)).told().cache).toBe(join(taskd.root, 'dist/compiled'))
  const env = { ...process.env, NODE_COMPILE_CACHE: '/elsewhere' }
  expect((await call(taskd.program, [], { env })).told().cache).toBe('/elsewhere')
})

it('ends as node does', async () => {
  await using taskd = install()
  expect(await call(taskd.program, ['exit', '3'])).toMatchObject({ code: 3, signal: null })
  expect(await call(taskd.program, ['kill', 'SIGKILL'])).toMatchObject({
    code: null,
    signal: 'SIGKILL',
  })
})

it('is found behind links, through linked folders, and from wherever it is called', async () => {
  await using taskd = install()
  const cwd = taskd.at('else where')
  const near = join(cwd, 'taskd')
  symlinkSync('../opt/taskd 1/bin/taskd', near)
  const linkedFolder = taskd.link(join(taskd.root, 'bin'), 'linked bin')
  const ways: [string, string[], string][] = [
    [taskd.link(taskd.program, 'absolute'), [], cwd],
    [taskd.link('absolute', 'link to a link'), [], cwd],
    [near, [], '/'],
    ['./taskd', [], cwd],
    [join(linkedFolder, 'taskd'), [], cwd],
    [join(taskd.link('opt', 'current'), 'taskd 1/bin/taskd'), [], '/'],
    ['bin/taskd', [], taskd.root],
    ['./taskd', [], linkedFolder],
    ['sh', ['taskd'], join(taskd.root, 'bin')],
    ['sh', ['-c', 'PATH=.:$PATH; taskd'], join(taskd.root, 'bin')],
    ['sh', ['-c', 'PATH=$PWD:$PATH; cd /; exec taskd'], cwd],
  ]
  // A folder that the shell itself would look into.
  mkdirSync(taskd.at('bin'))
  const env = { ...process.env, CDPATH: taskd.at('.') }
  for (const [command, args, folder] of ways) {
    const answer = await call(command, args, { cwd: folder, env })
    expect([command, answer.stderr]).toEqual([command, ''])
    expect([command, answer.told().argv[1]]).toEqual([
      command,
      join(taskd.root, 'dist/cli/main.js'),
    ])
  }
})

it('says what to do when it is not built, and when there is no node', async () => {
  await using taskd = install()
  const bin = taskd.at('no node')
  mkdirSync(bin)
  const without = await call(taskd.program, [], { env: { PATH: bin } })
  expect(without.code).toBe(127)
  expect(without.stderr).toMatch(/^taskd: node is not on the PATH; install Node\.js .*\n$/)
  symlinkSync(whichOf('node'), join(bin, 'node'))
  expect((await call(taskd.program, [], { env: { PATH: bin } })).code).toBe(0)
  const unbuilt = join(taskd.at('else where'), 'bin')
  mkdirSync(unbuilt)
  copyFileSync('bin/taskd', join(unbuilt, 'taskd'))
  const answer = await call(join(unbuilt, 'taskd'))
  expect(answer.code).toBe(1)
  const root = realpathSync(taskd.at('else where'))
  expect(answer.stderr).toBe(`taskd: ${root} is not built; run ${root}/scripts/setup start\n`)
})
