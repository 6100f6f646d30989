import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { Gathering, MOST_EVENTS } from '../../src/features/notify/gathering.ts'
import { Outlet } from '../../src/features/notify/outlet.ts'
import { SendError } from '../../src/features/notify/sender.ts'
import { isoWithOffset } from '../../src/lib/clock.ts'
import { NOTICE_KINDS, type Notice } from '../../src/model/notice.ts'
import { fakeClock } from '../support/fake-clock.ts'
import { recordedLog } from '../support/logs.ts'
import { fakeSender, noticeEvent, notifySpec } from '../support/notices.ts'

const sizeOf = ({ events, not_shown }: Pick<Notice, 'events' | 'not_shown'>) =>
  events.reduce((sum, event) => sum + event.count, not_shown)

const names = fc.integer({ min: 0, max: 80 }).map(n => `job-${n}`)
const kinds = fc.constantFrom(...NOTICE_KINDS)

test('what is gathered is all counted, in its order, in bounded room', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(names, kinds), { maxLength: 400 }), told => {
      const gathering = new Gathering()
      for (const [index, [name, kind]] of told.entries()) {
        const at = String(index).padStart(4, '0')
        gathering.add(noticeEvent({ name, kind, at, first_at: at }))
      }
      expect(gathering.size).toBe(told.length)
      const { events, notShown } = gathering.take()
      expect(events.length).toBeLessThanOrEqual(MOST_EVENTS)
      expect(sizeOf({ events, not_shown: notShown })).toBe(told.length)
      const firsts = events.map(event => event.first_at)
      expect(firsts).toEqual(firsts.toSorted())
      // How each one stands now is what was told of it last.
      for (const event of events.toReversed()) {
        const last = told.findLast(([name]) => name === event.name)
        const isLast = events.findLast(one => one.name === event.name) === event
        expect(isLast ? event.kind : last?.[1]).toBe(last?.[1])
      }
      expect(gathering.size).toBe(0)
    }),
  )
})

const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant('tell' as const), name: names, kind: kinds }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('wait' as const),
      ms: fc.integer({ min: 1, max: 90_000 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('wait' as const),
      ms: fc.integer({ min: 1, max: 10_000_000 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('server' as const), well: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('restart' as const) }) },
)

test('nothing is sent twice, nothing is forgotten in silence, and max holds', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 60 }),
      fc.integer({ min: 1, max: 4 }),
      async (steps, max) => {
        const time = fakeClock()
        const sender = fakeSender()
        const { log } = recordedLog()
        const spec = notifySpec({ max: { max, durationMs: 600_000 } })
        const deps = {
          clock: time.clock,
          random: () => 0.5,
          log,
          node: () => 'web-1',
          senderOf: () => sender,
          remember: () => undefined,
        }
        let outlet = new Outlet(spec, deps)
        outlet.start()
        let told = 0
        const stop = async () => {
          const stopped = outlet.stop()
          await time.advance(2000)
          await stopped
        }
        for (const one of steps) {
          if (one.do === 'tell') {
            told += 1
            const at = isoWithOffset(time.clock.now())
            outlet.tell(noticeEvent({ name: one.name, kind: one.kind, at, first_at: at }))
          } else if (one.do === 'wait') await time.advance(one.ms)
          else if (one.do === 'server')
            sender.refuse = one.well ? undefined : () => Promise.reject(new SendError('HTTP 500'))
          else {
            await stop()
            const { state } = outlet
            outlet = new Outlet(spec, deps)
            outlet.restore({ ...state, open: {}, since: {} })
            outlet.start()
          }
        }
        const { state, status } = outlet
        const { taken } = sender
        expect(new Set(taken.map(notice => notice.id)).size).toBe(taken.length)
        const arrived = taken.reduce((sum, notice) => sum + sizeOf(notice), 0)
        const lost =
          taken.reduce((sum, notice) => sum + notice.lost, 0) +
          state.lost +
          (state.flight?.lost ?? 0)
        expect(arrived + lost + status.waiting).toBe(told)
        const firsts = taken.flatMap(notice => notice.events.map(event => event.first_at))
        expect(firsts).toEqual(firsts.toSorted())
        const made = taken.map(notice => Date.parse(notice.at))
        const gaps = made.slice(max).map((at, index) => at - (made[index] ?? 0))
        expect(Math.min(600_000, ...gaps)).toBe(600_000)
        await stop()
      },
    ),
    { numRuns: 60 },
  )
})
