import { linesOf } from '../support/daemon-processes.ts'

/** One execution, as its script wrote it down. Times are seconds of `uptime`. */
export interface Run {
  readonly id: string
  readonly begin: number
  /** Not there when it was cut off. */
  readonly end: number | undefined
  readonly worker: string
  readonly attempt: number
  readonly pid: number
  /** Another run of the same task lived when this one began: its lock was taken. */
  readonly beside: boolean
  /** What it was to do; `row:<id>` of `execute_task` for a function. */
  readonly how: string
}

/**
 * `<begin|end> <uptime> <worker> <attempt> <pid> <alone|beside> <id> <how>` in the order in which
 * the lines were written, which is the order of the runs' begins. A torn line is an error.
 */
export function readLedger(file: string): Run[] {
  return parseLedger(linesOf(file))
}

export function parseLedger(lines: readonly string[]): Run[] {
  const runs: Run[] = []
  const open = new Map<string, number>()
  for (const line of lines) {
    const [word, at, worker, attempt, pid, alone, id, how, ...rest] = line.split(' ')
    const whole = (word === 'begin' || word === 'end') && how !== undefined && rest.length === 0
    if (!whole || id === undefined) throw new Error(`no line of a ledger: ${JSON.stringify(line)}`)
    const key = `${pid} ${id}`
    if (word === 'begin') {
      open.set(key, runs.length)
      const run = { id, begin: Number(at), end: undefined, worker: worker ?? '', how }
      runs.push({ ...run, attempt: Number(attempt), pid: Number(pid), beside: alone === 'beside' })
      continue
    }
    const place = open.get(key)
    const run = place === undefined ? undefined : runs[place]
    if (run === undefined || place === undefined) throw new Error(`an end without a begin: ${line}`)
    runs[place] = { ...run, end: Number(at) }
    open.delete(key)
  }
  return runs
}
