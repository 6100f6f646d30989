import type { LogFileRules } from './log-file.ts'
import { LogWriter, type WriterDeps } from './writer.ts'

interface Shared {
  readonly writer: LogWriter
  users: number
}

/**
 * One writer for each path, however many streams go there: standard output and error in one file,
 * or processes whose log has no number in its name. Two that rotate the same file would ruin it.
 */
export class Writers {
  readonly #deps: WriterDeps
  readonly #byPath = new Map<string, Shared>()

  constructor(deps: WriterDeps) {
    this.#deps = deps
  }

  /** The rules of the one who came last hold. */
  take(rules: LogFileRules): LogWriter {
    const known = this.#byPath.get(rules.path)
    if (known) {
      known.users += 1
      known.writer.retune(rules)
      return known.writer
    }
    const writer = new LogWriter(rules, this.#deps)
    this.#byPath.set(rules.path, { writer, users: 1 })
    return writer
  }

  /** Closes it when nobody else writes there. */
  async give(writer: LogWriter): Promise<void> {
    const known = this.#byPath.get(writer.path)
    if (known?.writer !== writer) return
    known.users -= 1
    if (known.users > 0) return
    this.#byPath.delete(writer.path)
    await writer.close()
  }
}
