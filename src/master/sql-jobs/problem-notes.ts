import { messageOf } from '../../lib/errors.ts'
import type { Logger } from '../../lib/log.ts'
import type { TaskTable } from '../../store/task-table.ts'

/** How many bad rows are noted at once; the rest follow later. */
const AT_ONCE = 500

/** Writes what is wrong with a row into the row itself, and removes it when the row is corrected. */
export class ProblemNotes {
  readonly #tasks: Pick<TaskTable, 'noteProblem'>
  readonly #log: Pick<Logger, 'debug'>
  /** The problem in each row as far as it is known; '' for none. */
  readonly #noted = new Map<number, string>()
  readonly #wanted = new Map<number, string>()

  constructor(tasks: Pick<TaskTable, 'noteProblem'>, log: Pick<Logger, 'debug'>) {
    this.#tasks = tasks
    this.#log = log
  }

  /** @param extra the column as it was told */
  seen(id: number, extra: string): void {
    this.#noted.set(id, errorIn(extra))
  }

  want(id: number, problem: string): void {
    if (this.#noted.get(id) === problem) this.#wanted.delete(id)
    else this.#wanted.set(id, problem)
  }

  forget(id: number): void {
    this.#noted.delete(id)
    this.#wanted.delete(id)
  }

  /** What fails is done later. */
  async write(): Promise<void> {
    for (const [id, problem] of [...this.#wanted].slice(0, AT_ONCE)) {
      try {
        await this.#tasks.noteProblem(id, problem === '' ? undefined : problem)
      } catch (error) {
        this.#log.debug({ row: id, error: messageOf(error) }, 'a problem is not noted in its row')
        return
      }
      this.#noted.set(id, problem)
      if (this.#wanted.get(id) === problem) this.#wanted.delete(id)
    }
  }
}

function errorIn(extra: string): string {
  // Most rows hold none, and there may be thousands.
  if (!extra.includes('"error"')) return ''
  try {
    const { error } = JSON.parse(extra) as Record<string, unknown>
    return typeof error === 'string' ? error : ''
  } catch {
    return ''
  }
}
