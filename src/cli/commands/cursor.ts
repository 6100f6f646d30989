import type { CursorReport } from '../../api/schedule-port.ts'
import { type Command, text } from '../context.ts'
import { EXIT, usageError } from '../exit.ts'
import { lastRunWords } from '../last-run.ts'
import { clean, table } from '../render.ts'

/** Of a long list of ticks, how many are shown. */
const SHOWN = 20

export const run: Command = async ({ out, daemon }, [job = ''], options) => {
  const to = text(options, 'set')
  const dry_run = options['dryRun'] === true
  if (dry_run && to === undefined) throw usageError('--dry-run goes with --set')
  const asked = await daemon()
  const report = await (to === undefined
    ? asked.cursor(job)
    : asked.setCursor(job, { to, dry_run }))
  if (options['json']) out.json(report)
  else for (const line of report.set ? changeLines(report) : standLines(report)) out.line(line)
  return EXIT.ok
}

function standLines(report: CursorReport): string[] {
  const { cursor, next, last, last_id, failures, held } = report
  const newest = last === null ? 'none yet' : `${last} ${lastRunWords(report, iso => iso)}`
  return [
    clean(report.job),
    ...table([
      ['cursor', cursor ?? 'none: it has not ticked yet'],
      ['next', held === '' ? (next ?? 'none') : held],
      ['last', newest],
      ['last id', last_id === '' ? '-' : last_id],
      ['failures', failures === 0 ? 'none' : `${failures} in a row`],
    ]).map(line => `  ${clean(line)}`),
  ]
}

function changeLines({ job, set }: CursorReport): string[] {
  if (!set) return []
  const { cursor, dry_run, runs, words } = set
  const rest = runs.length - SHOWN
  const ticks = dry_run
    ? runs.slice(0, SHOWN).map(({ at, known }) => `  ${at}${known ? '  known' : ''}`)
    : []
  return [
    `${clean(job)}: the cursor ${dry_run ? 'would be' : 'is'} ${cursor}`,
    ...words.map(one => `  - ${clean(one)}`),
    ...ticks,
    ...(dry_run && rest > 0 ? [`  and ${rest} more`] : []),
  ]
}
