import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { identityOf } from '../../../../src/features/programs/launch.ts'
import { ProcessRecords } from '../../../../src/features/programs/records.ts'
import type { Supervisor } from '../../../../src/features/programs/supervisor.ts'
import { bootId, groupLives, isAlive, startTimeOf } from '../../../../src/lib/proc.ts'
import { policy, type Supervised, supervise } from '../../../support/supervised.ts'
import { waitFor } from '../../../support/wait.ts'

const member = (supervisor: Supervisor, name: string) => {
  const found = supervisor.members.find(one => one.spec.name === name)
  if (!found) throw new Error(`no ${name}`)
  return found
}

async function running(supervisor: Supervisor, name: string): Promise<number> {
  await waitFor(() => member(supervisor, name).program.state.name === 'RUNNING', { what: name })
  return member(supervisor, name).program.pid ?? 0
}

test('a program that is KILLed is started again at once, under a new pid', async () => {
  await using world = supervise()
  await world.supervisor.start([world.spec('a', 'exec sleep 100')])
  const first = await running(world.supervisor, 'a')
  process.kill(first, 'SIGKILL')
  await waitFor(() => member(world.supervisor, 'a').program.pid !== first, { what: 'a new pid' })
  expect(await running(world.supervisor, 'a')).not.toBe(first)
  expect(world.steps).not.toContain('a BACKOFF')
})

test('programs are started in the order given, and stopped by priority, one batch after another', async () => {
  await using world = supervise()
  const shell = (name: string) =>
    `trap 'sleep 0.1; echo ${name} ends >> log; exit 0' TERM; echo ${name} >> log; while :; do sleep 0.01; done`
  const specs = [
    world.spec('early', shell('early'), { groupPriority: 1 }),
    world.spec('middle', shell('middle'), { groupPriority: 5 }),
    world.spec('late', shell('late'), { groupPriority: 9 }),
  ]
  await world.supervisor.start(specs)
  for (const spec of specs) await running(world.supervisor, spec.name)
  expect([...new Set(world.steps.filter(step => step.endsWith('STARTING')))]).toEqual([
    'early STARTING',
    'middle STARTING',
    'late STARTING',
  ])
  await world.supervisor.stop('the end')
  expect(world.file('log').split('\n').slice(3)).toEqual([
    'late ends',
    'middle ends',
    'early ends',
    '',
  ])
})

test('one that ignores the stop signal is KILLed after its time', async () => {
  await using world = supervise()
  const deaf = world.spec('deaf', "trap '' TERM; echo on > on; while :; do sleep 0.05; done", {
    restart: { ...policy, stopWaitMs: 150 },
  })
  await world.supervisor.start([deaf])
  const pid = await running(world.supervisor, 'deaf')
  await waitFor(() => existsSync(join(world.dir, 'on')), { what: 'the trap' })
  const startTime = startTimeOf(pid) ?? 0
  await world.supervisor.stop('the end')
  expect(isAlive({ pid, startTime })).toBe(false)
})

test.each([
  [false, true],
  [true, false],
])(
  'with stopasgroup = %s, a child of the program that is stopped lives on: %s',
  async (stopAsGroup, lives) => {
    await using world = supervise()
    const shell = "sleep 100 & echo $! > child; trap 'exit 0' TERM; wait"
    await world.supervisor.start([
      world.spec('parent', shell, { stopAsGroup, killAsGroup: stopAsGroup }),
    ])
    const pid = await running(world.supervisor, 'parent')
    const child = Number(await waitFor(() => world.file('child').trim(), { what: 'the child' }))
    const id = { pid: child, startTime: startTimeOf(child) ?? 0 }
    await world.supervisor.stop('the end')
    if (!lives) await waitFor(() => !groupLives(pid), { what: 'the end of the group' })
    expect(isAlive(id)).toBe(lives)
    const told = () =>
      world.logged.some(line => line.includes('left processes of its group behind'))
    if (lives) await waitFor(told, { what: 'a word on it' })
    expect(told()).toBe(lives)
    if (lives) process.kill(child, 'SIGKILL')
  },
)

test('umask and user take effect, and the pid stays that of the program', async () => {
  await using world = supervise()
  await world.supervisor.start([
    world.spec('m', 'umask > mask; echo $$ > pid; exec sleep 100', { umask: 0o27 }),
  ])
  const pid = await running(world.supervisor, 'm')
  expect(world.file('mask').trim()).toBe('0027')
  expect(Number(world.file('pid'))).toBe(pid)
})

test.runIf(process.getuid?.() === 0)('a user has all the groups of that user', async () => {
  await using world = supervise()
  const id = spawn('id', ['-G', 'www-data'])
  const wanted: Buffer[] = []
  id.stdout.on('data', (chunk: Buffer) => wanted.push(chunk))
  await once(id, 'close')
  const spec = world.spec('u', 'id -u -n; id -G', { user: 'www-data', directory: '/' })
  const file = join(world.dir, 'id')
  const shell = `{ id -u -n; id -G; } > '${file}'; exec sleep 100`
  chmodSync(world.dir, 0o777)
  await world.supervisor.start([{ ...spec, argv: ['/bin/sh', '-c', shell] }])
  await running(world.supervisor, 'u')
  expect(readFileSync(file, 'utf8')).toBe(`www-data\n${Buffer.concat(wanted).toString()}`)
})

test.each([
  [
    'a command that is not there',
    { argv: ['nothing-like-it'] },
    "can't find command nothing-like-it",
  ],
  ['a file that is not executable', { argv: ['./plain'] }, 'is not executable'],
  ['a folder that is not there', { directory: '/nowhere/at/all' }, 'cannot change to directory'],
  ['a user that is not there', { user: 'nobody-like-it' }, 'no such user'],
] as const)('%s goes to FATAL by way of BACKOFF, and says why', async (_what, changes, message) => {
  await using world = supervise()
  writeFileSync(join(world.dir, 'plain'), '#!/bin/sh\n')
  await world.supervisor.start([world.spec('x', '', { ...changes })])
  await waitFor(() => member(world.supervisor, 'x').program.state.name === 'FATAL', {
    what: 'FATAL',
  })
  expect(member(world.supervisor, 'x').program.program.lastEnd).toContain(message)
  expect(world.steps.filter(step => step === 'x BACKOFF')).toHaveLength(3)
})

test('a program knows Supervisor’s variables and its own', async () => {
  await using world = supervise()
  const shell = 'env | grep -E "^(SUPERVISOR|MINE|TASKD)" | sort > env; exec sleep 100'
  await world.supervisor.start([
    world.spec('web:web_00', shell, {
      group: 'web',
      process: 'web_00',
      environment: { MINE: 'a=b,c' },
    }),
  ])
  await running(world.supervisor, 'web:web_00')
  expect(world.file('env').trim().split('\n')).toEqual([
    'MINE=a=b,c',
    'SUPERVISOR_ENABLED=1',
    'SUPERVISOR_GROUP_NAME=web',
    'SUPERVISOR_PROCESS_NAME=web_00',
    expect.stringMatching(/^TASKD_PROGRAM=.{6}\/web:web_00$/),
  ])
})

test('a changed configuration restarts only what became another process', async () => {
  await using world = supervise()
  const one = (changes = {}) => world.spec('one', 'exec sleep 100', changes)
  const two = (changes = {}) => world.spec('two', 'exec sleep 100', changes)
  const { supervisor } = world
  await supervisor.start([one(), two()])
  const pids = [await running(supervisor, 'one'), await running(supervisor, 'two')]
  const log = { kind: 'file', path: join(world.dir, 'x.log'), maxBytes: 1, backups: 1 } as const
  supervisor.configure([
    one({ restart: { ...policy, maxQuick: 9 }, priority: 3 }),
    two({ environment: { A: '1' } }),
    world.spec('three', 'exec sleep 100'),
  ])
  await running(supervisor, 'three')
  await waitFor(() => member(supervisor, 'two').program.pid !== pids[1], { what: 'a restart' })
  await running(supervisor, 'two')
  expect(member(supervisor, 'one').program.pid).toBe(pids[0])
  supervisor.configure([
    one({ stdout: { ...log, gzip: true, timestamps: false, through: 'pipe' } }),
  ])
  await waitFor(() => supervisor.members.length === 1, { what: 'the end of the others' })
})

test('what was stopped by hand stays so over a reload, and in the next daemon', async () => {
  await using world = supervise()
  const specs = [world.spec('a', 'exec sleep 100'), world.spec('b', 'exec sleep 100')]
  await world.supervisor.start(specs)
  await running(world.supervisor, 'a')
  world.wanted.set(['a'], 'stopped', 'a test')
  member(world.supervisor, 'a').program.send({ type: 'stop', why: 'by hand' })
  await member(world.supervisor, 'a').program.until('STOPPED')
  world.supervisor.configure(specs)
  expect(member(world.supervisor, 'a').program.state.name).toBe('STOPPED')
  await world.supervisor.stop('the end')
  const next = world.successor()
  await next.start(specs)
  await running(next, 'b')
  expect(member(next, 'a').program.state.name).toBe('STOPPED')
})

test('what a KILLed daemon left is ended before the next one starts its own', async () => {
  await using world = supervise()
  const shell =
    "trap 'sleep 0.2; echo ended >> log; exit' TERM; echo started >> log; while :; do sleep 0.01; done"
  const orphan = await orphanOf(world, 'a', shell)
  const next = world.successor()
  await next.start([world.spec('a', shell)])
  await running(next, 'a')
  expect(isAlive(orphan)).toBe(false)
  expect(world.file('log').trim().split('\n')).toEqual(['started', 'ended', 'started'])
})

test('an orphan that is no longer configured, or is to be stopped, is ended', async () => {
  await using world = supervise()
  const gone = await orphanOf(world, 'gone', 'exec sleep 100')
  const stopped = await orphanOf(world, 'stopped', 'exec sleep 100')
  world.wanted.set(['stopped'], 'stopped', 'a test')
  const next = world.successor()
  await next.start([world.spec('stopped', 'exec sleep 100')])
  expect([isAlive(gone), isAlive(stopped)]).toEqual([false, false])
  expect(readdirSync(join(world.dir, 'run'))).toEqual([])
})

test('with on_orphan = adopt it is kept, supervised, and stopped in order', async () => {
  await using world = supervise()
  const adopt = { onOrphan: 'adopt' } as const
  const orphan = await orphanOf(world, 'a', 'exec sleep 100', adopt)
  const next = world.successor()
  await next.start([world.spec('a', 'exec sleep 100', adopt)])
  expect(await running(next, 'a')).toBe(orphan.pid)
  process.kill(orphan.pid, 'SIGKILL')
  await waitFor(() => member(next, 'a').program.pid !== orphan.pid, { what: 'another' })
  expect(await running(next, 'a')).not.toBe(orphan.pid)
})

test('an orphan is not adopted when its configuration is another by now', async () => {
  await using world = supervise()
  const adopt = { onOrphan: 'adopt' } as const
  const orphan = await orphanOf(world, 'a', 'exec sleep 100', adopt)
  const next = world.successor()
  await next.start([world.spec('a', 'exec sleep 101', adopt)])
  expect(await running(next, 'a')).not.toBe(orphan.pid)
  expect(isAlive(orphan)).toBe(false)
})

test('a record whose pid is somebody else’s by now touches nobody', async () => {
  await using world = supervise()
  const stranger = spawn('sleep', ['100'], { detached: true })
  const { pid = 0 } = stranger
  const record = {
    name: 'a',
    pid,
    startTime: (startTimeOf(pid) ?? 0) - 1,
    boot: bootId(),
    digest: '',
  }
  await world.supervisor.start([])
  writeFileSync(join(world.dir, 'run', 'a.json'), JSON.stringify(record))
  const next = world.successor()
  await next.start([world.spec('a', 'exec sleep 100', { onOrphan: 'adopt' })])
  expect(await running(next, 'a')).not.toBe(pid)
  expect(isAlive({ pid, startTime: startTimeOf(pid) ?? 0 })).toBe(true)
  stranger.kill('SIGKILL')
  await once(stranger, 'exit')
})

/** A process as a KILLed daemon leaves it: nobody's child here, with its mark and its record. */
async function orphanOf(
  world: Supervised,
  name: string,
  shell: string,
  changes: Parameters<Supervised['spec']>[2] = {},
): Promise<{ pid: number; startTime: number }> {
  const spec = world.spec(name, shell, changes)
  const file = join(world.dir, `${encodeURIComponent(name)}.pid`)
  // Through a shell that ends at once: init, and not this test, reaps it.
  const parent = spawn('/bin/sh', ['-c', 'setsid "$@" & echo $! > "$0"', file, ...spec.argv], {
    cwd: world.dir,
    stdio: 'ignore',
    env: { ...process.env, TASKD_PROGRAM: `${world.dir.slice(-6)}/${name}` },
  })
  await once(parent, 'exit')
  const pid = Number(readFileSync(file, 'utf8'))
  const startTime = await waitFor(() => startTimeOf(pid), { what: 'its start' })
  const cmdline = () => readFileSync(`/proc/${pid}/cmdline`, 'utf8')
  await waitFor(() => !cmdline().includes('setsid'), { what: 'its exec' })
  if (shell.includes('echo started'))
    await waitFor(() => world.file('log').includes('started'), { what: 'its trap' })
  new ProcessRecords(join(world.dir, 'run')).write({
    name,
    pid,
    startTime,
    boot: bootId(),
    digest: identityOf(spec),
  })
  return { pid, startTime }
}
