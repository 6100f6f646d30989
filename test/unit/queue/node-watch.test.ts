import { describe, expect, test } from 'vitest'
import { goneSign } from '../../../src/queue/node-sign.ts'
import { NodeWatch } from '../../../src/queue/node-watch.ts'

const T = 60_000
const EVERY = 10_000

/** Looks each 10 s from `now` on; each look lasts a millisecond. */
function watching() {
  const watch = new NodeWatch('me@i', () => T)
  let now = 0
  return {
    watch,
    get now() {
      return now
    },
    pass(ms: number) {
      now += ms
    },
    look(signs: Record<string, string>, tookMs = 1) {
      const sentAt = now
      now += tookMs
      watch.look({ signs: new Map(Object.entries(signs)), sentAt, answeredAt: now })
    },
    looks(count: number, signs: Record<string, string>) {
      for (let n = 0; n < count; n += 1) {
        this.pass(EVERY)
        this.look(signs)
      }
    },
    gone: () => watch.overdue(now).map(one => one.field),
  }
}

describe('another node', () => {
  test('is gone once its sign has not changed for its node_timeout', () => {
    const one = watching()
    one.look({ 'a@x': '60000.1.1' })
    one.looks(5, { 'a@x': '60000.1.1' })
    expect(one.gone()).toEqual([])
    one.looks(1, { 'a@x': '60000.1.1' })
    expect(one.gone()).toEqual(['a@x'])
  })

  test('lives as long as its sign changes, whatever it says', () => {
    const one = watching()
    for (let n = 0; n < 30; n += 1) one.looks(1, { 'a@x': `60000.1.${n % 2}` })
    expect(one.gone()).toEqual([])
  })

  test('is waited for as long as it said itself', () => {
    const one = watching()
    one.look({ 'a@x': '300000.1.1' })
    one.looks(29, { 'a@x': '300000.1.1' })
    expect(one.gone()).toEqual([])
    one.looks(1, { 'a@x': '300000.1.1' })
    expect(one.gone()).toEqual(['a@x'])
  })

  test('is not judged by what could not be seen: a look that failed, was late, or took long', () => {
    for (const spoil of [
      (one: ReturnType<typeof watching>) => one.watch.missed(),
      (one: ReturnType<typeof watching>) => one.pass(EVERY * 1.5),
      (one: ReturnType<typeof watching>) => one.look({ 'a@x': '60000.1.1' }, EVERY + 1),
    ]) {
      const one = watching()
      one.look({ 'a@x': '60000.1.1' })
      one.looks(5, { 'a@x': '60000.1.1' })
      spoil(one)
      one.looks(5, { 'a@x': '60000.1.1' })
      expect(one.gone()).toEqual([])
      one.looks(2, { 'a@x': '60000.1.1' })
      expect(one.gone()).toEqual(['a@x'])
    }
  })

  test('is gone for all as soon as one has said so, and back with its next sign', () => {
    const one = watching()
    one.look({ 'a@x': goneSign('2026-01-01T00:00:00.000Z') })
    expect(one.watch.isGone('a@x', one.now)).toBe(true)
    expect(one.gone()).toEqual([])
    expect(one.watch.nodes).toEqual([{ field: 'a@x', gone: '2026-01-01T00:00:00.000Z' }])
    one.looks(1, { 'a@x': '60000.1.1' })
    expect(one.watch.isGone('a@x', one.now)).toBe(false)
  })

  test('that gives no sign is gone after a minute, unless its lease of version 0.1 lives', () => {
    const one = watching()
    one.look({})
    one.watch.expect('old@x', one.now)
    one.watch.expect('lost@x', one.now)
    for (let n = 0; n < 6; n += 1) {
      one.looks(1, {})
      one.watch.lives('old@x', one.now)
    }
    expect(one.watch.isGone('old@x', one.now)).toBe(false)
    expect(one.watch.isGone('lost@x', one.now)).toBe(true)
    expect(one.watch.nodes).toEqual([])
  })

  test('is never this one', () => {
    const one = watching()
    one.looks(20, { 'me@i': '60000.1.1' })
    expect(one.gone()).toEqual([])
    expect(one.watch.isGone('me@i', one.now)).toBe(false)
  })
})
