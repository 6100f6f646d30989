import type { Sender } from '../../src/features/notify/sender.ts'
import type { World } from '../../src/features/notify/world.ts'
import type { JobSign } from '../../src/model/cron-state.ts'
import type { Notice, NoticeEvent, NotifySpec } from '../../src/model/notice.ts'

export function notifySpec(changes: Partial<NotifySpec> = {}): NotifySpec {
  return {
    name: 'ops',
    url: 'https://hooks.example.org/x',
    format: 'json',
    to: [],
    on: ['fail', 'fatal', 'recovery', 'silence', 'away'],
    names: ['*'],
    groupMs: 30_000,
    max: { max: 10, durationMs: 3_600_000 },
    silenceAfterMs: 600_000,
    ...changes,
  }
}

export function noticeEvent(changes: Partial<NoticeEvent> = {}): NoticeEvent {
  const at = '2026-11-21T09:00:00.000+00:00'
  return { kind: 'fail', what: 'job', name: 'a', at, first_at: at, count: 1, msg: '', ...changes }
}

export interface FakeSender extends Sender {
  readonly tried: Notice[]
  readonly taken: Notice[]
  /** What it says to the next ones; nothing: it takes them. */
  refuse: ((notice: Notice, signal: AbortSignal) => Promise<void>) | undefined
}

export function fakeSender(): FakeSender {
  const sender: FakeSender = {
    to: 'somebody',
    tried: [],
    taken: [],
    refuse: undefined,
    async send(notice, signal) {
      sender.tried.push(notice)
      await sender.refuse?.(notice, signal)
      sender.taken.push(notice)
      return { message: 'thank you', refused: '' }
    },
  }
  return sender
}

export interface FakeWorld extends World {
  readonly state: {
    jobs: Parameters<World['next']>[0][]
    signs: Map<string, JobSign>
    place: Awaited<ReturnType<World['placeOf']>>
    ready: boolean
    claimed: string[]
    /** Another node was first. */
    taken: boolean
    conditions: ReturnType<World['conditions']>
    leaving: boolean
  }
}

const HOUR = 3_600_000

/** A world without Redis; jobs are due at each full hour. */
export function fakeWorld(): FakeWorld {
  const state: FakeWorld['state'] = {
    jobs: [],
    signs: new Map(),
    place: 'nowhere',
    ready: true,
    claimed: [],
    taken: false,
    conditions: [],
    leaving: false,
  }
  const none: JobSign = { end: undefined, succeeded: false, lastId: 'x', paused: '' }
  return {
    state,
    node: () => 'web-1',
    jobs: () => state.jobs,
    next: (_job, after) => (Math.floor(after / HOUR) + 1) * HOUR,
    isWorker: name => name.startsWith('web-1-'),
    taskKeyOf: () => 'async_tasks',
    ready: () => state.ready,
    signs: async names => names.map(name => state.signs.get(name) ?? none),
    placeOf: async () => state.place,
    async claim(section, job, tick) {
      state.claimed.push(`${section} ${job} ${tick}`)
      return !state.taken
    },
    conditions: () => state.conditions,
    leaving: () => state.leaving,
  }
}
