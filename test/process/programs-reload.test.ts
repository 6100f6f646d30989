import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { gone, startDaemon, type TestDaemon } from '../support/daemon.ts'
import {
  inState,
  manySection,
  onlyOnes,
  pidsOf,
  programOf,
  programSection,
  running,
} from '../support/programs.ts'
import { waitFor } from '../support/wait.ts'

const SLEEP = { command: '/bin/sleep 1000', startsecs: '0.1' }

const numbered = (name: string, count: number) =>
  Array.from({ length: count }, (_, n) => `${name}:${name}_${String(n).padStart(2, '0')}`)

/** What plan says will be done, and then what reload says was done: the same. */
async function reload(daemon: TestDaemon, ini: string): Promise<readonly string[]> {
  daemon.configure({ ini })
  const plan = await daemon.control.plan()
  const done = await daemon.control.reload()
  expect(plan).toMatchObject({ applied: false, problems: [] })
  expect(done).toEqual({ ...plan, applied: true })
  return done.changes
}

describe('reload', () => {
  it('numprocs 10, 11, 9: the difference starts and stops, the others go on as they are', async () => {
    await using daemon = await startDaemon({ ini: manySection('web', 10, SLEEP) })
    const ten = await running(daemon, numbered('web', 10))
    expect(await reload(daemon, manySection('web', 11, SLEEP))).toEqual([
      'program web:web_10: added',
    ])
    const eleven = await running(daemon, numbered('web', 11))
    expect(eleven).toMatchObject(ten)
    expect(await reload(daemon, manySection('web', 9, SLEEP))).toEqual([
      'program web:web_09: removed',
      'program web:web_10: removed',
    ])
    const nine = await running(daemon, numbered('web', 9))
    expect(ten).toMatchObject(nine)
    await gone(ten['web:web_09'] ?? 0)
    await gone(eleven['web:web_10'] ?? 0)
    expect((await daemon.status()).programs.filter(one => one.group === 'web')).toHaveLength(9)
    expect(await reload(daemon, manySection('web', 9, SLEEP))).toEqual([])
  })

  it('what a running process need not know is changed without a restart', async () => {
    const log = (daemon: TestDaemon) => ({ ...SLEEP, stdout_logfile: join(daemon.dir, 'one.log') })
    await using daemon = await startDaemon()
    await reload(daemon, programSection('one', log(daemon)))
    const before = await running(daemon, ['one'])
    for (const [key, value] of [
      ['stdout_logfile_maxbytes', '1MB'],
      ['stdout_logfile_backups', 3],
      ['log_gzip', true],
      ['log_timestamps', true],
      ['priority', 5],
      ['startsecs', 3],
      ['startretries', 9],
      ['stopsignal', 'INT'],
      ['stopwaitsecs', 1],
      ['stopasgroup', true],
      ['autorestart', true],
      ['exitcodes', '0,3'],
      ['fatal_retry', '7m'],
      ['max_deaths', 99],
    ] as const) {
      const changes = await reload(daemon, programSection('one', { ...log(daemon), [key]: value }))
      expect(changes).toHaveLength(1)
      expect(changes[0]).toMatch(new RegExp(`^program one: changed live \\(.*\\b${key}\\b`))
      expect(await pidsOf(daemon)).toEqual(before)
    }
  })

  it.each([
    ['command', '/bin/sleep 1001'],
    ['environment', 'A="1"'],
    ['directory', '/'],
    ['umask', '077'],
    ['redirect_stderr', true],
  ])('a changed %s restarts the process that has it, and no other', async (key, value) => {
    const other = programSection('other', SLEEP)
    await using daemon = await startDaemon({ ini: other + programSection('one', SLEEP) })
    const before = await running(daemon, ['one', 'other'])
    const changed = programSection('one', { ...SLEEP, [key]: value })
    expect(await reload(daemon, other + changed)).toEqual([`program one: restarts (${key})`])
    await gone(before['one'] ?? 0)
    const after = await running(daemon, ['one', 'other'])
    expect(after['other']).toBe(before['other'])
    expect((await daemon.cli('why', 'one')).stdout).toContain('its configuration changed')
  })

  it('what is stopped or has exited is not said to restart, and does not', async () => {
    const once = { ...SLEEP, command: '/bin/true', startsecs: 0, autorestart: false }
    const ini = (command: string, more = {}) =>
      programSection('byhand', { ...SLEEP, command }) +
      programSection('once', { ...once, command: command.replace('1000', '0') }) +
      programSection('off', { ...SLEEP, command, autostart: false, ...more })
    await using daemon = await startDaemon({ ini: ini('/bin/sleep 1000') })
    await inState(daemon, 'once', 'EXITED')
    await running(daemon, ['byhand'])
    expect((await daemon.cli('stop', 'byhand')).code).toBe(0)
    const waits = (name: string) => `program ${name}: takes effect when it starts (command)`
    expect(await reload(daemon, ini('/usr/bin/env sleep 1000'))).toEqual(
      ['byhand', 'once', 'off'].map(waits),
    )
    expect(await pidsOf(daemon)).toEqual({})
    expect((await programOf(daemon, 'once')).state).toBe('EXITED')
    expect(await reload(daemon, ini('/usr/bin/env sleep 1000', { autostart: true }))).toEqual([
      'program off: starts (autostart)',
    ])
    await running(daemon, ['off'])
  })

  it('programs come and go with the files that are included', async () => {
    await using daemon = await startDaemon({ ini: '[include]\nfiles = conf.d/*.conf\n' })
    const folder = join(daemon.dir, 'conf', 'conf.d')
    mkdirSync(folder)
    const put = (name: string, text: string) => writeFileSync(join(folder, `${name}.conf`), text)
    put('a', `; as supervisord has it\n${manySection('a', 2, SLEEP)}`)
    put('b', `${programSection('b', SLEEP)}\n[group:both]\nprograms=b,c\n`)
    put('c', programSection('c', SLEEP))
    expect((await daemon.cli('reload')).stdout).toContain('4 changes applied')
    const before = await running(daemon, ['a:a_00', 'a:a_01', 'both:b', 'both:c'])
    rmSync(join(folder, 'a.conf'))
    put('d', programSection('d', SLEEP))
    const plan = await daemon.cli('plan')
    expect(plan.stdout.trim().split('\n').toSorted()).toEqual([
      '3 changes to apply with taskd reload',
      'program a:a_00: removed',
      'program a:a_01: removed',
      'program d: added',
    ])
    expect(await pidsOf(daemon)).toEqual(before)
    daemon.signal('SIGHUP')
    const after = await running(daemon, ['both:b', 'both:c', 'd'])
    expect(after).toMatchObject({ 'both:b': before['both:b'], 'both:c': before['both:c'] })
    for (const name of ['a:a_00', 'a:a_01']) await gone(before[name] ?? 0)
    expect((await daemon.cli('status', 'a')).code).toBe(4)
    put('d', 'command=/bin/sleep 1\n[program:d]\nnumproc=2\n')
    const bad = await daemon.cli('reload')
    expect(bad.code).toBe(2)
    expect(bad.stderr).toContain('conf.d/d.conf:3: numproc')
    expect(await pidsOf(daemon)).toEqual(after)
  })

  it('a program removed and put back while it still stops runs once, as it is then', async () => {
    await using daemon = await startDaemon()
    const { command, life } = onlyOnes(daemon)
    const section = (more = '') =>
      programSection('slow', { ...SLEEP, command: command('slow', 'deaf') + more, stopwaitsecs: 1 })
    await reload(daemon, section())
    await inState(daemon, 'slow', 'RUNNING')
    await waitFor(() => life().length === 1, { what: 'its trap' })
    expect(await reload(daemon, '')).toEqual(['program slow: removed'])
    expect((await programOf(daemon, 'slow')).state).toBe('STOPPING')
    await reload(daemon, section(' again'))
    const { pid } = await inState(daemon, 'slow', 'RUNNING')
    await waitFor(() => life().length === 2, { what: 'it runs again' })
    expect(life().map(one => one.what)).toEqual(['start', 'start'])
    expect(life().at(-1)?.pid).toBe(pid)
  })

  it('a program that is being removed cannot be started again by name', async () => {
    await using daemon = await startDaemon()
    const { command, life } = onlyOnes(daemon)
    const keys = { ...SLEEP, command: command('slow', 'deaf'), stopwaitsecs: 5 }
    await reload(daemon, programSection('slow', keys))
    await waitFor(() => life().length === 1, { what: 'its trap' })
    await reload(daemon, '')
    const start = await daemon.cli('start', 'slow')
    expect([start.code, start.stderr]).toEqual([
      1,
      'slow: it is no longer configured, and leaves\n',
    ])
    await waitFor(async () => !(await daemon.status()).programs.some(one => one.name === 'slow'), {
      what: 'it is forgotten',
    })
    expect(life().map(one => one.what)).toEqual(['start'])
  })

  it('one that is being stopped by hand stays stopped, though its command changed meanwhile', async () => {
    await using daemon = await startDaemon()
    const { command, life } = onlyOnes(daemon)
    const section = (more: string) =>
      programSection('slow', { ...SLEEP, command: command('slow', 'deaf') + more, stopwaitsecs: 2 })
    await reload(daemon, section(''))
    await waitFor(() => life().length === 1, { what: 'its trap' })
    const stopped = daemon.cli('stop', 'slow')
    await inState(daemon, 'slow', 'STOPPING')
    await reload(daemon, section(' more'))
    expect((await stopped).stdout).toBe('slow: stopped\n')
    expect((await programOf(daemon, 'slow')).state).toBe('STOPPED')
    expect(life()).toHaveLength(1)
  })

  it('autostart switched on starts it; switched off lets it run', async () => {
    const section = (autostart: boolean) => programSection('one', { ...SLEEP, autostart })
    await using daemon = await startDaemon({ ini: section(false) })
    expect((await programOf(daemon, 'one')).state).toBe('STOPPED')
    await reload(daemon, section(true))
    const before = await running(daemon, ['one'])
    await reload(daemon, section(false))
    expect(await pidsOf(daemon)).toEqual(before)
  })
})
