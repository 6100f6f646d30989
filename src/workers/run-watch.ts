import type { FromWorker } from '../model/ipc.ts'
import type { Run, Stopped } from './runner.ts'
import type { OutputPart } from './spawn.ts'

/** How much may be on its way to the master, bytes; what comes meanwhile is left out. */
const IN_FLIGHT_BYTES = 128 * 1024

interface Watched {
  readonly run: Run
  /** How much of its output has been sent, bytes. */
  sentTo: number
}

/**
 * Sends the output of runs to the master while somebody looks. Each part says where it begins, so
 * a gap shows by itself; the end of a run is always sent.
 */
export class RunWatch {
  readonly #runs: ReadonlyMap<string, Run>
  readonly #send: (message: FromWorker, sent: () => void) => void
  readonly #ids = new Set<string>()
  readonly #watched = new Map<string, Watched>()
  #all = false
  #inFlight = 0

  /** @param runs those in progress, by task */
  constructor(
    runs: ReadonlyMap<string, Run>,
    send: (message: FromWorker, sent: () => void) => void,
  ) {
    this.#runs = runs
    this.#send = send
  }

  /** @param id undefined for all, also those that are yet to come */
  watch(id: string | undefined): void {
    if (id === undefined) this.#all = true
    else this.#ids.add(id)
    for (const [of, run] of this.#runs) if (id === undefined || id === of) this.#look(of, run)
  }

  unwatch(id: string | undefined): void {
    if (id === undefined) this.#all = false
    else this.#ids.delete(id)
    for (const [of, { run }] of this.#watched) {
      if (this.#wants(of)) continue
      this.#watched.delete(of)
      run.watch(undefined)
    }
  }

  began(id: string, run: Run): void {
    if (this.#wants(id)) this.#look(id, run)
  }

  /** Sends the rest of its last part; all of it, if the run ended before anything was sent. */
  ended(id: string, { written, output }: Stopped): void {
    const watched = this.#watched.get(id)
    if (!watched) return
    this.#watched.delete(id)
    const kept = Buffer.from(output)
    const missing = Math.min(written - watched.sentTo, kept.length)
    const bytes = missing > 0 ? kept.subarray(-missing) : Buffer.alloc(0)
    this.#post(id, { at: written - bytes.length, bytes, snapshot: true })
  }

  #wants(id: string): boolean {
    return this.#all || this.#ids.has(id)
  }

  #look(id: string, run: Run): void {
    const watched = this.#watched.get(id) ?? { run, sentTo: 0 }
    this.#watched.set(id, watched)
    run.watch(part => {
      // A snapshot is asked for each time, so there are not many.
      if (!part.snapshot && this.#inFlight >= IN_FLIGHT_BYTES) return
      watched.sentTo = part.at + part.bytes.length
      this.#post(id, part)
    })
  }

  #post(id: string, { at, bytes, snapshot }: OutputPart): void {
    const { length } = bytes
    this.#inFlight += length
    const base64 = bytes.toString('base64')
    this.#send({ type: 'output', id, at, base64, snapshot }, () => {
      this.#inFlight -= length
    })
  }
}
