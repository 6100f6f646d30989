import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { waitFor } from '../support/wait.ts'
import { NPM_CI, ROOT, setupSandbox } from './setup-sandbox.ts'

describe('Debian packages', () => {
  it.each(['redis-server', 'valkey-server'])('`start` is content with %s', async program => {
    await using box = setupSandbox()
    box.has(program)
    expect(await box.setup('start', ROOT)).toMatchObject({ code: 0 })
    expect(box.calls()).toEqual([NPM_CI, 'build'])
  })

  it('`start` needs no Redis when TASKD_REDIS names another', async () => {
    await using box = setupSandbox()
    const env = { TASKD_REDIS: 'redis://10.0.0.1' }
    expect(await box.setup('start', env)).toMatchObject({ code: 0 })
    expect(box.calls()).toEqual([NPM_CI, 'build'])
  })

  it('root installs what is missing, says so before, and no service is started', async () => {
    await using box = setupSandbox()
    const { code, stdout } = await box.setup('start', ROOT)
    expect(code).toBe(0)
    expect(stdout).toMatch(/^setup: missing:\n {2}redis-server: the queues live in it\n/)
    expect(stdout).toContain('setup: running apt-get install redis-server\n')
    expect(box.calls().slice(0, 2)).toEqual(['apt-get update', 'service start answered by 101'])
    expect(box.calls()[2]).toMatch(/^apt-get .* install -y --no-install-recommends redis-server$/)
    expect(existsSync(join(box.root, 'usr/sbin/policy-rc.d'))).toBe(false)
  })

  it('a policy that outlives its setup allows services again and removes itself', async () => {
    await using box = setupSandbox()
    await box.setup('start', ROOT)
    const copy = join(box.dir, 'policy-copy')
    expect(spawnSync('sh', [copy]).status).toBe(0)
    expect(existsSync(copy)).toBe(false)
  })

  it("the machine's own policy stays as it is", async () => {
    await using box = setupSandbox()
    const policy = join(box.root, 'usr/sbin/policy-rc.d')
    writeFileSync(policy, '#!/bin/sh\nexit 7\n')
    await box.setup('start', ROOT)
    expect(box.calls()).toContain('service start answered by 7')
    expect(readFileSync(policy, 'utf8')).toBe('#!/bin/sh\nexit 7\n')
  })

  it('ended in the middle of apt-get, it takes its policy away', async () => {
    await using box = setupSandbox()
    const run = box.begin('start', { ...ROOT, FAKE_WAIT: '1' })
    await waitFor(() => box.calls().length === 3, { what: 'apt-get is at work' })
    expect(existsSync(join(box.root, 'usr/sbin/policy-rc.d'))).toBe(true)
    process.kill(-Number(run.child.pid), 'SIGTERM')
    expect((await run.ended).code).not.toBe(0)
    await waitFor(() => !existsSync(join(box.root, 'usr/sbin/policy-rc.d')), { what: 'it is gone' })
  })

  it('under systemd the services that came along are switched off, and no others', async () => {
    await using box = setupSandbox()
    mkdirSync(join(box.root, 'run/systemd/system'), { recursive: true })
    box.has('redis-server')
    expect(await box.setup('test', ROOT)).toMatchObject({ code: 0 })
    expect(box.calls().filter(one => one.startsWith('systemctl'))).toEqual([
      'systemctl disable --now --quiet postgresql',
      'systemctl disable --now --quiet supervisor',
    ])
  })

  it('a failed installation is the end: exit 1, and the policy is gone', async () => {
    await using box = setupSandbox()
    const { code, stderr } = await box.setup('start', { ...ROOT, FAKE_APT_FAILS: '1' })
    expect(code).toBe(1)
    expect(stderr).toContain('the installation failed')
    expect(box.calls()).not.toContain(NPM_CI)
    expect(existsSync(join(box.root, 'usr/sbin/policy-rc.d'))).toBe(false)
  })

  it('uses passwordless sudo', async () => {
    await using box = setupSandbox()
    box.withSudo()
    expect(await box.setup('start')).toMatchObject({ code: 0 })
    expect(box.calls().slice(0, 2)).toEqual(['sudo true', 'sudo sh scripts/setup apt redis-server'])
  })

  it('without root it installs nothing and prints the command to run', async () => {
    await using box = setupSandbox()
    const { code, stderr } = await box.setup('start')
    expect(code).toBe(1)
    expect(stderr).toContain(
      '\n  sudo apt-get update && sudo apt-get install -y --no-install-recommends redis-server\n',
    )
    expect(box.calls()).toEqual([])
  })

  it('without apt-get it names what is missing', async () => {
    await using box = setupSandbox()
    box.lacks('apt-get')
    const { code, stderr } = await box.setup('start', ROOT)
    expect(code).toBe(1)
    expect(stderr).toBe(
      'setup: there is no apt-get here. Install these yourself, then try again: redis-server\n',
    )
  })

  it.each([
    [
      'test',
      'redis-server redis-tools mariadb-server-core mariadb-client-core postgresql gcc libc6-dev php-cli python3 faketime systemd supervisor',
    ],
    ['bench', 'redis-server gcc libc6-dev php-cli supervisor cron'],
  ])('`%s` installs: %s', async (purpose, packages) => {
    await using box = setupSandbox()
    expect(await box.setup(purpose, ROOT)).toMatchObject({ code: 0 })
    expect(box.calls()[2]?.endsWith(` --no-install-recommends ${packages}`)).toBe(true)
    expect(await box.setup(purpose, ROOT)).toEqual({ code: 0, stdout: '', stderr: '' })
  })

  it('`bench` builds again what was built before there was a compiler', async () => {
    await using box = setupSandbox()
    expect(await box.setup('start', ROOT)).toMatchObject({ code: 0 })
    expect(await box.setup('bench', ROOT)).toMatchObject({ code: 0 })
    expect(await box.setup('bench', ROOT)).toEqual({ code: 0, stdout: '', stderr: '' })
    expect(box.calls().filter(one => one === 'build')).toHaveLength(2)
  })

  it('finds servers that Debian keeps off the PATH', async () => {
    await using box = setupSandbox()
    const bin = join(box.root, 'usr/lib/postgresql/15/bin')
    mkdirSync(bin, { recursive: true })
    writeFileSync(join(bin, 'postgres'), '', { mode: 0o755 })
    writeFileSync(join(box.root, 'usr/sbin/mariadbd'), '', { mode: 0o755 })
    box.has(
      'redis-server',
      'redis-cli',
      'cc',
      'php',
      'python3',
      'faketime',
      'my_print_defaults',
      'systemd-analyze',
      'supervisord',
    )
    expect(await box.setup('test')).toMatchObject({ code: 0 })
    expect(box.calls()).toEqual([NPM_CI, 'build'])
  })
})
