import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createClient } from '../../src/api/client.ts'
import { startDaemon } from '../support/daemon.ts'
import {
  assemble,
  environmentOf,
  readDockerfile,
  type Stage,
  valueOf,
} from '../support/dockerfile.ts'
import { childrenOf, unshare, whichOf } from '../support/pid-one.ts'
import { tempDir } from '../support/temp-dir.ts'
import { waitFor } from '../support/wait.ts'

const [build, final] = readDockerfile(readFileSync('Dockerfile', 'utf8')) as [Stage, Stage]
const ENTRYPOINT = JSON.parse(valueOf(final, 'ENTRYPOINT')) as string[]
const CMD = JSON.parse(valueOf(final, 'CMD')) as string[]
const [UID = '', GID = ''] = valueOf(final, 'USER').split(':')
const HEALTH = / CMD (.*)$/.exec(valueOf(final, 'HEALTHCHECK'))?.[1] ?? ''
const NAMESPACE = unshare()
const AS_ROOT = process.getuid?.() === 0

const dir = tempDir('taskd-c-')
/** The file system that the image would have, with the programs of this machine below /usr. */
const image = join(dir.path, 'image')

/** What `npm ci` would, as links; and a compiler that leaves the types to `npm run check`. */
function install(folder: string): void {
  const modules = join(folder, 'node_modules')
  mkdirSync(join(modules, '.bin'), { recursive: true })
  for (const name of readdirSync('node_modules').filter(one => !one.startsWith('.')))
    symlinkSync(resolve('node_modules', name), join(modules, name))
  const compiler = `#!/bin/sh\nexec ${resolve('node_modules/.bin/tsc')} --noCheck "$@"\n`
  writeFileSync(join(modules, '.bin/tsc'), compiler, { mode: 0o755 })
}

/** What `npm prune --omit=dev` leaves, by the lock. */
function prune(folder: string): void {
  const lock = JSON.parse(readFileSync('package-lock.json', 'utf8')) as {
    packages: Record<string, { dev?: boolean; devOptional?: boolean }>
  }
  const installed = Object.entries(lock.packages).filter(
    ([path]) => path !== '' && existsSync(path),
  )
  const stays = ([, one]: (typeof installed)[number]) => !one.dev && !one.devOptional
  rmSync(join(folder, 'node_modules'), { recursive: true })
  for (const [path] of installed.filter(stays)) {
    if (existsSync(join(folder, path))) continue
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    execFileSync('cp', ['-a', path, join(folder, path)])
  }
  for (const [path] of installed.filter(one => !stays(one)))
    rmSync(join(folder, path), { recursive: true, force: true })
}

beforeAll(() => {
  chmodSync(dir.path, 0o755)
  const built = join(dir.path, 'build')
  assemble(build, built, { '': resolve('.') }, (command, cwd) => {
    if (command.startsWith('npm ci ')) install(cwd)
    else if (command.startsWith('npm prune --omit=dev ')) prune(cwd)
    else execFileSync('sh', ['-c', command], { cwd, stdio: 'pipe' })
  })
  assemble(final, image, { '': resolve('.'), [build.name]: built }, command => {
    if (command.startsWith('apt-get ')) return
    if (!command.startsWith('groupadd ')) throw new Error(`what does this do? ${command}`)
    mkdirSync(join(image, 'etc'), { recursive: true })
    writeFileSync(join(image, 'etc/passwd'), `taskd:x:${UID}:${GID}::/var/lib/taskd:/bin/false\n`)
    writeFileSync(join(image, 'etc/group'), `taskd:x:${GID}:\n`)
    mkdirSync(join(image, 'var/lib/taskd'), { recursive: true })
    if (AS_ROOT) chownSync(join(image, 'var/lib/taskd'), Number(UID), Number(GID))
  })
  for (const name of ['usr', 'proc', 'dev', 'tmp']) mkdirSync(join(image, name))
  chmodSync(join(image, 'tmp'), 0o1777)
  for (const name of ['bin', 'sbin', 'lib', 'lib64'])
    if (existsSync(`/${name}`) && lstatSync(`/${name}`).isSymbolicLink())
      symlinkSync(readlinkSync(`/${name}`), join(image, name))
}, 300_000)
afterAll(() => dir.remove())

/** Who is process 1 and sees the image as its whole world. */
const ENTER = `mount --rbind /usr "$0/usr" && mount --rbind /dev "$0/dev" &&
mount -t proc proc "$0/proc" && cd "$0" && exec chroot "$@"`

function inImage(args: readonly string[], environment: NodeJS.ProcessEnv = {}) {
  const user = AS_ROOT ? [`--userspec=${UID}:${GID}`] : []
  const command = [...(NAMESPACE ?? []), 'sh', '-c', ENTER, image, ...user, image]
  return {
    args: ['--pdeathsig=KILL', '--', ...command, ...ENTRYPOINT, ...args],
    env: { ...environmentOf(final), ...environment },
  }
}

/** `docker run image …`, to its end. */
function dockerRun(args: readonly string[], environment: NodeJS.ProcessEnv = {}) {
  const { args: all, env } = inImage(args, environment)
  const { status, stdout, stderr } = spawnSync(whichOf('setpriv'), all, { env, encoding: 'utf8' })
  return { status, stdout, stderr }
}

describe.runIf(NAMESPACE)('the image', () => {
  it('holds all that the program needs: commands run in it', () => {
    expect(dockerRun(['--version'])).toMatchObject({ status: 0, stdout: /^\d+\.\d+\.\d+\n$/ })
    expect(dockerRun(['check'])).toMatchObject({
      status: 0,
      stdout: expect.stringContaining('cron.ini is in order: 0 jobs, 2 queues'),
    })
    const { stdout } = dockerRun(['config', 'taskd'], { TASKD_SECRET: '0123456789abcdef-x' })
    expect(stdout).toMatch(/^data_dir +=\s\/var\/lib\/taskd +; default$/m)
    expect(stdout).toMatch(/^secret +=\s\*\*\* +; environment TASKD_SECRET$/m)
    expect(dockerRun(['status'])).toMatchObject({ status: 4 })
  })

  it('runs the daemon as process 1 under its own user, is healthy, and ends at TERM with 0', async () => {
    const log = openSync(join(dir.path, 'out.log'), 'a')
    const { args, env } = inImage(CMD)
    const child: ChildProcess = spawn(whichOf('setpriv'), args, {
      env,
      stdio: ['ignore', log, log],
    })
    closeSync(log)
    const ended = new Promise(done => child.once('exit', (code, signal) => done({ code, signal })))
    try {
      const control = createClient(join(image, 'var/lib/taskd/taskd.sock'), 20_000)
      const said = () => readFileSync(join(dir.path, 'out.log'), 'utf8')
      await waitFor(async () => (await control.status()).state === 'running', {
        timeoutMs: 40_000,
        what: `the daemon is ready: ${said()}`,
      })
      const [first = 0] = childrenOf(child.pid ?? 0)
      const status = readFileSync(`/proc/${first}/status`, 'utf8')
      expect(status).toMatch(/^NSpid:.*\t1$/m)
      const uid = AS_ROOT ? UID : String(process.getuid?.())
      expect(status).toMatch(new RegExp(`^Uid:\t${uid}\t${uid}\t${uid}\t`, 'm'))
      expect(readFileSync(`/proc/${first}/cmdline`, 'utf8')).toContain('init.pl')
      expect(said()).not.toContain('process 1')
      expect((await control.status()).redis.ok).toBe(true)
      const health = enter(first, HEALTH)
      expect([health.status, health.stderr]).toEqual([0, ''])
      process.kill(first, 'SIGTERM')
      expect(await ended).toEqual({ code: 0, signal: null })
    } finally {
      child.kill('SIGKILL')
      await ended
    }
  })

  /** `docker exec`: a shell in the world of a container that runs. */
  function enter(pid: number, command: string) {
    const whose = AS_ROOT ? ['-S', UID, '-G', GID] : ['--user', '--preserve-credentials']
    const args = ['--target', String(pid), '--mount', '--pid', '--root', '--wd', ...whose]
    return spawnSync(whichOf('nsenter'), [...args, '--', '/bin/sh', '-c', command], {
      env: environmentOf(final),
      encoding: 'utf8',
    })
  }
})

it('its health check passes while the daemon answers, whatever is down, and fails when it does not', async () => {
  await using daemon = await startDaemon({
    ini: '[program:never]\ncommand = /bin/false\nstartretries = 0\n',
  })
  const env = { ...process.env, PATH: `${resolve('bin')}:${process.env['PATH']}` }
  const health = () =>
    spawnSync('sh', ['-c', HEALTH], { env: { ...env, TASKD_CONFIG: daemon.config } }).status
  await waitFor(async () => (await daemon.status()).programs.some(one => one.state === 'FATAL'), {
    what: 'a program is FATAL',
  })
  expect((await daemon.cli('status')).code).toBe(3)
  expect(health()).toBe(0)
  expect(await daemon.stop()).toEqual({ code: 0, signal: null })
  expect(health()).not.toBe(0)
})
