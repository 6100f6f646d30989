import { spawn } from 'node:child_process'
import { join, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { asSubreaper, childrenOf } from '../support/pid-one.ts'
import { tempDir } from '../support/temp-dir.ts'
import { waitFor } from '../support/wait.ts'

/** The init that bin/taskd starts as process 1, with any command in the place of Node. */

const INIT = resolve('src/master/init.pl')
const sh = (script: string) => run(['perl', INIT, 'sh', '-c', script])

function run([command = '', ...args]: readonly string[], environment: NodeJS.ProcessEnv = {}) {
  const child = spawn(command, args, { env: { ...process.env, ...environment } })
  const told = { pid: child.pid ?? 0, stdout: '', stderr: '' }
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    told.stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    told.stderr += text
  })
  const ended = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>(done =>
    child.once('close', (code, signal) => done({ code, signal })),
  )
  const says = (text: string) =>
    waitFor(() => told.stdout.includes(text), { what: `it says ${text}` })
  return { child, told, ended, says }
}

describe('the init ends as its command does', () => {
  it.each([
    ['exit 0', 0],
    ['exit 7', 7],
    ['kill -KILL $$', 137],
    ['kill -TERM $$', 143],
  ])('%s: %i', async (script, code) => {
    expect(await sh(script).ended).toEqual({ code, signal: null })
  })

  it('and says why when there is no such command', async () => {
    const { told, ended } = run(['perl', INIT, 'no-such-command'])
    expect((await ended).code).toBe(127)
    expect(told.stderr).toBe('taskd: cannot run no-such-command: No such file or directory\n')
  })
})

it.each(['HUP', 'INT', 'QUIT', 'TERM', 'USR1', 'USR2', 'ALRM', 'CONT'] as const)(
  'the init hands %s on, once, and lives',
  async name => {
    const trap = `trap 'echo got' ${name}; trap 'exit 3' PIPE; echo up; while :; do sleep 0.02; done`
    const { child, told, ended, says } = sh(trap)
    await says('up')
    child.kill(`SIG${name}`)
    await says('got')
    const [command = 0] = childrenOf(told.pid)
    process.kill(command, 'SIGPIPE')
    expect(await ended).toEqual({ code: 3, signal: null })
    expect(told.stdout).toBe('up\ngot\n')
  },
)

it('the command has the signals as they were: none blocked, ignored only what was', async () => {
  const masks = "grep -E '^Sig(Blk|Ign)' /proc/self/status"
  const plain = run(['sh', '-c', `trap '' USR2; exec ${masks}`])
  await plain.ended
  const { told, ended } = run(['sh', '-c', `trap '' USR2; exec perl ${INIT} ${masks}`])
  await ended
  expect(told.stdout).toMatch(/^SigBlk:\t0+$/m)
  expect(told.stdout).toBe(plain.told.stdout)
})

it('no variable of the init comes to the command', async () => {
  const { told, ended } = run(['perl', INIT, 'env'], { PERL_BADLANG: '0', KEPT: 'yes' })
  await ended
  expect(told.stdout).toContain('KEPT=yes\n')
  expect(told.stdout).not.toContain('PERL_BADLANG')
})

it('nothing that the caller has left open stays open, in the init or in the command', async () => {
  await using folder = tempDir('taskd-init-')
  const lock = join(folder.path, 'deploy.lock')
  const look = 'readlink /proc/$PPID/fd/* /proc/self/fd/*'
  const script = `exec 9>'${lock}' 200>&9; exec perl '${INIT}' sh -c '${look}'`
  const { told, ended } = run(['bash', '-c', script])
  await ended
  expect(told.stdout).toContain('socket:')
  expect(told.stdout).not.toContain(lock)
})

it('Ctrl-C at a terminal comes to the command once, and not handed on a second time', async () => {
  const script = `trap 'echo got' INT; trap 'exit 5' USR1; echo up; while :; do sleep 0.02; done`
  const line = `exec perl '${INIT}' sh -c "${script}"`
  const { child, told, ended, says } = run(['script', '-qec', line, '/dev/null'])
  await says('up')
  child.stdin.write('\x03')
  await says('got')
  const [init = 0] = childrenOf(told.pid)
  process.kill(init, 'SIGUSR1')
  expect((await ended).code).toBe(5)
  expect(told.stdout.match(/got/g)).toHaveLength(1)
})

it('reaps a thousand strangers, also those that come all at once', async () => {
  const storm = `i=0; while [ $i -lt 1000 ]; do (true & ) ; i=$((i + 1)); done; echo up; read line; exit 9`
  const [command = '', ...args] = asSubreaper(['perl', INIT, 'sh', '-c', storm])
  const { child, told, ended, says } = run([command, ...args])
  await says('up')
  await waitFor(() => childrenOf(told.pid).length === 1, { what: 'the command alone is left' })
  child.stdin.end('\n')
  expect((await ended).code).toBe(9)
})
