import { execFile, spawn } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { findBinary } from '../support/server-process.ts'
import { tempDir } from '../support/temp-dir.ts'
import { waitFor } from '../support/wait.ts'

const run = promisify(execFile)
const INSTALLED = '/opt/taskd'
const read = (file: string) => readFileSync(join('systemd', file), 'utf8')
/** Seconds of `5min 3s` and the like. */
const seconds = (text: string) =>
  [...text.matchAll(/(\d+)(min|s|)/g)].reduce(
    (sum, [, n, unit]) => sum + Number(n) * (unit === 'min' ? 60 : 1),
    0,
  )

describe('taskd.service', () => {
  const unit = read('taskd.service')
  const value = (key: string) => new RegExp(`^${key}=(.*)$`, 'm').exec(unit)?.[1] ?? ''
  /** The unit as it would be were this clone the installed one; systemd looks for the programs. */
  const placeUnit = (dir: string, override = '') => {
    const file = join(dir, 'taskd.service')
    writeFileSync(file, unit.replaceAll(INSTALLED, resolve('.')))
    mkdirSync(join(dir, 'taskd.service.d'))
    writeFileSync(join(dir, 'taskd.service.d/override.conf'), override)
    return file
  }

  it('systemd finds nothing wrong with it', async () => {
    await using dir = tempDir()
    const { stdout, stderr } = await run('systemd-analyze', ['verify', placeUnit(dir.path)])
    expect(stdout + stderr).toBe('')
  })

  it('its exposure is below 4 of 10', async () => {
    await using dir = tempDir()
    const args = ['security', '--offline=true', '--threshold=39', placeUnit(dir.path)]
    const { stdout } = await run('systemd-analyze', args)
    const level = /Overall exposure level for taskd\.service: ([\d.]+)/.exec(stdout)?.[1]
    expect(Number(level)).toBeGreaterThan(0)
    expect(Number(level)).toBeLessThan(4)
  })

  it('every change that the override offers is one that systemd takes', async () => {
    await using dir = tempDir()
    const all = read('taskd.override.conf').replace(/^#([A-Z])/gm, '$1')
    expect(all.match(/^[A-Z]\w+=/gm)?.length).toBeGreaterThan(15)
    const { stdout, stderr } = await run('systemd-analyze', ['verify', placeUnit(dir.path, all)])
    expect(stdout + stderr).toBe('')
  })

  it('an override that systemd does not know is found', async () => {
    await using dir = tempDir()
    const unit = placeUnit(dir.path, '[Service]\nProtectSystems=full\n')
    const { stderr } = await run('systemd-analyze', ['verify', unit])
    expect(stderr).toContain('ProtectSystems')
  })

  it('runs the program that is installed, and leaves it the time to drain', () => {
    expect(value('ExecStart')).toMatch(/^\/opt\/taskd\/bin\/taskd start -n /)
    expect(existsSync(value('ExecStart').split(' ')[0]?.replace(INSTALLED, '.') ?? '')).toBe(true)
    expect(seconds(value('TimeoutStopSec'))).toBeGreaterThan(STOP_WAIT_S + KILL_WAIT_S)
    expect(value('KillMode')).toBe('mixed')
  })
})

/** The defaults of `stop_wait` and `kill_wait`. */
const [STOP_WAIT_S, KILL_WAIT_S] = [30, 10]

it('taskd.tmpfiles makes the folders with owners and modes', async () => {
  await using dir = tempDir()
  const root = dir.path
  const { uid, gid } = userInfo()
  for (const folder of ['etc/taskd', 'run', 'var/lib', 'var/log'])
    mkdirSync(join(root, folder), { recursive: true })
  // Only root may hand files to others: for anybody else all names stand for one person.
  const [taskd, owner] = uid === 0 ? [4711, 0] : [uid, uid]
  const group = uid === 0 ? 4712 : gid
  writeFileSync(
    join(root, 'etc/passwd'),
    `root:x:${owner}:${owner}::/:/bin/sh\ntaskd:x:${taskd}:${group}::/:/bin/sh\n`,
  )
  writeFileSync(join(root, 'etc/group'), `root:x:${gid}:\ntaskd:x:${group}:\n`)
  writeFileSync(join(root, 'etc/taskd/cron.ini'), '', { mode: 0o666 })
  const file = resolve('systemd/taskd.tmpfiles')
  const { stderr } = await run('systemd-tmpfiles', ['--create', `--root=${root}`, file])
  expect(stderr).toBe('')
  const seen = (path: string) => {
    const { mode, uid: user, gid: its } = statSync(join(root, path))
    return [(mode & 0o7777).toString(8), user, its]
  }
  for (const folder of ['run/taskd', 'var/lib/taskd', 'var/log/taskd'])
    expect([folder, ...seen(folder)]).toEqual([folder, '750', taskd, group])
  expect(seen('etc/taskd')).toEqual(['750', owner, group])
  expect(seen('etc/taskd/cron.ini')).toEqual(['640', owner, group])
})

describe('supervisord-taskd.conf', () => {
  const text = read('supervisord-taskd.conf')

  it('leaves the daemon the time to drain', () => {
    const wait = /^stopwaitsecs=(\d+)$/m.exec(text)?.[1]
    expect(Number(wait)).toBeGreaterThan(STOP_WAIT_S + KILL_WAIT_S)
    expect(text).toContain('command=/opt/taskd/bin/taskd start -n ')
  })

  it('supervisord reads it, runs it, and sends TERM to the daemon and not to its children', async () => {
    await using dir = tempDir()
    const at = (name: string) => join(dir.path, name)
    // A daemon that drains: on TERM it asks its child to end by a file, not by a signal.
    writeFileSync(
      at('daemon.mjs'),
      `import { spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
const child = spawn(process.execPath, ['${at('worker.mjs')}'], { stdio: 'inherit' })
process.on('SIGTERM', () => writeFileSync('${at('drain')}', ''))
child.on('exit', code => process.exit(code ?? 1))
`,
    )
    writeFileSync(
      at('worker.mjs'),
      `import { existsSync, writeFileSync } from 'node:fs'
process.on('SIGTERM', () => { writeFileSync('${at('worker-got-term')}', ''); process.exit(1) })
writeFileSync('${at('up')}', '')
setInterval(() => {
  if (!existsSync('${at('drain')}')) return
  writeFileSync('${at('drained')}', '')
  process.exit(0)
}, 5)
`,
    )
    const program = text
      .replace(/^command=.*$/m, `command=${process.execPath} ${at('daemon.mjs')}`)
      .replace(/^user=.*$/m, `user=${userInfo().username}`)
      .replace('/var/log/taskd', dir.path)
      .replace('directory=/var/lib/taskd', `directory=${dir.path}`)
    writeFileSync(at('taskd.conf'), program)
    writeFileSync(
      at('supervisord.conf'),
      `[supervisord]
nodaemon=true
logfile=${at('supervisord.log')}
pidfile=${at('supervisord.pid')}
childlogdir=${dir.path}
[include]
files=${at('taskd.conf')}
`,
    )
    const supervisord = spawn(findBinary('supervisord'), ['-n', '-c', at('supervisord.conf')], {
      stdio: 'ignore',
    })
    const ended = new Promise(resolve => supervisord.once('exit', resolve))
    try {
      await waitFor(() => existsSync(at('up')), { what: 'the daemon and its child run' })
    } finally {
      supervisord.kill('SIGTERM')
      await ended
    }
    expect(existsSync(at('drained'))).toBe(true)
    expect(existsSync(at('worker-got-term'))).toBe(false)
    expect(readFileSync(at('supervisord.log'), 'utf8')).toContain('stopped: taskd (exit status 0)')
  })
})
