import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { startDaemon, type TestDaemon } from '../support/daemon.ts'
import {
  inState,
  manySection,
  onlyOnes,
  programOf,
  programSection,
  running,
} from '../support/programs.ts'
import { waitFor } from '../support/wait.ts'

const SLEEP = { command: '/bin/sleep 1000', startsecs: '0.1' }

const INI =
  manySection('web', 3, SLEEP) +
  programSection('off', { ...SLEEP, autostart: false }) +
  programSection('other', SLEEP)

const worker = async (daemon: TestDaemon, name: string) =>
  (await daemon.status()).workers.find(one => one.name.endsWith(name))

/** As a person wants it: web_01 and one worker stopped, `off` started. */
async function asWanted(daemon: TestDaemon): Promise<void> {
  await running(daemon, ['web:web_00', 'web:web_02', 'off', 'other'], 40_000)
  expect((await programOf(daemon, 'web:web_01')).state).toBe('STOPPED')
  await waitFor(async () => (await worker(daemon, '-async_tasks-1'))?.state === 'RUNNING', {
    what: 'the other worker runs',
  })
  expect(await worker(daemon, '-sync_tasks-1')).toMatchObject({ state: 'STOPPED', pid: 0 })
}

describe('what a person stopped or started', () => {
  it('stays so over reloads, KILL of the daemon, and restarts of it in order', async () => {
    await using daemon = await startDaemon({ ini: INI })
    const { node } = await daemon.status()
    const stop = await daemon.cli('stop', 'web:web_01', `${node}-sync_tasks-1`)
    expect([stop.code, stop.stderr]).toEqual([0, ''])
    expect((await daemon.cli('start', 'off')).code).toBe(0)
    await asWanted(daemon)

    daemon.configure({ ini: `${INI}\n[queue:sync_tasks]\nmode = sync\nperiod = 1ms\n` })
    expect((await daemon.cli('reload')).code).toBe(0)
    await asWanted(daemon)
    expect((await daemon.cli('status')).code).toBe(3)

    await daemon.kill()
    void daemon.spawn()
    await asWanted(daemon)
    const why = (await daemon.cli('why', 'web:web_01')).stdout
    expect(why).toContain('stopped by a person: stop by')
    expect(why).toContain('until taskd start web:web_01')

    // This one goes to the background and is no child of the test any more.
    await daemon.stop()
    expect((await daemon.cli('start')).code).toBe(0)
    await asWanted(daemon)
    const before = await daemon.status()
    expect((await daemon.cli('restart')).code).toBe(0)
    const status = await daemon.status()
    expect(status.pid).not.toBe(before.pid)
    await asWanted(daemon)

    expect((await daemon.cli('start', 'web', `${node}-sync_tasks-1`)).code).toBe(0)
    expect((await daemon.cli('stop', 'off')).code).toBe(0)
    expect((await daemon.cli('restart')).code).toBe(0)
    await running(daemon, ['web:web_00', 'web:web_01', 'web:web_02', 'other'])
    await waitFor(async () => (await worker(daemon, '-sync_tasks-1'))?.state === 'RUNNING', {
      what: 'the worker runs',
    })
    expect((await daemon.cli('stop')).code).toBe(0)
    expect(daemon.processes()).toEqual([])
  })

  it('a restart by name is a start: what was stopped by hand runs again, and stays so', async () => {
    await using daemon = await startDaemon({ ini: INI })
    expect((await daemon.cli('stop', 'other')).code).toBe(0)
    expect((await daemon.cli('restart', 'other')).stdout).toBe('other: restarted\n')
    await daemon.stop()
    await daemon.start()
    await inState(daemon, 'other', 'RUNNING')
  })

  it('a program that is stopped while it waits or is FATAL tries no more', async () => {
    const broken = { command: '/bin/false', startsecs: 5, startretries: 1 }
    await using daemon = await startDaemon({
      ini:
        programSection('waits', { ...broken, backoff: '300ms', startretries: 99 }) +
        programSection('fatal', { ...broken, backoff: '10ms', fatal_retry: '300ms' }),
    })
    await inState(daemon, 'fatal', 'FATAL')
    await inState(daemon, 'waits', 'BACKOFF')
    expect((await daemon.cli('stop', 'waits', 'fatal')).stdout).toBe(
      'waits: stopped\nfatal: stopped\n',
    )
    const before = [await programOf(daemon, 'waits'), await programOf(daemon, 'fatal')]
    await daemon.stop()
    await daemon.start()
    for (const { name } of before) {
      const now = await programOf(daemon, name)
      expect([now.state, now.restart_num]).toEqual(['STOPPED', 0])
    }
  })
})

it('a wanted.json that cannot be read is no wish: all starts, and the log says so', async () => {
  await using daemon = await startDaemon({ ini: programSection('web', SLEEP) })
  await daemon.stop()
  writeFileSync(join(daemon.dataDir, 'wanted.json'), '{"web":null}')
  await daemon.start()
  await running(daemon, ['web'])
  expect(daemon.log()).toContain('what was stopped by hand cannot be read')
  // And it is written again.
  expect((await daemon.cli('stop', 'web')).code).toBe(0)
  await daemon.kill()
  await daemon.start()
  expect((await programOf(daemon, 'web')).state).toBe('STOPPED')
})

it('nothing is started any more once the daemon stops, and nothing is left behind', async () => {
  await using daemon = await startDaemon()
  const { command, life } = onlyOnes(daemon)
  daemon.configure({
    ini:
      programSection('deaf', { ...SLEEP, command: command('deaf', 'deaf'), stopwaitsecs: 5 }) +
      manySection('quick', 1, SLEEP),
  })
  await daemon.control.reload()
  await running(daemon, ['deaf', 'quick:quick_00'])
  await waitFor(() => life().length === 1, { what: 'its trap' })
  daemon.signal('SIGTERM')
  await inState(daemon, 'quick:quick_00', 'STOPPED')
  for (const args of [
    ['start', 'quick'],
    ['restart', 'quick'],
    ['scale', 'quick', '3'],
  ]) {
    const { code, stderr } = await daemon.cli(...args)
    expect([args, code, stderr]).toEqual([args, 1, expect.stringContaining('taskd is stopping')])
  }
  expect((await programOf(daemon, 'deaf')).state).toBe('STOPPING')
  expect(await daemon.ended).toEqual({ code: 0, signal: null })
  // What was KILLed last may take a moment to be gone.
  await waitFor(() => daemon.processes().length === 0, { what: 'nothing is left behind' })
})
