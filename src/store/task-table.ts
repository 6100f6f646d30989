import { sql } from 'kysely'
import type { Clock } from '../lib/clock.ts'
import { TaskdError } from '../lib/errors.ts'
import { Turns } from '../lib/turns.ts'
import { again } from './again.ts'
import { isDuplicate } from './failure.ts'
import { insertedId } from './inserted-id.ts'
import type { Db, SqlKind } from './tables.ts'
import { TaskPoll } from './task-poll.ts'
import { noteProblem } from './task-problem.ts'
import { readTasks } from './task-rows.ts'
import type { NewTaskRow, TaskRow, TaskTable } from './task-types.ts'

export type {
  NewTaskRow,
  TaskChanges,
  TaskRow,
  TaskTable,
} from './task-types.ts'

const PAGE = 1000
/** SQLite works on our thread: everything else gets a turn between two pages. */
const SLICE_MS = 2

export function taskTableOn(db: Db, kind: SqlKind, clock: Pick<Clock, 'sleep'>): TaskTable {
  const poll = new TaskPoll(db, kind)
  const turns = new Turns(SLICE_MS)

  /** MySQL's `=` ignores case and trailing blanks, but a key has to match exactly. */
  async function named(taskKey: string): Promise<TaskRow[]> {
    const rows = await readTasks(db, kind, sql`task_key = ${taskKey}`)
    return rows.filter(row => row.task_key === taskKey)
  }

  return {
    poll: () => again(clock, () => poll.next()),
    async list() {
      const rows: TaskRow[] = []
      for (let last: number | undefined; ; ) {
        await turns.wait()
        const after = last === undefined ? sql`1 = 1` : sql`id > ${last}`
        const page = await again(clock, () => readTasks(db, kind, after, PAGE))
        rows.push(...page)
        last = page.at(-1)?.id
        if (page.length < PAGE) return rows
      }
    },
    async find(taskKey) {
      return (await again(clock, () => named(taskKey)))[0]
    },
    async add(row) {
      checkWidths(row)
      const values = { ...row, is_valid: row.is_valid ? 1 : 0, status: 'ready' }
      // Only rows with the status `ready` would collide by themselves.
      const [there] = await again(clock, () =>
        readTasks(db, kind, sql`task_key = ${row.task_key}`, 1),
      )
      if (there !== undefined) throw taken(row.task_key, there)
      try {
        return await insertedId(kind, db.insertInto('task').values(values))
      } catch (error) {
        throw isDuplicate(error) ? taken(row.task_key) : error
      }
    },
    async change(taskKey, { is_valid, spec }) {
      if (spec !== undefined) checkWidths({ spec })
      const values = {
        ...(is_valid !== undefined && { is_valid: is_valid ? 1 : 0 }),
        ...(spec !== undefined && { spec }),
      }
      return again(clock, async () => {
        const ids = (await named(taskKey)).map(row => row.id)
        if (ids.length > 0 && Object.keys(values).length > 0)
          await db.updateTable('task').set(values).where('id', 'in', ids).execute()
        return ids.length > 0
      })
    },
    noteProblem: (id, problem) => again(clock, () => noteProblem(db, kind, id, problem)),
  }
}

const WIDTH = 255

/** SQLite alone would accept longer values. */
function checkWidths(row: Partial<NewTaskRow>): void {
  for (const [column, value] of Object.entries(row)) {
    if (typeof value !== 'string') continue
    if (Array.from(value).length > WIDTH)
      throw new TaskdError(
        'E_TASK_TOO_LONG',
        `${column} is longer than ${WIDTH} characters`,
        'write it shorter; longer arguments belong into a table or file of your own',
      )
    if (value.includes('\0') || !value.isWellFormed())
      throw new TaskdError('E_TASK_TEXT', `${column} is no text`, 'take the control character out')
  }
}

function taken(taskKey: string, row?: TaskRow): TaskdError {
  const which = row === undefined ? '' : ` (row ${row.id}, "${row.task_key}")`
  return new TaskdError(
    'E_TASK_EXISTS',
    `there is a task ${taskKey} already${which}`,
    'choose another task_key, or change that one',
  )
}
