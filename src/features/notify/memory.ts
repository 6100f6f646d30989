import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock, Timer } from '../../lib/clock.ts'
import { messageOf } from '../../lib/errors.ts'
import type { Logger } from '../../lib/log.ts'
import type { Notice } from '../../model/notice.ts'
import type { KnownJob } from './expectations.ts'
import type { Gathered } from './gathering.ts'
import type { Open } from './ledger.ts'

/** What a section remembers across a restart of the daemon. */
export interface OutletState {
  readonly open: Readonly<Record<string, Open>>
  readonly gathered: Gathered
  /** On its way; it has the same id when it is sent again. */
  readonly flight?: Notice
  /** When notices went out, as far as `max` has to know, ms. */
  readonly sentAt: readonly number[]
  readonly lost: number
  /** Since when jobs are expected at their times. */
  readonly since: Readonly<Record<string, KnownJob>>
}

const FORMAT = 1
/** During a flood of events the file is written once in this time. */
const SOON_MS = 1000

/** `notices.json` in the data folder: what is open, what waits, what has been sent. */
export class Memory {
  readonly #file: string
  readonly #clock: Clock
  readonly #log: Pick<Logger, 'warn'>
  readonly #look: () => Readonly<Record<string, OutletState>>
  #timer: Timer | undefined
  #failed = false

  constructor(
    dataDir: string,
    clock: Clock,
    log: Pick<Logger, 'warn'>,
    look: () => Readonly<Record<string, OutletState>>,
  ) {
    this.#file = join(dataDir, 'notices.json')
    this.#clock = clock
    this.#log = log
    this.#look = look
  }

  read(): Readonly<Record<string, OutletState>> {
    let text: string
    try {
      text = readFileSync(this.#file, 'utf8')
    } catch {
      return {}
    }
    try {
      return statesOf(JSON.parse(text))
    } catch (error) {
      this.#log.warn(
        { file: this.#file, error: messageOf(error) },
        'what was to be told cannot be read; notices begin anew',
      )
      return {}
    }
  }

  write(when: 'soon' | 'now'): void {
    if (when === 'soon') {
      this.#timer ??= this.#clock.setTimer(SOON_MS, () => this.write('now'))
      return
    }
    this.#timer?.cancel()
    this.#timer = undefined
    try {
      const text = JSON.stringify({ format: FORMAT, sections: this.#look() })
      writeFileSync(`${this.#file}.new`, text, { mode: 0o640 })
      renameSync(`${this.#file}.new`, this.#file)
      this.#failed = false
    } catch (error) {
      if (!this.#failed)
        this.#log.warn(
          { file: this.#file, error: messageOf(error) },
          'what is to be told could not be noted; a restart of the daemon will not know it',
        )
      this.#failed = true
    }
  }
}

/** @throws Error when it is something else */
function statesOf(read: unknown): Record<string, OutletState> {
  if (isObject(read) && read['format'] === FORMAT && isObject(read['sections'])) {
    const { sections } = read
    if (Object.values(sections).every(isState)) return sections as Record<string, OutletState>
  }
  throw new Error('it does not hold what taskd writes there')
}

function isState(value: unknown): boolean {
  if (!isObject(value)) return false
  const { open, gathered, flight, sentAt, lost, since } = value
  return (
    isObject(open) &&
    Object.values(open).every(isObject) &&
    isObject(gathered) &&
    Array.isArray(gathered['events']) &&
    gathered['events'].every(isObject) &&
    typeof gathered['notShown'] === 'number' &&
    (flight === undefined || (isObject(flight) && Array.isArray(flight['events']))) &&
    Array.isArray(sentAt) &&
    typeof lost === 'number' &&
    isObject(since) &&
    Object.values(since).every(isObject)
  )
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
