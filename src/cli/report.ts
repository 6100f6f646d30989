import type { ReloadReport } from '../api/control.ts'
import type { Context, Options } from './context.ts'
import { EXIT } from './exit.ts'
import { problemLine } from './problem-line.ts'
import { clean, count } from './render.ts'

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
    out.note(`taskd: nothing was changed: ${count(problems.length, 'mistake')} to mend first`)
    return code
  }
  for (const change of changes) out.line(clean(change))
  const done = applied ? 'applied' : 'to apply with taskd reload'
  out.line(changes.length === 0 ? 'nothing changes' : `${count(changes.length, 'change')} ${done}`)
  return code
}
