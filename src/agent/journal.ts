import { type FileHandle, open, readFile, rename } from 'node:fs/promises'
import { dirname } from 'node:path'
import { codeOf, messageOf, TaskdError } from '../lib/errors.ts'
import type { Logger } from '../lib/log.ts'
import { syncFolder } from '../lib/sync-folder.ts'
import { type Claimed, fromLine, type Line, type Report, toLine } from './journal-lines.ts'

/** A larger file is rewritten when most of its entries are over. */
const LARGE_BYTES = 1 << 20
/** How soon a disk that refused a write is tried again. */
const AGAIN_MS = 1000

type JournalLog = Pick<Logger, 'warn' | 'info'>

/** What this machine has claimed and not reported yet, or reported and not been able to send. */
interface State {
  /** By `keyOf`. */
  readonly claims: Map<string, Claimed & { begun: boolean }>
  readonly reports: Map<string, Report>
}

/**
 * The memory of an agent on disk: appended to, synced once for all that has come together, and
 * written anew in one step when it has grown. While the disk refuses writes, it goes on in
 * memory alone, and the file is rewritten as soon as the disk takes it.
 */
export class Journal {
  readonly #file: string
  readonly #log: JournalLog
  readonly #state: State
  #handle: FileHandle | undefined
  #size: number
  #waiting = ''
  #flushing: Promise<void> | undefined
  /** Why the file is behind; '' when it is not. */
  #trouble = ''
  #again: NodeJS.Timeout | undefined

  private constructor(file: string, log: JournalLog, state: State, size: number) {
    this.#file = file
    this.#log = log
    this.#state = state
    this.#size = size
  }

  /**
   * Reads what an agent before this one left; a line that was torn when it was killed is no line.
   * @throws TaskdError E_DATA_DIR
   */
  static async open(file: string, log: JournalLog): Promise<Journal> {
    const text = await readFile(file, 'utf8').catch((error: unknown) => {
      if (codeOf(error) === 'ENOENT') return ''
      throw cannot(file, error)
    })
    const state: State = { claims: new Map(), reports: new Map() }
    const lines = text.split('\n')
    const torn = lines.pop() ?? ''
    let spoilt = 0
    for (const one of lines) {
      const line = fromLine(one)
      if (line) apply(state, line)
      else spoilt += 1
    }
    if (spoilt > 0) log.warn({ file, lines: spoilt }, 'lines of the journal cannot be read')
    const journal = new Journal(file, log, state, text.length)
    // Appending to half a line would spoil the next one; rewriting also shows that the disk takes writes.
    if (torn !== '' || spoilt > 0 || text === '')
      await journal.#rewrite().catch((error: unknown) => {
        throw cannot(file, error)
      })
    return journal
  }

  /** Claims that are not over. */
  get claims(): readonly (Claimed & { readonly begun: boolean })[] {
    return [...this.#state.claims.values()]
  }

  /** Reports that the master has not taken yet, the oldest first. */
  get reports(): readonly Report[] {
    return [...this.#state.reports.values()]
  }

  get reportCount(): number {
    return this.#state.reports.size
  }

  /** Resolves when it is on disk, or the disk has refused it. */
  claimed(claims: readonly Claimed[]): Promise<void> {
    return this.#note({ type: 'claimed', claims })
  }

  begun(claim: Claimed): void {
    void this.#note({ type: 'begun', claim })
  }

  ended(report: Report): void {
    void this.#note({ type: 'ended', report })
  }

  sent(reports: readonly Claimed[]): void {
    void this.#note({ type: 'sent', claims: reports })
  }

  #note(line: Line): Promise<void> {
    apply(this.#state, line)
    this.#waiting += toLine(line)
    return this.flush()
  }

  /** Resolves when all that was noted so far is on disk, or the disk has refused it. */
  async flush(): Promise<void> {
    // What is being written now; then what waited behind it, perhaps already in somebody's hands.
    await this.#flushing
    if (this.#waiting !== '' || this.#flushing) await this.#writeOnce()
  }

  #writeOnce(): Promise<void> {
    this.#flushing ??= this.#write().finally(() => {
      this.#flushing = undefined
    })
    return this.#flushing
  }

  async #write(): Promise<void> {
    const text = this.#waiting
    this.#waiting = ''
    if (this.#again) return
    try {
      const isOver = this.#state.claims.size + this.#state.reports.size === 0
      const grown = this.#size > LARGE_BYTES && (isOver || this.#size > 4 * this.#liveSize())
      if (this.#trouble !== '' || grown) await this.#rewrite()
      else await this.#append(text)
      if (this.#trouble !== '')
        this.#log.info({ file: this.#file }, 'the journal can be written again')
      this.#trouble = ''
    } catch (error) {
      if (this.#trouble === '')
        this.#log.warn(
          { file: this.#file, error: messageOf(error) },
          'the journal cannot be written: were the agent killed now, tasks would run again',
        )
      this.#trouble = messageOf(error)
      this.#again = setTimeout(() => {
        this.#again = undefined
        void this.#writeOnce()
      }, AGAIN_MS).unref()
    }
  }

  #liveSize(): number {
    return this.#lines().reduce((sum, line) => sum + line.length, 0)
  }

  #lines(): string[] {
    const { claims, reports } = this.#state
    const all = [...claims.values()]
    return [
      ...(all.length > 0 ? [toLine({ type: 'claimed', claims: all })] : []),
      ...all.filter(one => one.begun).map(claim => toLine({ type: 'begun', claim })),
      ...[...reports.values()].map(report => toLine({ type: 'ended', report })),
    ]
  }

  async #append(text: string): Promise<void> {
    this.#handle ??= await open(this.#file, 'a', 0o600)
    await this.#handle.appendFile(text)
    await this.#handle.datasync()
    this.#size += text.length
  }

  async #rewrite(): Promise<void> {
    const text = this.#lines().join('')
    const fresh = `${this.#file}.new`
    const written = await open(fresh, 'w', 0o600)
    try {
      await written.writeFile(text)
      await written.sync()
    } finally {
      await written.close()
    }
    await this.#handle?.close()
    this.#handle = undefined
    await rename(fresh, this.#file)
    await syncFolder(dirname(this.#file))
    this.#size = text.length
  }

  /** With one more try, where the disk took nothing. */
  async close(): Promise<void> {
    clearTimeout(this.#again)
    this.#again = undefined
    await this.flush()
    if (this.#trouble !== '') await this.#writeOnce()
    clearTimeout(this.#again)
    await this.#handle?.close()
    this.#handle = undefined
  }
}

function keyOf({ id, attempt }: Claimed): string {
  return `${attempt} ${id}`
}

function apply({ claims, reports }: State, line: Line): void {
  switch (line.type) {
    case 'claimed':
      for (const one of line.claims)
        claims.set(keyOf(one), { id: one.id, attempt: one.attempt, begun: false })
      break
    case 'begun': {
      const claim = claims.get(keyOf(line.claim))
      if (claim) claim.begun = true
      break
    }
    case 'ended':
      claims.delete(keyOf(line.report))
      reports.set(keyOf(line.report), line.report)
      break
    case 'sent':
      for (const one of line.claims) reports.delete(keyOf(one))
  }
}

function cannot(file: string, error: unknown): TaskdError {
  return new TaskdError(
    'E_DATA_DIR',
    `cannot use ${file}: ${messageOf(error)}`,
    'make the folder writable for this user, or name another with --data',
  )
}
