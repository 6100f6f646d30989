import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isoWithOffset } from '../lib/clock.ts'
import { messageOf } from '../lib/errors.ts'
import type { Logger } from '../lib/log.ts'

/** What a person asked for, against what the configuration says. */
export interface Wish {
  readonly state: 'stopped' | 'running'
  /** ISO 8601. */
  readonly at: string
  /** In words: `taskd stop by root`. */
  readonly by: string
}

/**
 * What people stopped (or started, though `autostart` is off) stays so over restarts of the daemon
 * and over reloads. Kept beside the configuration, not in it.
 */
export class Wanted {
  readonly #file: string
  readonly #log: Logger
  readonly #now: () => number
  readonly #wishes: Map<string, Wish>

  constructor(dataDir: string, log: Logger, now: () => number) {
    this.#file = join(dataDir, 'wanted.json')
    this.#log = log
    this.#now = now
    this.#wishes = new Map(Object.entries(this.#read()))
  }

  get(name: string): Wish | undefined {
    return this.#wishes.get(name)
  }

  /** Whether it is to run when nobody says otherwise now. */
  runs(name: string, autostart: boolean): boolean {
    const wish = this.#wishes.get(name)
    return wish === undefined ? autostart : wish.state === 'running'
  }

  /** @param wish undefined = as the configuration says */
  set(names: readonly string[], wish: Wish['state'] | undefined, by: string): void {
    const at = isoWithOffset(this.#now())
    for (const name of names) {
      if (wish === undefined) this.#wishes.delete(name)
      else this.#wishes.set(name, { state: wish, at, by })
    }
    this.#write()
  }

  #read(): Record<string, Wish> {
    let text: string
    try {
      text = readFileSync(this.#file, 'utf8')
    } catch {
      return {}
    }
    try {
      return wishesOf(JSON.parse(text))
    } catch (error) {
      this.#log.error(
        { file: this.#file, error: messageOf(error) },
        'what was stopped by hand cannot be read; all is started as the configuration says',
      )
      return {}
    }
  }

  #write(): void {
    try {
      writeFileSync(`${this.#file}.new`, JSON.stringify(Object.fromEntries(this.#wishes), null, 1))
      renameSync(`${this.#file}.new`, this.#file)
    } catch (error) {
      this.#log.error(
        { file: this.#file, error: messageOf(error) },
        'what was asked for could not be noted; a restart of the daemon will not know it',
      )
    }
  }
}

/** @throws Error when it is something else */
function wishesOf(read: unknown): Record<string, Wish> {
  const wishes: unknown[] = isObject(read) ? Object.values(read) : [read]
  if (!wishes.every(isWish)) throw new Error('it does not hold what taskd writes there')
  return read as Record<string, Wish>
}

function isWish(value: unknown): value is Wish {
  if (!isObject(value)) return false
  const { state, at, by } = value
  const known = state === 'stopped' || state === 'running'
  return known && typeof at === 'string' && typeof by === 'string'
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
