import { realClock } from '../../lib/clock.ts'
import type { RunRecord } from '../../model/run-record.ts'
import { type Command, text } from '../context.ts'
import { EXIT } from '../exit.ts'
import { wholeNumber } from '../numbers.ts'
import type { Output } from '../output.ts'
import { clean, cut, table, textWidth } from '../render.ts'
import { shortTime } from '../times.ts'

export const run: Command = async ({ out, daemon }, [job], options) => {
  const limit = wholeNumber(text(options, 'limit') ?? '20', '--limit', 1, 10_000)
  const queue = text(options, 'queue')
  const runs = await (await daemon()).runs({
    limit,
    ...(job !== undefined && { job }),
    ...(queue !== undefined && { task_key: queue }),
  })
  const whole = options['output'] === true
  if (options['json']) out.json(runs)
  else if (runs.length === 0) out.line('no runs yet')
  else
    for (const line of runLines(runs, out, { nowMs: realClock.now(), job, whole })) out.line(line)
  return EXIT.ok
}

export interface RunLinesOptions {
  readonly nowMs: number
  /** Set when all runs are of this job, so that its name need not be shown. */
  readonly job: string | undefined
  /** All that is kept of the output instead of its last line. */
  readonly whole: boolean
}

/** A name that is longer is cut: the id has it too. */
const NAME_WIDTH = 32

/** Two lines for each: when, how it ended, how long, how much, its id; then what it wrote last. */
export function runLines(
  runs: readonly RunRecord[],
  { width, colours }: Pick<Output, 'width' | 'colours'>,
  { nowMs, job, whole }: RunLinesOptions,
): string[] {
  const cells = runs.map(run => [
    shortTime(run.start_runtime, nowMs),
    ...(job === undefined ? [cut(clean(run.job || run.task_key), NAME_WIDTH)] : []),
    clean(resultOf(run)),
    seconds(run.duration_ms),
    run.peak_memory === null ? '-' : megabytes(run.peak_memory),
  ])
  const titles = ['BEGAN', ...(job === undefined ? ['JOB'] : []), 'RESULT', 'TIME', 'PEAK']
  const ids = runs.map(run => clean(run.unique_task_id))
  const wide = table([[...titles, 'ID'], ...cells.map((row, index) => [...row, ids[index] ?? ''])])
  const fits = wide.every(line => textWidth(line) <= width)
  const [header = '', ...heads] = fits ? wide : table([titles, ...cells])
  const lines = [colours.dim(fits ? header : `${header}  (then ID)`)]
  for (const [index, run] of runs.entries()) {
    lines.push(heads[index] ?? '')
    if (!fits) lines.push(`  ${ids[index] ?? ''}`)
    for (const line of below(run, whole)) lines.push(colours.dim(whole ? line : cut(line, width)))
  }
  return lines
}

/** `succ`, `exit 1`, `SIGKILL`, `timeout`, the code that the script answered, `given back`. */
function resultOf(run: RunRecord): string {
  if (run.outcome === 'returned') return 'given back'
  if (run.outcome === 'replaced') return 'replaced'
  if (run.kind === 'exit') return `exit ${run.exit_code}`
  if (run.kind === 'signal') return run.signal
  return run.kind === '' || run.kind === 'answer' ? run.code : run.kind
}

/** What it wrote last; of a failure that wrote nothing, such as one that could not start, why. */
function below({ attempt, output: written, msg }: RunRecord, whole: boolean): string[] {
  const output = written.trim() === '' ? msg : written
  const attempted = attempt > 1 ? `attempt ${attempt}` : ''
  const lines = output
    .trimEnd()
    .split(/\r?\n|\r/)
    .map(clean)
  if (whole) {
    const all = output.trim() === '' ? [] : lines
    return [...(attempted === '' ? [] : [attempted]), ...all].map(line => `  ${line}`)
  }
  const last = lines.at(-1)?.trim() ?? ''
  const line = [attempted, last].filter(part => part !== '').join(': ')
  return line === '' ? [] : [`  ${line}`]
}

/** `130ms`, `2.4s`, `1m05s`, `3h07m` */
export function seconds(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)}ms`
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)}s`
  const two = (n: number) => String(n).padStart(2, '0')
  const whole = Math.round(ms / 1000)
  if (whole < 3600) return `${Math.floor(whole / 60)}m${two(whole % 60)}s`
  return `${Math.floor(whole / 3600)}h${two(Math.floor((whole % 3600) / 60))}m`
}

/** `4.7M`, `130M`, `2.1G` */
export function megabytes(bytes: number): string {
  const mega = bytes / (1 << 20)
  if (mega < 99.95) return `${mega.toFixed(1)}M`
  return mega < 999.5 ? `${Math.round(mega)}M` : `${(mega / 1024).toFixed(1)}G`
}
