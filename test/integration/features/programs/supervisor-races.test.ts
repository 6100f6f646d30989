import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Supervisor } from '../../../../src/features/programs/supervisor.ts'
import { bootId, isAlive, startTimeOf } from '../../../../src/lib/proc.ts'
import { policy, type Supervised, supervise } from '../../../support/supervised.ts'
import { waitFor } from '../../../support/wait.ts'

/** Says when it is up, and is deaf to TERM. */
const DEAF = "trap '' TERM; echo $$ >> up; while :; do sleep 0.02; done"
const IMPATIENT = { restart: { ...policy, stopWaitMs: 300 } }

const stateOf = (supervisor: Supervisor, name: string) =>
  supervisor.members.find(one => one.spec.name === name)?.program.state.name

const until = (supervisor: Supervisor, name: string, state: string) =>
  waitFor(() => stateOf(supervisor, name) === state, { what: `${name} is ${state}` })

const send = (supervisor: Supervisor, name: string, type: 'start' | 'stop' | 'restart') =>
  supervisor.members
    .find(one => one.spec.name === name)
    ?.program.send(type === 'start' ? { type } : { type, why: 'a test' })

/** A deaf process with the mark of a program, as a KILLed daemon leaves it. */
async function leftover(world: Supervised, name: string) {
  const command = 'setsid "$@" & echo $! > left'
  const parent = spawn('/bin/sh', ['-c', command, 'sh', '/bin/sh', '-c', DEAF], {
    cwd: world.dir,
    stdio: 'ignore',
    env: { ...process.env, TASKD_PROGRAM: `${world.dir.slice(-6)}/${name}` },
  })
  await once(parent, 'exit')
  await waitFor(() => existsSync(join(world.dir, 'up')), { what: 'its trap' })
  const pid = Number(world.file('left'))
  return { pid, startTime: startTimeOf(pid) ?? 0 }
}

/** How many of a program lived at once, at most, until it ran alone. */
const upOnes = (world: Supervised) => world.file('up').trim().split('\n').map(Number)

test.each(['start', 'restart'] as const)(
  'a %s asked for while a leftover is being ended waits for its end',
  async verb => {
    await using world = supervise()
    const old = await leftover(world, 'a')
    if (verb === 'start') world.wanted.set(['a'], 'stopped', 'a test')
    const started = world.supervisor.start([world.spec('a', DEAF, IMPATIENT)])
    await waitFor(() => world.logged.some(line => line.includes('ends what')), { what: 'its end' })
    send(world.supervisor, 'a', verb)
    await waitFor(() => upOnes(world).length > 1 || !isAlive(old), { what: 'what comes first' })
    expect(isAlive(old)).toBe(false)
    await started
    await until(world.supervisor, 'a', 'RUNNING')
    await waitFor(() => upOnes(world).length === 2, { what: 'the new one' })
  },
)

test('a stop asked for while a leftover is being ended is over when it is gone', async () => {
  await using world = supervise()
  const old = await leftover(world, 'a')
  const started = world.supervisor.start([world.spec('a', DEAF, IMPATIENT)])
  await waitFor(() => world.logged.some(line => line.includes('ends what')), { what: 'its end' })
  await world.supervisor.stop('the end')
  expect(isAlive(old)).toBe(false)
  expect(upOnes(world)).toEqual([old.pid])
  await started
})

test('a stop waits for the leftover of a program that was stopped by hand', async () => {
  await using world = supervise()
  const old = await leftover(world, 'a')
  world.wanted.set(['a'], 'stopped', 'a test')
  const started = world.supervisor.start([world.spec('a', DEAF, IMPATIENT)])
  await waitFor(() => world.logged.some(line => line.includes('ends what')), { what: 'its end' })
  await world.supervisor.stop('the end')
  expect(isAlive(old)).toBe(false)
  await started
})

test('one that is told to kill KILLs leftovers at once', async () => {
  await using world = supervise()
  const old = await leftover(world, 'a')
  const patient = { restart: { ...policy, stopWaitMs: 600_000 } }
  const started = world.supervisor.start([world.spec('a', DEAF, patient)])
  await waitFor(() => world.logged.some(line => line.includes('ends what')), { what: 'its end' })
  const stopped = world.supervisor.stop('the end')
  world.supervisor.kill()
  await stopped
  await started
  expect(isAlive(old)).toBe(false)
})

test('a leftover that starts another while it ends leaves nothing behind', async () => {
  await using world = supervise()
  const shell = `trap 'setsid sh -c "${DEAF.replaceAll('$', '\\$')}" & exit 0' TERM; echo $$ >> up; while :; do sleep 0.02; done`
  const env = { ...process.env, TASKD_PROGRAM: `${world.dir.slice(-6)}/a` }
  const options = { cwd: world.dir, stdio: 'ignore', env } as const
  const parent = spawn('/bin/sh', ['-c', 'setsid sh -c "$0" &', shell], options)
  await once(parent, 'exit')
  await waitFor(() => existsSync(join(world.dir, 'up')), { what: 'its trap' })
  await world.supervisor.start([])
  const pids = upOnes(world)
  expect(pids.filter(pid => startTimeOf(pid) !== undefined)).toEqual([])
})

test('a start that is under way becomes what is configured by then', async () => {
  await using world = supervise()
  const names = Array.from({ length: 40 }, (_, n) => `p${n}`)
  const all = (word: string) =>
    names.map(name => world.spec(name, `echo ${name} ${word} >> ran; exec sleep 100`))
  void world.supervisor.start(all('old'))
  // Some have a process by now and some have not.
  await waitFor(() => existsSync(join(world.dir, 'ran')), { what: 'the first one' })
  world.supervisor.configure(all('new'))
  for (const name of names) await until(world.supervisor, name, 'RUNNING')
  await waitFor(
    () => {
      const lines = world.file('ran').trim().split('\n')
      const last = new Map(lines.map(line => line.split(' ') as [string, string]))
      expect([...last.values()]).toEqual(names.map(() => 'new'))
      return true
    },
    { what: 'the last word of each is the new one' },
  )
})

test('at the very beginning, too', async () => {
  await using world = supervise()
  void world.supervisor.start([world.spec('a', 'echo old >> ran; exec sleep 100')])
  world.supervisor.configure([world.spec('a', 'echo new >> ran; exec sleep 100')])
  await until(world.supervisor, 'a', 'RUNNING')
  await waitFor(() => existsSync(join(world.dir, 'ran')), { what: 'it runs' })
  expect(world.file('ran')).toBe('new\n')
})

test.each(['', 'null', '7', '[]', '{}', '{"name":5}', '{"name":"a","pid":1', 'x'.repeat(100_000)])(
  'a record that holds %s is dropped, and all starts as ever',
  async text => {
    await using world = supervise()
    const folder = join(world.dir, 'run')
    writeFileSync(join(folder, 'a.json'), text)
    const pid1 = { pid: 1, startTime: startTimeOf(1), boot: bootId(), digest: '', name: 'b' }
    writeFileSync(join(folder, 'b.json'), JSON.stringify(pid1))
    // In a file of another name.
    const own = { ...pid1, pid: process.pid, startTime: startTimeOf(process.pid) }
    writeFileSync(join(folder, 'c.json'), JSON.stringify(own))
    await world.supervisor.start([world.spec('a', 'exec sleep 100')])
    await until(world.supervisor, 'a', 'RUNNING')
    expect(readdirSync(folder)).toEqual(['a.json'])
    expect(JSON.parse(readFileSync(join(folder, 'a.json'), 'utf8'))).toMatchObject({ name: 'a' })
  },
)
