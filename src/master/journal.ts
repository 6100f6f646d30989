import { type Clock, isoWithOffset } from '../lib/clock.ts'
import type { Events } from '../model/events.ts'
import type { ProgramState } from '../model/program-state.ts'

/** One step in the life of a child. */
export interface Entry {
  /** ISO 8601. */
  readonly at: string
  readonly from: ProgramState['name']
  readonly to: ProgramState['name']
  /** How the last life ended, or who asked for it. */
  readonly detail: string
}

const KEPT = 20

/** The last steps of each child, for `taskd why`; kept in memory, bounded for each. */
export class Journal {
  readonly #entries = new Map<string, Entry[]>()

  constructor(events: Events, clock: Clock) {
    events.subscribe(event => {
      // STARTING is told once more when its pid is known.
      if (event.type !== 'program' || event.from === event.state.name) return
      const { name, from, state } = event
      const detail = 'why' in state ? state.why : from === 'STOPPED' ? '' : event.detail
      const entry = { at: isoWithOffset(clock.now()), from, to: state.name, detail }
      this.#entries.set(name, [...this.of(name).slice(1 - KEPT), entry])
    })
  }

  of(name: string): readonly Entry[] {
    return this.#entries.get(name) ?? []
  }
}
