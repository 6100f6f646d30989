import { type Logger as PinoLogger, pino } from 'pino'
import { messageOf } from './errors.ts'

export type Logger = Pick<PinoLogger, 'debug' | 'info' | 'warn' | 'error' | 'fatal'>

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'fatal'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

export interface LogOptions {
  readonly level: LogLevel
  /** A path, or undefined for standard output. */
  readonly file?: string | undefined
  /** Readable lines for people, or one JSON object a line for machines. */
  readonly format: 'text' | 'json'
}

export interface RootLog {
  readonly log: Logger
  setLevel(level: LogLevel): void
  /** Opens the file anew, after logrotate moved it (USR2). */
  reopen(): void
  /** Resolves when all is written, or cannot be; for the last moment before an exit. */
  flush(): Promise<void>
  /** Lines that could not be written (disk full, reader gone). */
  lost(): number
}

/** The root log of a process. A line that cannot be written is counted, never waited for. */
export function openLog(options: LogOptions): RootLog {
  const sink = new Sink(options.file)
  const render = options.format === 'json' ? (line: string) => line : readable(colourOf(options))
  const root = pino(
    { level: options.level, base: null, timestamp: () => `,"time":${Date.now()}` },
    { write: (line: string) => sink.write(render(line)) },
  )
  return {
    log: root,
    setLevel: level => {
      root.level = level
    },
    reopen: () => {
      if (options.file !== undefined) sink.reopen()
    },
    flush: () => sink.flush(),
    lost: () => sink.lost,
  }
}

function colourOf(options: LogOptions): boolean {
  return options.file === undefined && process.stdout.isTTY && !process.env['NO_COLOR']
}

/** At most this much waits for a slow reader or a full disk; the rest is dropped. */
const BUFFER_BYTES = 1 << 20
/** How long the last lines wait for a reader that is slow, or has stopped reading. */
const FLUSH_MS = 1000

class Sink {
  lost = 0
  readonly #stream: ReturnType<typeof pino.destination>
  #pending = false
  #failing = false

  constructor(file: string | undefined) {
    this.#stream = pino.destination({
      dest: file ?? 1,
      sync: false,
      maxLength: BUFFER_BYTES,
      mode: 0o640,
    })
    this.#stream.on('drop', () => {
      this.lost += 1
    })
    // ENOSPC, EPIPE and the like: the line stays in the buffer and goes out with a later one.
    this.#stream.on('error', () => {
      this.#failing = true
    })
    this.#stream.on('drain', () => {
      this.#pending = false
      this.#failing = false
    })
    this.#neverHangAtExit()
  }

  write(line: string): void {
    this.#pending = true
    this.#stream.write(line)
  }

  reopen(): void {
    this.#stream.reopen()
  }

  /** When the process exits pino calls flushSync, which tries for ever while the disk is full. */
  #neverHangAtExit(): void {
    const flushSync = this.#stream.flushSync.bind(this.#stream)
    this.#stream.flushSync = () => {
      if (!this.#failing) flushSync()
    }
  }

  /** Waits for what is written in the background, but not for a disk with room. */
  async flush(): Promise<void> {
    if (!this.#pending) return
    let timer: NodeJS.Timeout | undefined
    const over = new Promise<void>(resolve => {
      this.#stream.once('drain', resolve)
      this.#stream.once('error', () => resolve())
      timer = setTimeout(resolve, FLUSH_MS)
    })
    // After an error the stream tries again only with the next line.
    this.#stream.write('')
    await over
    clearTimeout(timer)
    if (this.#pending) this.lost += 1
  }
}

const NAMES: Record<number, [string, number]> = {
  20: ['debug', 90],
  30: ['info ', 32],
  40: ['warn ', 33],
  50: ['error', 31],
  60: ['fatal', 31],
}

/** `2026-11-21 10:00:00.123 info  message  key=value` */
function readable(colour: boolean): (line: string) => string {
  const paint = (code: number, text: string) => (colour ? `\u001B[${code}m${text}\u001B[0m` : text)
  return line => {
    let record: Record<string, unknown>
    try {
      record = JSON.parse(line) as Record<string, unknown>
    } catch (error) {
      return `unreadable log line (${messageOf(error)}): ${line}`
    }
    const { level, time, msg, ...rest } = record
    const [name, code] = NAMES[Number(level)] ?? [String(level), 0]
    const fields = Object.entries(rest).map(([key, value]) => `${key}=${plain(value)}`)
    const tail = fields.length > 0 ? `  ${paint(90, fields.join(' '))}` : ''
    return `${localTime(Number(time))} ${paint(code, name)} ${plainText(String(msg))}${tail}\n`
  }
}

function localTime(ms: number): string {
  const date = new Date(ms - new Date(ms).getTimezoneOffset() * 60_000)
  return date.toISOString().slice(0, -1).replace('T', ' ')
}

function plain(value: unknown): string {
  if (typeof value === 'string') return /^[\w./:@+-]+$/.test(value) ? value : JSON.stringify(value)
  return JSON.stringify(value) ?? ''
}

/** One event is one line: control characters in a message become escapes. */
function plainText(text: string): string {
  return text.replace(/\p{Cc}/gu, one => JSON.stringify(one).slice(1, -1))
}
