import type { TailOptions } from '../api/control.ts'

/** What a tail is told, in the order in which it happened. */
export type TailItem =
  | {
      readonly type: 'output'
      readonly workerId: string
      readonly id: string
      readonly at: number
      readonly bytes: Buffer
      readonly snapshot: boolean
      /** How the run is called in its headline. */
      readonly label: string
    }
  | { readonly type: 'ended'; readonly id: string; readonly how: string }
  /** The worker's process is gone, and its runs with it. */
  | { readonly type: 'lost'; readonly workerId: string }

export interface RunTailOptions extends Pick<TailOptions, 'lines' | 'follow'> {
  /** The only run to show; undefined: all that come, each under its name. */
  readonly only: string | undefined
  /** The runs that are in progress: their id and their worker. */
  readonly initial: ReadonlyMap<string, string>
}

/** What may wait for a slow reader, bytes; more pushes the oldest out. */
const QUEUED_BYTES = 256 * 1024
/** What an item takes beside its bytes. */
const ITEM_BYTES = 256

interface Known {
  readonly workerId: string
  /** How much of its output has been dealt with, bytes; undefined before the first snapshot. */
  next: number | undefined
  /** Only the end of what it had written before is wanted. */
  readonly old: boolean
  label: string
}

/**
 * One reader's view of the output of runs. Parts that it has had are skipped, and missing bytes,
 * wherever they were dropped, are counted and reported.
 */
export class RunTail implements AsyncIterable<Uint8Array> {
  readonly #options: RunTailOptions
  readonly #runs = new Map<string, Known>()
  /** Without `follow`: what is still to come. */
  readonly #due: Set<string>
  readonly #queue: TailItem[] = []
  #queued = 0
  #missed = 0
  #headed = ''
  #atLineStart = true
  #begun = false
  #over = false
  #wake: () => void = () => undefined

  constructor(options: RunTailOptions) {
    this.#options = options
    this.#due = new Set(options.initial.keys())
    for (const [id, workerId] of options.initial)
      this.#runs.set(id, { workerId, next: undefined, old: true, label: id })
    if (!options.follow && this.#due.size === 0) this.#over = true
  }

  /** Something of a run has come. */
  get begun(): boolean {
    return this.#begun
  }

  push(item: TailItem): void {
    if (this.#over || this.#isOther(item)) return
    this.#begun = true
    this.#queue.push(item)
    this.#queued += sizeOf(item)
    if (item.type === 'output' && item.snapshot) this.#note(item)
    if (item.type === 'ended') this.#finish(item.id)
    if (item.type === 'lost')
      for (const [id, { workerId }] of this.#runs) if (workerId === item.workerId) this.#finish(id)
    // A slow reader loses output; nothing waits for it.
    while (this.#queued > QUEUED_BYTES && this.#queue.length > 1) this.#leaveOut(this.#shift())
    this.#wake()
  }

  /** Without `follow` only what runs now is asked for. */
  #isOther(item: TailItem): boolean {
    return !this.#options.follow && item.type !== 'lost' && !this.#options.initial.has(item.id)
  }

  #leaveOut(item: TailItem | undefined): void {
    const { length } = this.#fresh(item)
    this.#missed += length
    if (item?.type === 'ended') this.#runs.delete(item.id)
  }

  /** Nothing more comes; what waits is still handed out. */
  end(): void {
    this.#over = true
    this.#wake()
  }

  #note({ id, workerId, label }: TailItem & { type: 'output' }): void {
    if (!this.#runs.has(id)) this.#runs.set(id, { workerId, next: undefined, old: false, label })
    if (!this.#options.follow) this.#finish(id)
  }

  #finish(id: string): void {
    this.#due.delete(id)
    const { only, follow } = this.#options
    if (follow ? only === id : this.#due.size === 0) this.#over = true
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    for (;;) {
      const item = this.#shift()
      if (item) {
        const text = this.#render(item)
        if (text.length > 0) yield text
      } else if (this.#over) return
      else
        await new Promise<void>(resolve => {
          this.#wake = resolve
        })
    }
  }

  #shift(): TailItem | undefined {
    const item = this.#queue.shift()
    if (item) this.#queued -= sizeOf(item)
    return item
  }

  /** What of an item the reader has not had yet. */
  #fresh(item: TailItem | undefined): Buffer {
    if (item?.type !== 'output') return Buffer.alloc(0)
    const { id, at, bytes, snapshot } = item
    // It may have been forgotten since, with the end of an earlier attempt.
    if (snapshot) this.#note(item)
    const known = this.#runs.get(id)
    // A part that comes before the snapshot is in the snapshot.
    if (!known || (known.next === undefined && !snapshot)) return Buffer.alloc(0)
    if (snapshot) known.label = item.label
    const before = known.next
    const end = at + bytes.length
    known.next = Math.max(before ?? 0, end)
    if (before === undefined) {
      if (known.old) return lastLines(bytes, this.#options.lines)
      this.#missed += at
      return bytes
    }
    this.#missed += Math.max(0, at - before)
    return bytes.subarray(Math.min(bytes.length, Math.max(0, before - at)))
  }

  #render(item: TailItem): Buffer {
    if (item.type === 'output') return this.#body(item.id, this.#fresh(item))
    if (item.type === 'ended') {
      this.#runs.delete(item.id)
      return this.#told(item.id, item.how)
    }
    const lost = [...this.#runs].filter(([, { workerId }]) => workerId === item.workerId)
    for (const [id] of lost) this.#runs.delete(id)
    const how = 'its worker ended before it; the task goes back on its queue'
    return Buffer.concat(lost.map(([id]) => this.#told(id, how, true)))
  }

  #body(id: string, bytes: Buffer): Buffer {
    const missed = this.#missedNote()
    if (bytes.length === 0 && missed === '') return bytes
    const head = this.#head(id, missed)
    if (bytes.length > 0) this.#atLineStart = bytes.at(-1) === 0x0a
    return Buffer.concat([Buffer.from(head), bytes])
  }

  /** The headline of a run whose output is not what came last, and what is to be told before it. */
  #head(id: string, note: string): string {
    const { only } = this.#options
    const begin = this.#atLineStart ? '' : '\n'
    if (only !== undefined || this.#headed === id) return note === '' ? '' : this.#line(note)
    this.#headed = id
    this.#atLineStart = true
    return `${begin}==> ${this.#runs.get(id)?.label ?? id} <==\n${note}`
  }

  /** How a run ended; for one alone that goes without saying, unless it was cut off. */
  #told(id: string, how: string, always = false): Buffer {
    const missed = this.#missedNote()
    const alone = this.#options.only !== undefined
    if (alone && !always) return Buffer.from(missed === '' ? '' : this.#line(missed))
    this.#headed = ''
    const line = alone ? `[taskd: ${how}]\n` : `==> ${id}: ${how} <==\n`
    return Buffer.from(this.#line(`${missed}${line}`))
  }

  #line(text: string): string {
    const begin = this.#atLineStart ? '' : '\n'
    this.#atLineStart = true
    return `${begin}${text}`
  }

  #missedNote(): string {
    if (this.#missed === 0) return ''
    const note = `[taskd: ${this.#missed} bytes left out here]\n`
    this.#missed = 0
    return note
  }
}

function sizeOf(item: TailItem): number {
  return ITEM_BYTES + (item.type === 'output' ? item.bytes.length : 0)
}

/** The last lines of a text, the last of which may have no end yet. */
export function lastLines(bytes: Buffer, lines: number): Buffer {
  if (lines <= 0) return bytes.subarray(bytes.length)
  let from = bytes.length - 1
  for (let left = lines; left > 0; left -= 1) {
    const newline = from <= 0 ? -1 : bytes.lastIndexOf(0x0a, from - 1)
    if (newline < 0) return bytes
    from = newline
  }
  return bytes.subarray(from + 1)
}
