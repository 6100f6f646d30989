import type { ReloadReport } from '../api/control.ts'
import { count } from '../lib/count.ts'
import type { Context, Options } from './context.ts'
import { EXIT } from './exit.ts'
import { problemLine } from './problem-line.ts'
import { clean } from './render.ts'

/** Matches the lines of `describeChanges` for changes that wait for something. */
const WAITS = /: (?:changed; )?takes effect (?:with|when) /

/** Changes that wait for something do not count as applied. */
function summary(changes: readonly string[], applied: boolean): string {
  if (!applied) return `${count(changes.length, 'change')} to apply with taskd reload`
  const waiting = changes.filter(change => WAITS.test(change)).length
  const done = `${count(changes.length - waiting, 'change')} applied`
  if (waiting === 0) return done
  return `${done}, ${waiting} ${waiting === 1 ? 'waits' : 'wait'}: see above`
}

/** What a reload did or would do. */
export function showReport(report: ReloadReport, context: Context, options: Options): number {
  const { out, cwd } = context
  const { applied, changes, problems } = report
  const code = problems.length > 0 ? EXIT.usage : EXIT.ok
  if (options['json']) {
    out.json(report)
    return code
  }
  for (const problem of problems) out.note(problemLine(problem, cwd))
  if (problems.length > 0) {
    out.note(`taskd: nothing was changed: ${count(problems.length, 'mistake')} to correct first`)
    return code
  }
  for (const change of changes) out.line(clean(change))
  out.line(changes.length === 0 ? 'nothing changes' : summary(changes, applied))
  return code
}
