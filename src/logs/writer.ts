import { type Clock, isoWithOffset, type Timer } from '../lib/clock.ts'
import { codeOf } from '../lib/errors.ts'
import type { Slots } from '../lib/slots.ts'
import { LogFile, type LogFileDeps, type LogFileRules } from './log-file.ts'
import { reasonOf } from './trouble.ts'
import { Waiting } from './waiting.ts'

/** What may wait for the disk. More is not read for a moment, and then dropped. */
export const BUFFER_BYTES = 256 * 1024
/** How long a slow disk may hold up a program, as a pipe would, but not for ever. */
const PATIENCE_MS = 1000
const PATIENCE_BEATS = 10
/** After a disk has been that slow, it holds up nobody again for this long. */
const NO_PATIENCE_MS = 10_000
const RETRY_MS = 1000
/** A FIFO or terminal that is full is tried again after this, then after twice as long, … */
const FULL_PIPE_MS = 20
const CLOSE_MS = 2000
const TOO_SLOW = 'it was taken too slowly'

export interface WriterDeps extends LogFileDeps {
  /** How many writes there may be at a time: a disk that hangs must not take all of Node's threads. */
  readonly slots: Slots
  /** Told once per outage. */
  readonly onTrouble: (text: string) => void
  /** Told once when all that was kept is written. */
  readonly onRecovered: (path: string, dropped: number) => void
}

interface Gap {
  bytes: number
  readonly since: number
  readonly why: string
}

/**
 * Writes what comes to a log, in the background and one write at a time. It holds a bounded
 * amount and never fails: what a full or broken disk does not take is counted, the loss is noted in
 * the log itself once it can be written again, and that happens without anybody's help.
 */
export class LogWriter {
  readonly #deps: WriterDeps
  readonly #clock: Clock
  readonly #file: LogFile
  readonly #waiting = new Waiting()
  #running = false
  #reopen = false
  #closing = false
  #retry: Timer | undefined
  #fullPipeMs = FULL_PIPE_MS
  /** Why the disk refuses, as long as it does. */
  #failing: string | undefined
  #told = false
  #gap: Gap | undefined
  #patience: Timer | undefined
  #patientAt = 0
  #onRoom: (() => void)[] = []
  #onIdle: (() => void)[] = []

  constructor(rules: LogFileRules, deps: WriterDeps) {
    this.#deps = deps
    this.#clock = deps.clock
    this.#file = new LogFile(rules, deps)
  }

  get path(): string {
    return this.#file.path
  }

  retune(rules: LogFileRules): void {
    this.#file.retune(rules)
  }

  /** Creates the file, or logs why it cannot, before the first output. */
  touch(): void {
    void this.#run(!this.#file.isOpen)
  }

  reopen(): void {
    this.#reopen = true
    void this.#run()
  }

  /** Whether these bytes may be pushed; if not, they are counted as lost. */
  accepts(bytes: number): boolean {
    const full = this.#waiting.held >= BUFFER_BYTES
    if (!this.#gap && !full) return true
    if (!this.#gap) this.#lose(this.#failing ?? TOO_SLOW)
    if (this.#gap) this.#gap.bytes += bytes
    return false
  }

  push(chunk: Buffer): void {
    if (this.#closing || chunk.length === 0) return
    this.#waiting.push(chunk)
    if (!this.#retry) void this.#run()
  }

  /** Whether the writer should wait for `room`; never while that is known to be useless. */
  get full(): boolean {
    if (this.#waiting.held < BUFFER_BYTES || this.#failing !== undefined || this.#gap) return false
    return this.#clock.monotonic() >= this.#patientAt
  }

  /** Calls back when there is room, or when waiting any longer is useless. */
  room(fn: () => void): void {
    this.#onRoom.push(fn)
    this.#patience ??= this.#wait(PATIENCE_BEATS)
  }

  /** Waits in beats: a second in which we ourselves had no turn counts as one beat, not as a slow disk. */
  #wait(beats: number): Timer {
    return this.#clock.setTimer(PATIENCE_MS / PATIENCE_BEATS, () => {
      if (beats > 1) {
        this.#patience = this.#wait(beats - 1)
        return
      }
      this.#lose(TOO_SLOW)
      this.#letGo()
    })
  }

  /** Writes what waits, if that can be done in good time, and closes the file. */
  async close(): Promise<void> {
    this.#closing = true
    this.#retry?.cancel()
    this.#retry = undefined
    const idle = new Promise<void>(resolve => this.#onIdle.push(resolve))
    const late = this.#clock.setTimer(CLOSE_MS, () => this.#idle())
    void this.#run()
    await idle
    late.cancel()
    this.#letGo()
    const lost = this.#waiting.clear() + (this.#gap?.bytes ?? 0)
    if (lost > 0) this.#deps.warn(`${lost} bytes for ${this.path} were not written before its end`)
    if (!this.#running) await this.#file.close()
  }

  async #run(touch = false): Promise<void> {
    if (this.#running) return
    this.#running = true
    let wanted = touch
    try {
      while (wanted || this.#reopen || this.#waiting.bytes > 0) {
        await this.#deps.slots.run(() => this.#step())
        wanted = false
        if (this.#waiting.bytes === 0) this.#drained()
      }
    } catch (error) {
      await this.#failed(error)
    } finally {
      this.#running = false
    }
    if (this.#closing) {
      await this.#file.close()
      this.#idle()
    }
  }

  async #step(): Promise<void> {
    if (this.#reopen) {
      await this.#file.close()
      this.#reopen = false
    }
    if (this.#waiting.bytes === 0) return this.#file.open()
    const { chunks, bytes } = this.#waiting
    this.#waiting.drop(await this.#file.write(chunks, bytes))
    this.#fullPipeMs = FULL_PIPE_MS
    this.#failing = undefined
    if (this.#waiting.held < BUFFER_BYTES / 2) this.#letGo()
    return undefined
  }

  /** All is on the disk: an outage is over, and what it has cost is written down. */
  #drained(): void {
    this.#failing = undefined
    const gap = this.#gap
    this.#gap = undefined
    if (gap && gap.bytes > 0) this.#waiting.push(this.#note(gap))
    if (!this.#told) return
    this.#told = false
    this.#deps.onRecovered(this.path, gap?.bytes ?? 0)
  }

  #note({ bytes, since, why }: Gap): Buffer {
    const times = `from ${isoWithOffset(since)} to ${isoWithOffset(this.#clock.now())}`
    const text = `taskd: ${bytes} bytes of output were lost ${times}: ${why}\n`
    return Buffer.from(this.#file.midLine ? `\n${text}` : text)
  }

  async #failed(error: unknown): Promise<void> {
    if (codeOf(error) === 'EAGAIN') {
      this.#again(this.#fullPipeMs)
      this.#fullPipeMs = Math.min(RETRY_MS, 2 * this.#fullPipeMs)
      return
    }
    this.#failing = reasonOf(error)
    // Opened anew each time: a file removed to make room must let go of its room.
    await this.#file.close()
    this.#tell(`cannot write ${this.path}: ${this.#failing}; output that finds no room is dropped`)
    this.#letGo()
    this.#again(RETRY_MS)
  }

  #again(ms: number): void {
    if (this.#closing || this.#waiting.bytes === 0) return
    this.#retry = this.#clock.setTimer(ms, () => {
      this.#retry = undefined
      void this.#run()
    })
  }

  #lose(why: string): void {
    this.#gap ??= { bytes: 0, since: this.#clock.now(), why }
    if (this.#failing !== undefined) return
    this.#patientAt = this.#clock.monotonic() + NO_PATIENCE_MS
    this.#tell(`${this.path} does not keep up with the output; what finds no room is dropped`)
  }

  #tell(text: string): void {
    if (this.#told) return
    this.#told = true
    this.#deps.onTrouble(text)
  }

  #letGo(): void {
    this.#patience?.cancel()
    this.#patience = undefined
    for (const fn of this.#onRoom.splice(0)) fn()
  }

  #idle(): void {
    for (const fn of this.#onIdle.splice(0)) fn()
  }
}
