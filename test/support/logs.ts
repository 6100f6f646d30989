import type { Logger } from '../../src/lib/log.ts'

export interface LogLine {
  readonly level: string
  readonly message: string
  readonly fields: Readonly<Record<string, unknown>>
}

export interface RecordedLog {
  readonly log: Logger
  readonly lines: readonly LogLine[]
  /** Whether a message with this text was logged. */
  has(text: string): boolean
}

/** A log that keeps its lines for the test to read. */
export function recordedLog(): RecordedLog {
  const lines: LogLine[] = []
  const at =
    (level: string) =>
    (first: unknown, second?: unknown): void => {
      const fields = typeof first === 'object' && first !== null ? { ...first } : {}
      lines.push({ level, message: String(typeof first === 'string' ? first : second), fields })
    }
  const log = Object.fromEntries(
    ['debug', 'info', 'warn', 'error', 'fatal'].map(level => [level, at(level)]),
  ) as unknown as Logger
  return { log, lines, has: text => lines.some(line => line.message.includes(text)) }
}
