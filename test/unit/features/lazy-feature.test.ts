import { beforeEach, expect, test } from 'vitest'
import type { Config } from '../../../src/config/config.ts'
import { LiveConfig } from '../../../src/config/live.ts'
import type { SectionKind } from '../../../src/config/section-kind.ts'
import type { FeatureContext } from '../../../src/features/context.ts'
import type { Feature, FeatureEntry } from '../../../src/features/feature.ts'
import { FeatureSet } from '../../../src/features/feature-set.ts'
import { LazyFeature } from '../../../src/features/lazy-feature.ts'

/** What was done, in order. */
let done: string[]
beforeEach(() => {
  done = []
})

const kind = { kind: 'thing' } as SectionKind
const configOf = (...things: string[]) => ({ sections: { thing: things } }) as unknown as Config

const feature: Feature = {
  start: async () => void done.push('starts'),
  stop: async () => void done.push('stops'),
  configure: async ({ sections }) => void done.push(`configures ${String(sections['thing'])}`),
  hold: async () => void done.push('holds'),
  take: () => done.push('takes'),
  statuses: async () => ({ lists: { relays: [] }, parts: [] }),
}

function entryOf(changes: Partial<FeatureEntry> = {}): FeatureEntry {
  const load = async () => {
    done.push('loads')
    return { create: () => feature }
  }
  return { name: 'things', kinds: [kind], lists: ['relays'], load, ...changes }
}

function lazy(config: Config, changes: Partial<FeatureEntry> = {}) {
  const live = new LiveConfig(config)
  const context = { config: live } as FeatureContext
  return new LazyFeature(entryOf(changes), context)
}

test('what is not configured is not loaded, and its list in the status is empty', async () => {
  const things = lazy(configOf())
  await things.start()
  expect(await things.statuses()).toEqual({ lists: { relays: [] }, parts: [] })
  await things.hold()
  things.take()
  await things.stop()
  expect(done).toEqual([])
})

test('its code comes with its first section, and it stays when that goes', async () => {
  const things = lazy(configOf())
  await things.start()
  await things.configure(configOf('a'))
  await things.configure(configOf())
  await things.stop()
  expect(done).toEqual(['loads', 'starts', 'configures ', 'stops'])
})

test('a configuration that comes before the start or after the stop is not its business', async () => {
  const things = lazy(configOf('a'))
  await things.configure(configOf('b'))
  expect(done).toEqual([])
  await things.start()
  await things.stop()
  await things.configure(configOf('c'))
  expect(done).toEqual(['loads', 'starts', 'stops'])
})

test('one that comes while the node is drained takes no work until the drain ends', async () => {
  const things = lazy(configOf())
  await things.start()
  await things.hold()
  await things.configure(configOf('a'))
  things.take()
  expect(done).toEqual(['loads', 'holds', 'starts', 'takes'])
})

test('before its start it can be asked how it is, and for its routes', async () => {
  const things = lazy(configOf('a'))
  await things.statuses()
  await things.loaded()
  expect(done).toEqual(['loads'])
})

test('code that could not be loaded is loaded at the next try', async () => {
  let tries = 0
  const load = async () => {
    tries += 1
    if (tries === 1) throw new Error('the disk is away')
    return { create: () => feature }
  }
  const things = lazy(configOf('a'), { load })
  await expect(things.start()).rejects.toThrow('the disk is away')
  await things.configure(configOf('a'))
  expect(done).toEqual(['starts'])
})

test('those that need Redis start when it is there, one after another; all stand in one status', async () => {
  const context = { config: new LiveConfig(configOf('a')) } as FeatureContext
  const named = (name: string, after?: 'redis'): FeatureEntry => ({
    ...entryOf({ name, ...(after && { after }) }),
    load: async () => ({
      create: () => ({ ...feature, start: async () => void done.push(`${name} starts`) }),
    }),
  })
  const set = new FeatureSet([named('late', 'redis'), named('early')], context)
  await set.startFirst()
  expect(done).toEqual(['early starts'])
  await set.startAfterRedis()
  expect(done).toEqual(['early starts', 'late starts'])
  expect(await set.statuses()).toEqual({ lists: { relays: [] }, parts: [] })
  expect(Object.keys(set.configured(configOf()))).toEqual(['late', 'early'])
})
