import { isDeepStrictEqual } from 'node:util'
import type { Job } from '../model/job.ts'
import type { Config } from './config.ts'
import { changedKeysOf } from './programs/changed-keys.ts'

export interface Change {
  readonly name: string
  /** The keys that differ, as they are called in cron.ini. */
  readonly keys: readonly string[]
}

export interface Changes {
  readonly added: readonly string[]
  readonly removed: readonly string[]
  readonly changed: readonly Change[]
}

export interface ConfigDiff {
  readonly jobs: Changes
  readonly queues: Changes
  /** Each process by itself, with the keys as they are called in supervisord's sections. */
  readonly processes: Changes
  readonly channels: Changes
  readonly relays: Changes
  readonly sources: Changes
  readonly notify: Changes
  readonly settings: { readonly changedKeys: readonly string[] }
}

/** What a new configuration changes, by name and key: what `plan` shows and `reload` does. */
export function diffConfig(old: Config, next: Config): ConfigDiff {
  return {
    jobs: changes(byName(old.jobs.map(flat)), byName(next.jobs.map(flat))),
    queues: changes(byName(old.queues.map(queue)), byName(next.queues.map(queue))),
    processes: changes(named(old.processes), named(next.processes), changedKeysOf),
    channels: changes(named(old.channels), named(next.channels), fileKeys),
    relays: changes(named(old.relays), named(next.relays), fileKeys),
    sources: changes(byName(old.sources.map(source)), byName(next.sources.map(source))),
    notify: changes(named(old.notify), named(next.notify)),
    settings: { changedKeys: differing(old.settings, next.settings) },
  }
}

interface Named {
  readonly name: string
  readonly keys: object
}

function flat(job: Job): Named {
  const { name, task, trigger, ...rest } = job
  return { name, keys: { ...rest, trigger: trigger.kind, runTime: trigger, ...task } }
}

function queue(spec: Config['queues'][number]): Named {
  return { name: spec.taskKey, keys: spec }
}

function source({ name, task, ...rest }: Config['sources'][number]): Named {
  return { name, keys: { ...rest, ...task } }
}

function byName(list: readonly Named[]): ReadonlyMap<string, object> {
  return new Map(list.map(one => [one.name, one.keys]))
}

function named<T extends { readonly name: string }>(list: readonly T[]): ReadonlyMap<string, T> {
  return new Map(list.map(one => [one.name, one]))
}

function changes<T extends object>(
  old: ReadonlyMap<string, T>,
  next: ReadonlyMap<string, T>,
  keysOf: (before: T, after: T) => readonly string[] = differing,
): Changes {
  const changed: Change[] = []
  for (const [name, after] of next) {
    const before = old.get(name)
    const keys = before === undefined ? [] : keysOf(before, after)
    if (keys.length > 0) changed.push({ name, keys })
  }
  return {
    added: [...next.keys()].filter(name => !old.has(name)),
    removed: [...old.keys()].filter(name => !next.has(name)),
    changed,
  }
}

function differing(old: object, next: object): readonly string[] {
  const before = new Map<string, unknown>(Object.entries(old))
  const after = new Map<string, unknown>(Object.entries(next))
  const names = new Set([...before.keys(), ...after.keys()])
  return [...names]
    .filter(name => !isDeepStrictEqual(before.get(name), after.get(name)))
    .map(keyOf)
    .toSorted()
}

/** `keys` holds what `encrypt_key` says. */
function fileKeys(before: object, after: object): readonly string[] {
  return differing(before, after).map(key => (key === 'keys' ? 'encrypt_key' : key))
}

/** `misfireGraceMs` is `misfire_grace` in the file. */
function keyOf(property: string): string {
  return property.replace(/Ms$/, '').replace(/[A-Z]/g, one => `_${one.toLowerCase()}`)
}
