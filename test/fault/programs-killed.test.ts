import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { bootId, isAlive, startTimeOf } from '../../src/lib/proc.ts'
import { gone, linesOf, newDaemon, startDaemon } from '../support/daemon.ts'
import { inState, type Life, onlyOnes, programSection, running } from '../support/programs.ts'
import { waitFor } from '../support/wait.ts'

const QUICK = { startsecs: '0.1', stopwaitsecs: 1 }

/** Leaves a child in a session of its own, twice removed, and lives on itself. */
const LEAVER = `#!/bin/sh
setsid sh -c 'setsid sh -c "echo \\$\\$ >> $0; exec sleep 1000" "$0" & exit 0' "$0.far"
exec sleep 1000
`

const idOf = (pid: number) => ({ pid, startTime: startTimeOf(pid) ?? 0 })

/** Pids of those that live, of those that ever began. */
const living = (life: readonly Life[], name: string) =>
  life.filter(
    one => one.what === 'start' && one.name === name && startTimeOf(one.pid) !== undefined,
  )

/** Nobody ever saw a second one, and of each there is one now. */
function expectSingle(life: readonly Life[], names: readonly string[]): void {
  expect(life.filter(one => one.what === 'twin')).toEqual([])
  for (const name of names) expect([name, living(life, name).length]).toEqual([name, 1])
}

describe('the daemon is KILLed and started again', () => {
  it('a program that is STOPPED says so while what was left of it is being ended', async () => {
    await using daemon = newDaemon()
    const { command, life } = onlyOnes(daemon)
    const section = (autostart: boolean) =>
      programSection('deaf', {
        ...QUICK,
        command: command('deaf', 'deaf'),
        stopwaitsecs: 600,
        autostart,
      })
    daemon.configure({ ini: section(true) })
    await daemon.start()
    await waitFor(() => living(life(), 'deaf').length === 1, { what: 'it is up' })
    await daemon.kill()
    daemon.configure({ ini: section(false) })
    void daemon.spawn()
    const note = 'a process that the daemon before has left is being ended'
    const told = async () =>
      (await daemon.status()).programs.find(one => one.name === 'deaf')?.detail ?? ''
    await waitFor(async () => (await told()).includes(note), { what: 'status tells of it' })
    const why = await daemon.cli('why', 'deaf')
    expect(why.stdout).toMatch(/^program deaf is STOPPED[^]*autostart is off/)
    expect(why.stdout).toContain(note)
    for (const one of living(life(), 'deaf')) process.kill(one.pid, 'SIGKILL')
    await waitFor(async () => !(await told()).includes(note), { what: 'it is told no more' })
    await daemon.ready()
  }, 60_000)

  it('while programs are STARTING, RUNNING, in BACKOFF, FATAL and STOPPING', async () => {
    await using daemon = newDaemon()
    const { command, life } = onlyOnes(daemon)
    const own = (name: string, keys = {}, how: 'hears' | 'deaf' = 'hears') =>
      programSection(name, { ...QUICK, command: command(name, how), ...keys })
    const failing = { command: daemon.script('fails.sh', '#!/bin/sh\nexit 9\n') }
    daemon.configure({
      ini:
        own('starting', { startsecs: 600 }) +
        own('running') +
        own('deaf', {}, 'deaf') +
        own('stopping', { stopwaitsecs: 3 }, 'deaf') +
        own('restarting', { stopwaitsecs: 3 }, 'deaf') +
        programSection('waiting', {
          ...failing,
          startsecs: 5,
          backoff: '10m',
          backoff_max: '10m',
        }) +
        programSection('fatal', { ...failing, startsecs: 5, startretries: 0 }),
    })
    const names = ['starting', 'running', 'deaf', 'stopping', 'restarting']
    await daemon.start()
    await waitFor(() => names.every(name => living(life(), name).length === 1), {
      what: 'all are up',
    })
    await inState(daemon, 'starting', 'STARTING')
    await inState(daemon, 'running', 'RUNNING')
    await inState(daemon, 'waiting', 'BACKOFF')
    await inState(daemon, 'fatal', 'FATAL')
    const changes = Promise.allSettled([
      daemon.control.change('stop', ['stopping']),
      daemon.control.change('restart', ['restarting']),
    ])
    await inState(daemon, 'stopping', 'STOPPING')
    await inState(daemon, 'restarting', 'STOPPING')
    const before = life().filter(one => one.what === 'start')
    await daemon.kill()
    await changes
    await daemon.start()
    await inState(daemon, 'running', 'RUNNING')
    await inState(daemon, 'starting', 'STARTING')
    await inState(daemon, 'deaf', 'RUNNING')
    await inState(daemon, 'restarting', 'RUNNING')
    await inState(daemon, 'stopping', 'STOPPED')
    await inState(daemon, 'waiting', 'BACKOFF')
    await inState(daemon, 'fatal', 'FATAL')
    for (const { pid } of before) expect(startTimeOf(pid)).toBeUndefined()
    const again = names.filter(name => name !== 'stopping')
    await waitFor(() => again.every(name => living(life(), name).length === 1), {
      what: 'all are up again',
    })
    expectSingle(life(), again)
    expect(living(life(), 'stopping')).toEqual([])
  })

  it('ten times, at any moment of its start: never a second copy, and none is lost', async () => {
    await using daemon = newDaemon()
    const { command, life } = onlyOnes(daemon)
    const names = Array.from({ length: 12 }, (_, n) => `p${n}`)
    const keys = (n: number) => ({
      ...QUICK,
      on_orphan: n % 3 === 0 ? 'adopt' : 'kill',
      stopwaitsecs: '0.3',
    })
    daemon.configure({
      ini: names
        .map((name, n) =>
          programSection(name, {
            ...keys(n),
            command: command(name, n % 2 === 0 ? 'hears' : 'deaf'),
          }),
        )
        .join(''),
    })
    for (let round = 0; round < 10; round += 1) {
      void daemon.spawn()
      const before = life().length
      // Not a wait for something, but the fault itself: at any moment.
      if (round % 2 === 0) await delay(100 + Math.random() * 700)
      else
        await waitFor(() => life().length > before + Math.random() * 10, {
          what: 'some have been started',
          timeoutMs: 30_000,
        })
      await daemon.kill()
    }
    await daemon.start()
    await running(daemon, names, 30_000)
    await waitFor(() => names.every(name => living(life(), name).length === 1), {
      what: 'all have said so',
    })
    expectSingle(life(), names)
    await daemon.stop()
    expect(daemon.processes()).toEqual([])
  })

  it('in the middle of a reload: all is as the new configuration says', async () => {
    await using daemon = newDaemon()
    const { command, life } = onlyOnes(daemon)
    const names = Array.from({ length: 8 }, (_, n) => `p${n}`)
    const ini = (word: string) =>
      names
        .map(name =>
          programSection(name, {
            ...QUICK,
            command: command(name, 'deaf'),
            environment: `WORD="${word}"`,
          }),
        )
        .join('')
    daemon.configure({ ini: ini('old') })
    await daemon.start()
    await running(daemon, names)
    await waitFor(() => life().length === names.length, { what: 'all are up' })
    daemon.configure({ ini: ini('new') + programSection('more', { command: '/bin/sleep 100' }) })
    await daemon.control.reload()
    await inState(daemon, 'p3', 'STOPPING')
    await daemon.kill()
    await daemon.start()
    const pids = await running(daemon, [...names, 'more'])
    await waitFor(() => names.every(name => living(life(), name).length === 1), {
      what: 'all have said so',
    })
    expectSingle(life(), names)
    for (const name of names)
      expect(readFileSync(`/proc/${pids[name]}/environ`, 'utf8')).toContain('WORD=new')
  })

  it('what a program left far away from itself goes with it', async () => {
    await using daemon = newDaemon()
    const leaver = daemon.script('leaver.sh', LEAVER)
    daemon.configure({ ini: programSection('leaver', { ...QUICK, command: leaver }) })
    await daemon.start()
    const { pid } = await inState(daemon, 'leaver', 'RUNNING')
    const far = () => linesOf(`${leaver}.far`).map(Number)
    await waitFor(() => far().length === 1, { what: 'its child is far away' })
    const before = [pid, far()[0] ?? 0].map(idOf)
    expect(before.map(isAlive)).toEqual([true, true])
    // The program itself has died meanwhile; what is left still carries its mark.
    await daemon.kill()
    process.kill(pid, 'SIGKILL')
    await daemon.start()
    await inState(daemon, 'leaver', 'RUNNING')
    expect(before.map(isAlive)).toEqual([false, false])
    await daemon.kill()
    daemon.configure({ ini: '' })
    await daemon.start()
    await waitFor(() => far().every(one => startTimeOf(one) === undefined), { what: 'no orphan' })
  })

  it('finds a socket, records and pids that mean nothing any more, and touches no stranger', async () => {
    const keys = { ...QUICK, command: '/bin/sleep 1000', on_orphan: 'adopt' }
    const names = ['reused', 'zombie', 'booted', 'torn']
    await using daemon = await startDaemon({
      ini: names.map(name => programSection(name, keys)).join(''),
    })
    await running(daemon, names)
    const folder = join(daemon.dataDir, 'run')
    const file = (name: string) => join(folder, `${name}.json`)
    const recordOf = (name: string) =>
      JSON.parse(readFileSync(file(name), 'utf8')) as Record<string, unknown>
    const records = Object.fromEntries(names.map(name => [name, recordOf(name)]))
    await daemon.kill()
    expect(existsSync(join(daemon.dataDir, 'taskd.sock'))).toBe(true)
    for (const name of names) {
      process.kill(Number(records[name]?.['pid']), 'SIGKILL')
      await gone(Number(records[name]?.['pid']))
    }
    const stranger = spawn('sleep', ['1000'], { detached: true, stdio: 'ignore' })
    // Its parent never asks how it ended.
    const keeper = spawn('perl', [
      '-e',
      '$| = 1; my $p = fork // die; exit if !$p; print "$p\\n"; sleep 1000',
    ])
    try {
      const [said] = (await once(keeper.stdout, 'data')) as [Buffer]
      const zombie = Number(said.toString())
      await waitFor(() => /\) Z /.test(readFileSync(`/proc/${zombie}/stat`, 'utf8')), {
        what: 'a zombie',
      })
      const zombieStart = Number(
        readFileSync(`/proc/${zombie}/stat`, 'utf8').split(') ')[1]?.split(' ')[19],
      )
      const { pid = 0 } = stranger
      const put = (name: string, changes: object) =>
        writeFileSync(file(name), JSON.stringify({ ...records[name], ...changes }))
      put('reused', { pid })
      put('zombie', { pid: zombie, startTime: zombieStart })
      put('booted', { ...idOf(pid), boot: bootId().replaceAll(/[0-9a-f]/g, '0') })
      writeFileSync(file('torn'), JSON.stringify(records['torn']).slice(0, 40))
      writeFileSync(join(folder, 'nobody.json'), '{}')
      await daemon.start()
      const pids = await running(daemon, names)
      expect(Object.values(pids)).not.toContain(pid)
      expect(Object.values(pids)).not.toContain(zombie)
      expect(isAlive(idOf(pid))).toBe(true)
      expect(stranger.exitCode ?? stranger.signalCode).toBeNull()
      const left = readdirSync(folder).filter(one => one.endsWith('.json'))
      expect(left.toSorted()).toEqual(names.map(name => `${name}.json`).toSorted())
      for (const name of names) expect(recordOf(name)).toMatchObject(idOf(pids[name] ?? 0))
    } finally {
      stranger.kill('SIGKILL')
      keeper.kill('SIGKILL')
    }
  })
})
