import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { linesOf, newDaemon, startDaemon, type TestDaemon } from '../support/daemon.ts'
import { MARK } from '../support/daemon-processes.ts'
import { inState, programSection } from '../support/programs.ts'
import { waitFor } from '../support/wait.ts'

/** A database in small: at its stopsignal it takes a second to write what it holds. */
const DATABASE = `#!/usr/bin/python3
import os, signal, sys, time
folder = os.path.dirname(sys.argv[0])
def say(what):
    with open(folder + '/said', 'a') as out: out.write(what + '\\n')
def end(number, _):
    signal.signal(number, signal.SIG_IGN)
    say('begins to flush')
    while os.path.exists(folder + '/slow'): time.sleep(0.02)
    time.sleep(1)
    say('flushed')
    os._exit(0)
signal.signal(signal.SIGINT, end)
say('up')
while True: signal.pause()
`

const TASK = `#!/bin/sh
echo begun >> "$1/tasks"
exec sleep 600
`

const SECTION = { startsecs: 0, stopsignal: 'INT', stopwaitsecs: 60 }

function withDatabase(daemon: TestDaemon): void {
  const command = daemon.script('database.py', DATABASE)
  daemon.configure({ ini: programSection('db', { ...SECTION, command }) })
}

const said = (daemon: TestDaemon) => linesOf(join(daemon.dir, 'said'))

async function began(daemon: TestDaemon, what: string): Promise<void> {
  await waitFor(() => said(daemon).includes(what), { what: `the program says: ${what}` })
}

/** A daemon with the program, and a task that would run for ten minutes. */
async function busy(): Promise<TestDaemon> {
  const daemon = await startDaemon()
  try {
    withDatabase(daemon)
    await daemon.control.reload()
    await began(daemon, 'up')
    const script = daemon.script('task.sh', TASK)
    await daemon.push('async_tasks', { script, controller: daemon.dir, function: 'f' })
    await waitFor(() => existsSync(join(daemon.dir, 'tasks')), { what: 'the task runs' })
    return daemon
  } catch (error) {
    await daemon.remove()
    throw error
  }
}

describe.concurrent('a program that is stopped with its daemon', () => {
  it('gets its stopsignal and its time at `stop --now`, which ends tasks', async () => {
    await using daemon = await busy()
    const stopped = await daemon.cli('stop', '--now')
    expect(stopped.code).toBe(0)
    expect(stopped.stderr).toContain('1 program to end (db); taskd stop --kill ends them at once')
    expect(said(daemon)).toEqual(['up', 'begins to flush', 'flushed'])
    expect(daemon.processes()).toEqual([])
  })

  it('gets them at a second and a third TERM', async () => {
    await using daemon = await busy()
    const ended = daemon.stop()
    await began(daemon, 'begins to flush')
    daemon.signal('SIGTERM')
    daemon.signal('SIGTERM')
    expect(await ended).toEqual({ code: 0, signal: null })
    expect(said(daemon)).toEqual(['up', 'begins to flush', 'flushed'])
  })

  it('gets them under GNU timeout, which sends two TERMs', async () => {
    await using daemon = newDaemon()
    withDatabase(daemon)
    const args = ['--signal=TERM', '600', resolve('bin/taskd'), 'start', '-n', '-c', daemon.config]
    const env = { ...process.env, [MARK]: daemon.dir }
    const timeout = spawn('timeout', args, { env, stdio: 'ignore' })
    const ended = once(timeout, 'exit')
    await began(daemon, 'up')
    await inState(daemon, 'db', 'RUNNING')
    // Handed on as at the end of its time: to its child, and to its group.
    timeout.kill('SIGTERM')
    await ended
    expect(said(daemon)).toEqual(['up', 'begins to flush', 'flushed'])
    await waitFor(() => daemon.processes().length === 0, { what: 'all has left' })
  })

  it('is killed at once by `stop --kill`, also while it is being stopped', async () => {
    await using daemon = await busy()
    daemon.script('slow', '')
    const ended = daemon.stop()
    await began(daemon, 'begins to flush')
    const killed = await daemon.cli('stop', '--kill')
    expect(killed.code).toBe(0)
    expect(await ended).toEqual({ code: 0, signal: null })
    expect(said(daemon)).toEqual(['up', 'begins to flush'])
    expect(daemon.processes()).toEqual([])
  })
})

it('`stop --kill` takes no names, and says what kills one program', async () => {
  await using daemon = newDaemon()
  const refused = await daemon.cli('stop', '--kill', 'db')
  expect(refused.code).toBe(2)
  expect(refused.stderr).toContain('taskd signal KILL <name> kills a program')
})
