import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { isAlive, startTimeOf } from '../../src/lib/proc.ts'
import { linesOf, newDaemon, type TestDaemon } from '../support/daemon.ts'
import { inState, programSection } from '../support/programs.ts'
import { waitFor } from '../support/wait.ts'

const idOf = (pid: number) => ({ pid, startTime: startTimeOf(pid) ?? 0 })

/** A program that writes a line each moment, and never says where. */
const TICKS = `#!/bin/sh
n=0
while :; do n=$((n + 1)); echo "$$ $n"; sleep 0.05; done
`

describe('with on_orphan = adopt', () => {
  const adopt = (daemon: TestDaemon, more = '') =>
    programSection('ticks', {
      startsecs: '0.1',
      stopwaitsecs: 1,
      command: `${join(daemon.dir, 'ticks.sh')}${more}`,
      on_orphan: 'adopt',
      stdout_logfile: join(daemon.dir, 'ticks.log'),
    })
  const ready = async () => {
    const daemon = newDaemon()
    daemon.script('ticks.sh', TICKS)
    daemon.configure({ ini: adopt(daemon) })
    await daemon.start()
    const { pid } = await inState(daemon, 'ticks', 'RUNNING')
    return { daemon, pid, lines: () => linesOf(join(daemon.dir, 'ticks.log')) }
  }
  const more = async (lines: () => string[]) => {
    const before = lines().length
    await waitFor(() => lines().length > before + 2, { what: 'its output goes on' })
  }

  it('runs on, its output as well, and is supervised as before', async () => {
    const { daemon, pid, lines } = await ready()
    await using _ = daemon
    await more(lines)
    await daemon.kill()
    await more(lines)
    await daemon.start()
    expect(await inState(daemon, 'ticks', 'RUNNING')).toMatchObject({ pid, detail: 'adopted' })
    await more(lines)
    const numbers = lines().map(line => Number(line.split(' ')[1]))
    // Not one line is missing.
    expect(numbers).toEqual(numbers.map((_one, n) => n + 1))
    const id = idOf(pid)
    // Twice is no different.
    await daemon.kill()
    await daemon.start()
    expect(await inState(daemon, 'ticks', 'RUNNING')).toMatchObject({ pid })
    process.kill(pid, 'SIGKILL')
    await waitFor(() => !isAlive(id), { what: 'its end' })
    const next = await waitFor(
      async () => {
        const now = await inState(daemon, 'ticks', 'RUNNING')
        return now.pid !== pid && now
      },
      { what: 'it is started again' },
    )
    expect(next.detail).toBe('')
    expect((await daemon.cli('why', 'ticks')).stdout).toContain('ended unseen')
    await more(lines)
  })

  it('is stopped, signalled and restarted by name', async () => {
    const { daemon, pid } = await ready()
    await using _ = daemon
    const id = idOf(pid)
    await daemon.kill()
    await daemon.start()
    expect((await daemon.cli('signal', 'STOP', 'ticks')).code).toBe(0)
    await waitFor(() => /\) T /.test(readFileSync(`/proc/${pid}/stat`, 'utf8')), {
      what: 'it is stopped by a signal',
    })
    expect((await daemon.cli('restart', 'ticks')).stdout).toBe('ticks: restarted\n')
    expect(isAlive(id)).toBe(false)
    const second = idOf((await inState(daemon, 'ticks', 'RUNNING')).pid)
    await daemon.kill()
    await daemon.start()
    expect((await daemon.cli('stop', 'ticks')).stdout).toBe('ticks: stopped\n')
    expect(isAlive(second)).toBe(false)
  })

  it('goes with an orderly stop of the daemon', async () => {
    const { daemon, pid } = await ready()
    await using _ = daemon
    await daemon.kill()
    await daemon.start()
    await inState(daemon, 'ticks', 'RUNNING')
    expect(await daemon.stop()).toEqual({ code: 0, signal: null })
    expect(startTimeOf(pid)).toBeUndefined()
  })

  it.each([
    ['its command changed', (daemon: TestDaemon) => adopt(daemon, ' changed'), 'RUNNING'],
    [
      'it shall no longer be adopted',
      (d: TestDaemon) => adopt(d).replace('adopt', 'kill'),
      'RUNNING',
    ],
    ['it is no longer configured', () => '', 'gone'],
  ] as const)('when %s meanwhile, it is ended first', async (_what, ini, then) => {
    const { daemon, pid } = await ready()
    await using _ = daemon
    const id = idOf(pid)
    await daemon.kill()
    daemon.configure({ ini: ini(daemon) })
    await daemon.start()
    const state = async () => (await daemon.status()).programs.find(one => one.name === 'ticks')
    await waitFor(async () => ((await state())?.state ?? 'gone') === then, {
      what: `it is ${then}`,
    })
    await waitFor(() => !isAlive(id), { what: 'its end' })
    expect((await state())?.pid).not.toBe(pid)
  })

  it('when it was stopped by hand just before, it is ended and stays so', async () => {
    const { daemon, pid } = await ready()
    await using _ = daemon
    const id = idOf(pid)
    process.kill(pid, 'SIGSTOP')
    daemon.signal('SIGSTOP')
    const change = daemon.control.change('stop', ['ticks']).catch(() => undefined)
    await daemon.kill()
    await change
    // What was noted is what the next one goes by.
    writeFileSync(
      join(daemon.dataDir, 'wanted.json'),
      JSON.stringify({ ticks: { state: 'stopped', at: new Date().toISOString(), by: 'a test' } }),
    )
    await daemon.start()
    expect((await inState(daemon, 'ticks', 'STOPPED')).pid).toBe(0)
    await waitFor(() => !isAlive(id), { what: 'its end' })
  })
})
