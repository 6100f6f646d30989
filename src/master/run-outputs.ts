import type { DaemonEvent, Events } from '../model/events.ts'
import type { RunOutput, RunStarted, ToWorker } from '../model/ipc.ts'
import { RunTail, type RunTailOptions, type TailItem } from './run-tail.ts'

/** What has to be known about a worker. */
export interface Watchable {
  readonly program: { readonly name: string }
  readonly spec: { readonly taskKey: string }
  readonly process: { post(message: ToWorker): void } | undefined
  readonly runs: ReadonlyMap<string, RunStarted>
}

/** A reader's interest in some runs. */
interface Interest {
  /** Undefined: all runs of these workers. */
  readonly id: string | undefined
  readonly worker: (member: Watchable) => boolean
}

interface Reader extends Interest {
  readonly tail: RunTail
}

/** How long workers have to send what their runs have written so far. */
const SO_FAR_MS = 2000

/** States in which a worker has no process, or a new one. */
const GONE: ReadonlySet<string> = new Set(['STARTING', 'BACKOFF', 'STOPPED', 'EXITED', 'FATAL'])

/** Has workers send the output of runs as long as somebody looks at it, and hands it on. */
export class RunOutputs {
  readonly #members: () => readonly Watchable[]
  readonly #readers = new Set<Reader>()

  constructor(members: () => readonly Watchable[], events: Events) {
    this.#members = members
    events.subscribe(event => this.#happened(event))
  }

  /**
   * A reader of what these runs write. Once `signal` aborts, or it has ended, nothing is kept of it.
   * @param options `initial` is found here
   */
  open(
    interest: Interest,
    options: Pick<RunTailOptions, 'lines' | 'follow'>,
    signal: AbortSignal,
  ): RunTail {
    const members = this.#members().filter(member => interest.worker(member))
    const initial = new Map(
      members.flatMap(({ program, runs }) =>
        [...runs.keys()]
          .filter(id => interest.id === undefined || interest.id === id)
          .map(id => [id, program.name] as const),
      ),
    )
    const only = interest.id
    const tail = new RunTail({ ...options, only, initial })
    const reader: Reader = { ...interest, tail }
    this.#readers.add(reader)
    for (const { process } of members) process?.post({ type: 'watch', id: interest.id })
    const late = options.follow ? undefined : setTimeout(() => tail.end(), SO_FAR_MS)
    const close = () => {
      clearTimeout(late)
      tail.end()
      this.#close(reader)
    }
    if (signal.aborted) close()
    else signal.addEventListener('abort', close, { once: true })
    return tail
  }

  /** A worker has come (back): it has to be told again. */
  ready(name: string): void {
    const member = this.#members().find(one => one.program.name === name)
    if (!member) return
    for (const reader of this.#readers)
      if (reader.worker(member)) member.process?.post({ type: 'watch', id: reader.id })
  }

  hear(name: string, { id, at, base64, snapshot }: RunOutput): void {
    if (this.#readers.size === 0) return
    const bytes = Buffer.from(base64, 'base64')
    const label = snapshot ? this.#describe(id) : ''
    this.#tell(name, id, { type: 'output', workerId: name, id, at, bytes, snapshot, label })
  }

  /** Nothing runs any more. */
  close(): void {
    for (const { tail } of this.#readers) tail.end()
  }

  #happened(event: DaemonEvent): void {
    if (this.#readers.size === 0) return
    if (event.type === 'run-ended') {
      const { id, outcome, code, durationMs } = event.run
      const how = `${outcome === 'returned' ? 'given back' : code}, ${durationMs / 1000} s`
      this.#tell(event.workerId, id, { type: 'ended', id, how })
    }
    if (event.type === 'program' && GONE.has(event.state.name))
      this.#tell(event.name, undefined, { type: 'lost', workerId: event.name })
  }

  #tell(name: string, id: string | undefined, item: TailItem): void {
    const member = this.#members().find(one => one.program.name === name)
    for (const reader of this.#readers) {
      const concerned = reader.id === undefined || id === undefined || reader.id === id
      if (member && concerned && reader.worker(member)) reader.tail.push(item)
    }
  }

  #close(reader: Reader): void {
    this.#readers.delete(reader)
    for (const member of this.#members()) {
      if (!reader.worker(member)) continue
      const others = [...this.#readers].some(one => one.id === reader.id && one.worker(member))
      if (!others) member.process?.post({ type: 'unwatch', id: reader.id })
    }
  }

  #describe(id: string): string {
    const run = this.#members()
      .map(member => member.runs.get(id))
      .find(found => found !== undefined)
    const details = [run?.job, (run?.attempt ?? 1) > 1 && `attempt ${run?.attempt}`].filter(Boolean)
    return details.length === 0 ? id : `${id} (${details.join(', ')})`
  }
}
