import type { SqlJob, SqlJobDone, SqlRun } from '../api/sql-jobs-port.ts'
import { realClock } from '../lib/clock.ts'
import { tellingLine } from '../lib/telling-line.ts'
import { seconds } from './commands/runs.ts'
import type { Options } from './context.ts'
import { EXIT } from './exit.ts'
import { lastRunText } from './last-run.ts'
import type { Output } from './output.ts'
import { clean, cut, table, wrap } from './render.ts'
import { shortTime } from './times.ts'

/** Longer keys and schedules are cut: `--json` has them whole. */
const KEY_WIDTH = 28
const WHEN_WIDTH = 26

type Tone = (text: string) => string

export function showList(rows: readonly SqlJob[], out: Output, options: Options): number {
  if (options['json']) out.json(rows)
  else if (rows.length === 0) out.line('no rows yet; taskd task add makes one')
  else for (const line of listLines(rows, out, realClock.now())) out.line(line)
  return EXIT.ok
}

/** Two lines for each: what it is called, how it is, when it runs; then what it does, or what is wrong. */
function listLines(rows: readonly SqlJob[], { width, colours }: Output, nowMs: number): string[] {
  const tones: Readonly<Record<string, Tone>> = {
    SCHEDULED: colours.green,
    DOING: colours.green,
    BAD: colours.red,
  }
  const cells = rows.map(row => [
    cut(clean(row.task_key), KEY_WIDTH),
    stateOf(row),
    cut(clean(`${row.trigger} ${row.spec}`), WHEN_WIDTH),
    row.next === null ? (row.held === null ? '?' : '-') : shortTime(row.next, nowMs),
  ])
  const [header = '', ...heads] = table([['TASK_KEY', 'STATE', 'WHEN', 'NEXT'], ...cells])
  const lines = [colours.dim(header)]
  for (const [index, row] of rows.entries()) {
    const state = stateOf(row)
    const head = cut(heads[index] ?? '', width)
    lines.push(head.replace(` ${state} `, ` ${(tones[state] ?? colours.dim)(state)} `))
    if (row.problem === '')
      lines.push(colours.dim(cut(`  ${callOf(row)}${lastOf(row, nowMs)}`, width)))
    else lines.push(...wrap(clean(row.problem), width - 2).map(line => `  ${line}`))
    if (row.waits.length > 0)
      lines.push(...wrap(waitsText(row), width - 2).map(line => `  ${line}`))
  }
  return lines
}

function stateOf({ is_valid, problem, status, held, next }: SqlJob): string {
  if (problem !== '') return 'BAD'
  if (status === 'doing') return 'DOING'
  if (!is_valid) return 'DISABLED'
  if (held === null) return 'UNKNOWN'
  if (held !== '') return 'PAUSED'
  return next === null ? 'IDLE' : 'SCHEDULED'
}

function waitsText({ waits }: SqlJob): string {
  return `${waits.join(', ')}: a change waits until is_valid was set to 0 and to 1 again`
}

function callOf({ execute_func, args }: SqlJob): string {
  return clean(`${execute_func}(${args})`)
}

function lastOf(row: SqlJob, nowMs: number): string {
  const asOf = row.as_of ? `as of ${shortTime(row.as_of, nowMs)}` : ''
  const parts = [lastRunText(row, nowMs), asOf].filter(part => part !== '')
  return parts.map(part => clean(`, ${part}`)).join('')
}

export function showDone(word: string, done: SqlJobDone, out: Output, options: Options): number {
  if (options['json']) out.json(done)
  else {
    const next = done.next === null ? '' : `; next ${shortTime(done.next, realClock.now())}`
    out.line(clean(`${done.task_key}: ${word}${next}`))
  }
  return EXIT.ok
}

/** @param ofAll whether the runs are of any row, so that their key says something */
export function showHistory(
  runs: readonly SqlRun[],
  ofAll: boolean,
  out: Output,
  options: Options,
): number {
  if (options['json']) out.json(runs)
  else if (runs.length === 0) out.line('no runs yet')
  else for (const line of historyLines(runs, ofAll, out, realClock.now())) out.line(line)
  return EXIT.ok
}

function historyLines(
  runs: readonly SqlRun[],
  ofAll: boolean,
  { width, colours }: Output,
  nowMs: number,
): string[] {
  const named = (cells: readonly string[], name: string) => (ofAll ? [name, ...cells] : cells)
  const told = runs.map(toldBy)
  const cells = runs.map((run, index) => {
    const name = cut(clean(run.task_key) || `row ${run.task_id}`, KEY_WIDTH)
    const took = told[index]?.ms
    const time = took === undefined ? '-' : seconds(took)
    return named([shortTime(run.create_at, nowMs), clean(run.status), time, `${run.id}`], name)
  })
  const titles = named(['BEGAN', 'STATUS', 'TIME', 'ID'], 'TASK_KEY')
  const [header = '', ...heads] = table([titles, ...cells])
  const lines = [colours.dim(header)]
  for (const [index, one] of told.entries()) {
    lines.push(cut(heads[index] ?? '', width))
    const said = clean(tellingLine(one.said))
    if (said !== '') lines.push(colours.dim(cut(`  ${said}`, width)))
  }
  return lines
}

/** The content of `extra`: the answer, or who runs it; anything else is shown as it is. */
function toldBy({ extra, status }: SqlRun): { readonly said: string; readonly ms?: number } {
  const { msg, duration_ms, worker_id } = objectIn(extra)
  if (status === 'doing' && typeof worker_id === 'string') return { said: `on ${worker_id}` }
  const said = typeof msg === 'string' ? msg : extra === '{}' ? '' : extra
  return { said, ...(typeof duration_ms === 'number' && { ms: duration_ms }) }
}

function objectIn(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? { ...value } : {}
  } catch {
    return {}
  }
}
