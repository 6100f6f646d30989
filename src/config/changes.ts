import { isDeepStrictEqual } from 'node:util'

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

/**
 * What was added, removed and changed, by name.
 * @param keysOf by which keys two of one name differ
 */
export function diffByName<T extends { readonly name: string }>(
  old: readonly T[],
  next: readonly T[],
  keysOf: (before: T, after: T) => readonly string[] = differingKeys,
): Changes {
  const [were, are] = [old, next].map(list => new Map(list.map(one => [one.name, one])))
  const changed = next.flatMap(after => {
    const before = were?.get(after.name)
    const keys = before === undefined ? [] : keysOf(before, after)
    return keys.length > 0 ? [{ name: after.name, keys }] : []
  })
  return {
    added: next.filter(one => !were?.has(one.name)).map(one => one.name),
    removed: old.filter(one => !are?.has(one.name)).map(one => one.name),
    changed,
  }
}

/** The properties by which two values differ, as they are called in cron.ini. */
export function differingKeys(old: object, next: object): readonly string[] {
  const before = new Map<string, unknown>(Object.entries(old))
  const after = new Map<string, unknown>(Object.entries(next))
  const names = new Set([...before.keys(), ...after.keys()])
  return [...names]
    .filter(name => !isDeepStrictEqual(before.get(name), after.get(name)))
    .map(keyOf)
    .toSorted()
}

/** `misfireGraceMs` is `misfire_grace` in the file. */
function keyOf(property: string): string {
  return property.replace(/Ms$/, '').replace(/[A-Z]/g, one => `_${one.toLowerCase()}`)
}
