import { expect, onTestFinished, test } from 'vitest'
import { Hearing } from '../../../../src/features/notify/hearing.ts'
import { Section } from '../../../../src/features/notify/notifier.ts'
import { SendError } from '../../../../src/features/notify/sender.ts'
import type { DaemonEvent } from '../../../../src/model/events.ts'
import type { Job } from '../../../../src/model/job.ts'
import type { NotifySpec } from '../../../../src/model/notice.ts'
import { fakeClock } from '../../../support/fake-clock.ts'
import { recordedLog } from '../../../support/logs.ts'
import { fakeSender, fakeWorld, notifySpec } from '../../../support/notices.ts'

const MINUTE = 60_000

/** One section in a world of the test. */
function bench(changes: Partial<NotifySpec> = {}, known?: Section['state']) {
  const time = fakeClock()
  const world = fakeWorld()
  const sender = fakeSender()
  const log = recordedLog()
  const spec = notifySpec({ groupMs: 1000, ...changes })
  const deps = {
    clock: time.clock,
    random: () => 0.5,
    log: log.log,
    world,
    senderOf: () => sender,
    remember: () => undefined,
  }
  const section = new Section(spec, deps, known)
  const hearing = new Hearing(world, time.clock, () => [section])
  section.start()
  const stop = async () => {
    const stopped = section.stop()
    await time.advance(2000)
    await stopped
  }
  onTestFinished(stop)
  return {
    time,
    world,
    sender,
    log,
    section,
    spec,
    stop,
    hear: (event: DaemonEvent) => hearing.hear(event),
    /** What has been taken: a list for each notice. */
    told: () =>
      sender.taken.map(notice =>
        notice.events.map(one => `${one.kind} ${one.what} ${one.name}`.trim()),
      ),
  }
}

const ended = (changes: object = {}): DaemonEvent => ({
  type: 'run-ended',
  workerId: 'web-1-async_tasks-1',
  run: {
    type: 'ended',
    id: 't1',
    job: 'a',
    attempt: 1,
    outcome: 'fail',
    kind: 'exit',
    code: 'fail',
    msg: 'boom',
    durationMs: 5,
    ...changes,
  },
})
const success = { outcome: 'succ', kind: '', code: 'succ' }
const program = (name: string, state: string, from = 'STARTING', more = {}): DaemonEvent =>
  ({
    type: 'program',
    name,
    from,
    state: { name: state, since: 0, ...more },
    detail: 'exit code 3',
  }) as unknown as DaemonEvent
const job = (name: string): Job =>
  ({
    name,
    enabled: true,
    trigger: { kind: 'cron', expression: '0 * * * *' },
    timezone: 'UTC',
    task: { taskKey: 'async_tasks' },
  }) as unknown as Job

test('a failed run is told with all that helps, and nothing that was given to it', async () => {
  const { hear, time, sender } = bench()
  hear(ended({ attempt: 2 }))
  await time.advance(1000)
  const at = sender.taken[0]?.events[0]?.at
  expect(sender.taken[0]).toEqual({
    id: expect.stringMatching(/^[0-9a-f-]{36}$/),
    notify: 'ops',
    node: 'web-1',
    at: expect.any(String),
    title: 'taskd web-1: job a failed (exit, attempt 2): boom',
    text: expect.stringContaining('job a failed'),
    events: [
      {
        kind: 'fail',
        what: 'job',
        name: 'a',
        at,
        count: 1,
        first_at: at,
        msg: 'boom',
        task_key: 'async_tasks',
        task_id: 't1',
        worker: 'web-1-async_tasks-1',
        attempt: 2,
        reason: 'exit',
        code: 'fail',
      },
    ],
    not_shown: 0,
    lost: 0,
    held: false,
  })
})

test('only a final verdict counts, and nobody is told of what a person did', async () => {
  const { hear, time, told } = bench()
  hear(ended({ retryInMs: 1000 }))
  hear(ended({ outcome: 'returned' }))
  hear(ended({ kind: 'cancelled' }))
  hear(ended({ outcome: 'other', kind: 'answer', code: 'stale', job: 'b' }))
  hear(ended({ job: '', id: 't9' }))
  await time.advance(1000)
  expect(told()).toEqual([['fail job b', 'fail task async_tasks']])
})

test('a failure and its recovery within one window are one notice', async () => {
  const { hear, time, told } = bench()
  hear(ended())
  hear(ended(success))
  hear(ended(success))
  await time.advance(1000)
  expect(told()).toEqual([['fail job a', 'recovery job a']])
})

test('a task that took its workers with it is a failure', async () => {
  const { hear, time, told } = bench()
  const died = { type: 'died', taskId: 't', taskKey: 'q', workerId: 'w', attempt: 3 } as const
  hear({ ...died, job: '', msg: 'its worker died 3 times' })
  await time.advance(1000)
  expect(told()).toEqual([['fail task q']])
})

test('a program that is given up is told once, and when it runs again', async () => {
  const { hear, time, told } = bench()
  hear(program('mailer', 'FATAL'))
  await time.advance(1000)
  hear(program('mailer', 'STARTING', 'FATAL'))
  hear(program('mailer', 'FATAL'))
  await time.advance(1000)
  hear(program('mailer', 'RUNNING', 'STARTING', { pid: 1 }))
  await time.advance(1000)
  expect(told()).toEqual([['fatal program mailer'], ['recovery program mailer']])
})

test('one that a person stops is no longer waited for; one that stops with taskd is', async () => {
  const { hear, time, told, world, section } = bench()
  hear(program('a', 'FATAL'))
  hear(program('b', 'FATAL'))
  hear(program('a', 'STOPPED', 'FATAL', { why: 'by hand' }))
  world.state.leaving = true
  hear(program('b', 'STOPPED', 'FATAL', { why: 'taskd stops' }))
  await time.advance(1000)
  expect(told()).toEqual([['fatal program a', 'fatal program b']])
  expect(Object.keys(section.state.open)).toEqual(['program b'])
})

test('a worker that keeps dying is told, although it is never given up', async () => {
  const { hear, time, told } = bench()
  const name = 'web-1-sync_tasks-1'
  for (let n = 0; n < 9; n += 1) hear(program(name, 'BACKOFF'))
  hear(program(name, 'RUNNING', 'STARTING', { pid: 1 }))
  for (let n = 0; n < 4; n += 1) hear(program(name, 'BACKOFF'))
  await time.advance(1000)
  expect(told()).toEqual([[`fatal worker ${name}`, `recovery worker ${name}`]])
})

test('a node that is gone is told once, whatever `names` says, and its return', async () => {
  const { hear, time, told } = bench({ names: ['!*'] })
  const node = (state: 'gone' | 'alive') =>
    hear({ type: 'node', node: 'web-2', state, detail: 'gives no sign of life' })
  node('gone')
  node('gone')
  await time.advance(1000)
  node('alive')
  await time.advance(1000)
  expect(told()).toEqual([['fatal node web-2'], ['recovery node web-2']])
})

test('Redis or the database away is told after ten seconds, and its return', async () => {
  const { time, world, told, section } = bench()
  const away = [{ what: 'redis', ok: false, error: 'ECONNREFUSED' }] as const
  section.look(away)
  await time.advance(9000)
  section.look(away)
  section.look([{ what: 'redis', ok: true, error: '' }])
  section.look(away)
  await time.advance(9999)
  section.look(away)
  await time.advance(2000)
  expect(told()).toEqual([])
  section.look(away)
  section.look(away)
  section.look([{ what: 'redis', ok: true, error: '' }])
  await time.advance(1000)
  expect(told()).toEqual([['away redis', 'recovery redis']])
  expect(world.state.claimed).toEqual([])
})

test('a job that is not seen at its time is told once, with why', async () => {
  const { time, world, told, sender } = bench()
  world.state.jobs = [job('backup')]
  world.state.place = 'waiting'
  await time.advance(69 * MINUTE)
  expect(told()).toEqual([])
  await time.advance(2 * MINUTE)
  expect(told()).toEqual([['silence job backup']])
  expect(sender.taken[0]?.events[0]).toMatchObject({ msg: 'its task waits in async_tasks' })
  await time.advance(600 * MINUTE)
  expect(told()).toHaveLength(1)
})

test('a paused job is not seen either', async () => {
  const { time, world, sender } = bench()
  world.state.jobs = [job('backup')]
  world.state.signs.set('backup', {
    end: undefined,
    succeeded: false,
    lastId: '',
    paused: 'by root',
  })
  await time.advance(71 * MINUTE)
  expect(sender.taken[0]?.events[0]?.msg).toBe('it is paused: by root')
})

test('a run that takes long is not silent', async () => {
  const { time, world, told } = bench()
  world.state.jobs = [job('backup')]
  world.state.signs.set('backup', { end: undefined, succeeded: false, lastId: 'x', paused: '' })
  world.state.place = 'running'
  await time.advance(300 * MINUTE)
  expect(told()).toEqual([])
  world.state.place = 'nowhere'
  await time.advance(MINUTE)
  expect(told()).toEqual([['silence job backup']])
})

test('it is told that a silent job is seen again, on whichever node it ran', async () => {
  const { time, world, told } = bench()
  world.state.jobs = [job('backup')]
  await time.advance(71 * MINUTE)
  const end = time.clock.now()
  world.state.signs.set('backup', { end, succeeded: true, lastId: 'x', paused: '' })
  await time.advance(6000)
  expect(told()).toEqual([['silence job backup'], ['recovery job backup']])
  await time.advance(50 * MINUTE)
  expect(told()).toHaveLength(2)
  await time.advance(20 * MINUTE)
  expect(told()[2]).toEqual(['silence job backup'])
})

test('a job that failed here and works again elsewhere is told to do so', async () => {
  const { hear, time, world, told } = bench({ on: ['fail', 'recovery'] })
  hear(ended())
  const stale = { end: time.clock.now() - 1, succeeded: true, lastId: 'x', paused: '' }
  world.state.signs.set('a', stale)
  await time.advance(31_000)
  expect(told()).toEqual([['fail job a']])
  world.state.signs.set('a', { ...stale, end: time.clock.now() })
  await time.advance(6000)
  expect(told()).toEqual([['fail job a'], ['recovery job a']])
})

test('of many nodes one tells of a silence, and of its end', async () => {
  const { time, world, told } = bench()
  world.state.jobs = [job('backup')]
  world.state.taken = true
  await time.advance(75 * MINUTE)
  expect(world.state.claimed).toHaveLength(1)
  world.state.signs.set('backup', {
    end: time.clock.now(),
    succeeded: true,
    lastId: '',
    paused: '',
  })
  await time.advance(MINUTE)
  expect(told()).toEqual([])
})

test('while Redis is away nothing is said to be silent, and then there is time again', async () => {
  const { time, world, told } = bench({ on: ['silence'] })
  world.state.jobs = [job('backup')]
  world.state.ready = false
  await time.advance(200 * MINUTE)
  world.state.ready = true
  await time.advance(9 * MINUTE)
  expect(told()).toEqual([])
  await time.advance(3 * MINUTE)
  expect(told()).toEqual([['silence job backup']])
})

test('a failure speaks for itself where failures are told', async () => {
  const [both, alone] = [bench(), bench({ on: ['silence'] })]
  for (const one of [both, alone]) {
    one.world.state.jobs = [job('a')]
    await one.time.advance(61 * MINUTE)
    one.hear(ended())
    one.world.state.signs.set('a', {
      end: one.time.clock.now(),
      succeeded: false,
      lastId: '',
      paused: '',
    })
    await one.time.advance(11 * MINUTE)
  }
  expect(both.told()).toEqual([['fail job a']])
  expect(alone.told()).toEqual([['silence job a']])
  expect(alone.sender.taken[0]?.events[0]?.msg).toBe('its runs fail')
})

test('over a restart nothing is told twice, and what is open is not forgotten', async () => {
  const before = bench({ groupMs: 5 * MINUTE })
  before.world.state.jobs = [job('backup')]
  await before.time.advance(71 * MINUTE)
  before.hear(ended())
  await before.stop()
  const state = JSON.parse(JSON.stringify(before.section.state)) as Section['state']
  const after = bench({}, state)
  after.world.state.jobs = [job('backup')]
  after.hear(ended(success))
  await after.time.advance(60 * MINUTE)
  expect(after.told()).toEqual([['silence job backup', 'fail job a', 'recovery job a']])
})

test('a notice that is not taken is tried for an hour and then counted', async () => {
  const { hear, time, sender, section, log } = bench()
  sender.refuse = () => Promise.reject(new SendError('HTTP 503'))
  hear(ended())
  hear(ended())
  await time.advance(59 * MINUTE)
  expect(new Set(sender.tried.map(one => one.id)).size).toBe(1)
  expect(sender.tried.length).toBeGreaterThan(10)
  expect(sender.tried.length).toBeLessThan(40)
  expect(section.outlet.status).toMatchObject({
    ok: false,
    error: 'HTTP 503',
    waiting: 2,
    dropped: 0,
  })
  await time.advance(5 * MINUTE)
  expect(section.outlet.status).toMatchObject({ waiting: 0, dropped: 2, sent: 0 })
  expect(log.lines.filter(line => line.level === 'warn').map(line => line.message)).toEqual([
    'a notice was not taken',
    'a notice that nobody took for an hour is given up',
  ])
  sender.refuse = undefined
  hear(ended())
  await time.advance(1000)
  expect(sender.taken).toMatchObject([{ lost: 2, events: [{ count: 1 }] }])
  const failed = sender.tried.length - 1
  expect(section.outlet.status).toMatchObject({ ok: true, error: '', sent: 1, failed, dropped: 2 })
})

test('a notice that is refused for what it is, or for its key, is not tried again, and shown', async () => {
  const { hear, time, sender, section } = bench()
  const refusal = new SendError('HTTP 200: errcode 40035: no', { final: true })
  sender.refuse = () => Promise.reject(refusal)
  hear(ended())
  await time.advance(600_000)
  expect(sender.tried).toHaveLength(1)
  expect(section.outlet.status).toMatchObject({ ok: false, error: refusal.message, dropped: 1 })
  sender.refuse = undefined
  hear(ended({ id: 'next' }))
  await time.advance(600_000)
  expect(sender.taken).toMatchObject([{ lost: 1 }])
})

test('whoever asks to be left alone for a while is', async () => {
  const { hear, time, sender } = bench()
  sender.refuse = () => Promise.reject(new SendError('HTTP 429', { retryAfterMs: 120_000 }))
  hear(ended())
  await time.advance(1000 + 119_000)
  expect(sender.tried).toHaveLength(1)
  await time.advance(1000)
  expect(sender.tried).toHaveLength(2)
})

test('a changed address is tried at once, with what waits', async () => {
  const { hear, time, sender, section, spec } = bench()
  sender.refuse = () => Promise.reject(new SendError('HTTP 404'))
  hear(ended())
  await time.advance(20 * MINUTE)
  const tried = sender.tried.length
  sender.refuse = undefined
  section.configure({ ...spec, url: 'https://other.example.org/' })
  await time.advance(0)
  expect(sender.tried).toHaveLength(tried + 1)
  expect(sender.taken).toHaveLength(1)
})

test('a hundred thousand failures at once are two notices, and cost little', async () => {
  const { hear, time, sender, section } = bench({ max: { max: 1, durationMs: 10 * MINUTE } })
  hear(ended({ job: 'first' }))
  await time.advance(1000)
  const began = performance.now()
  for (let n = 0; n < 100_000; n += 1) hear(ended({ job: `job-${n % 10_000}`, id: String(n) }))
  const perEventUs = (performance.now() - began) / 100
  expect(perEventUs).toBeLessThan(100)
  expect(section.outlet.status.waiting).toBe(100_000)
  await time.advance(9 * MINUTE)
  expect(sender.taken).toHaveLength(1)
  await time.advance(MINUTE)
  expect(sender.taken).toHaveLength(2)
  const [, second] = sender.taken
  expect(second).toMatchObject({ held: true, not_shown: 99_950 })
  expect(second?.events).toHaveLength(50)
  expect(JSON.stringify(second).length).toBeLessThan(100_000)
})
