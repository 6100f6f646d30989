import type { Cut, Fault, HandedIn, History, How } from './history.ts'
import type { Run } from './ledger.ts'

/** What several rules ask of a history. */

/** A script that was started just before a KILL may write its first line a moment after it, s. */
const LATE_BEGIN = 1.5
/** So long after its end a run's verdict may still be on its way to Redis or to the disk, s. */
const VERDICT = 2

/** The runs of each task, in the order of their begins. */
export function runsById(runs: readonly Run[]): Map<string, Run[]> {
  const all = new Map<string, Run[]>()
  for (const run of runs) {
    const known = all.get(run.id)
    if (known) known.push(run)
    else all.set(run.id, [run])
  }
  return all
}

/** How a task was to end, and how often it was to be tried; by its id. */
export interface Plan {
  readonly how: How
  readonly retries: number
}

export function planOf(history: History, id: string): Plan {
  const task = history.tasks.find(one => one.id === id)
  if (task) return task
  const job = history.jobs.find(one => id.startsWith(`cron-${one.name}-`))
  if (job) return job
  const how = history.runs.find(run => run.id === id)?.how
  return { how: how === 'fail' || how === 'exit' || how === 'code' ? how : 'succ', retries: 0 }
}

/** The cuts that may have ended this run before it was over, or before its end was known. */
export function cutsOf(faults: readonly Fault[], run: Run): Cut[] {
  const last = run.end === undefined ? Number.POSITIVE_INFINITY : told(faults, run.worker, run.end)
  return faults
    .flatMap(fault => fault.cuts)
    .filter(cut => covers(cut, run) && cut.to >= run.begin - LATE_BEGIN && cut.from <= last)
}

/** When the verdict of a run that ended then is told at the latest: its worker may stand still. */
function told(faults: readonly Fault[], worker: string, end: number): number {
  const stops = faults.filter(one => one.stopped === worker && one.from <= end + VERDICT)
  return Math.max(end, ...stops.map(one => one.to)) + VERDICT
}

function covers({ scope }: Cut, run: Run): boolean {
  switch (scope.kind) {
    case 'worker':
      return run.worker === scope.worker
    case 'node':
      return nodeOf(run) === scope.node
    case 'run':
      return run.id === scope.id
  }
}

/** Worker ids are `<node>-<queue>-<n>`, and the nodes of a world have no dash. */
export const nodeOf = (run: Run) => run.worker.split('-')[0] ?? ''

export const queueOf = (run: Run) => run.worker.split('-').slice(1, -1).join('-')

export const failsByPlan = ({ how }: Plan) => how !== 'succ'

/** Faults that lasted between two moments, as lines of evidence. */
export function faultsDuring(faults: readonly Fault[], from: number, to: number): string[] {
  return faults
    .filter(fault => fault.to >= from - 1 && fault.from <= to + 1)
    .map(({ name, from, to, what }) => `${name} from ${from} to ${to}: ${what}`)
}

export function describeRun({ id, begin, end, worker, attempt, pid, how }: Run): string {
  const over = end === undefined ? 'no end' : `end ${end}`
  return `run of ${id} (${how}): begin ${begin}, ${over}, attempt ${attempt}, pid ${pid}, ${worker}`
}

/** The runs of one task and the faults from its first begin to its last. */
export function story(history: History, runs: readonly Run[]): string[] {
  const moments = runs.flatMap(run => [run.begin, run.end ?? run.begin])
  const around = faultsDuring(history.faults, Math.min(...moments), Math.max(...moments))
  return [...runs.map(describeRun), ...around]
}

export const describeTask = ({ id, at, answer, how, retries, taskKey, cancel }: HandedIn) =>
  `${id} handed in at ${at} to ${taskKey}: ${answer}, ${how}, ${retries} retries` +
  (cancel ? `, cancel asked at ${cancel.at}: ${cancel.done ? 'done' : 'not done'}` : '')
