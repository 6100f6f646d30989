import type { Rule } from '../checker.ts'
import { firstShown, setBacksOf } from '../clock.ts'
import { describeRun, faultsDuring } from '../facts.ts'
import type { History } from '../history.ts'
import { type TickRun, tickOf } from './ticks.ts'

/** A tick that is being made when the pause is answered may still run, s. */
const UNDER_WAY = 1

/** A job that is paused makes no tasks. */
export const pauses: Rule = history =>
  history.pauses.flatMap(({ job, from, to }) =>
    history.runs.flatMap(run =>
      tickOf(job, run).flatMap(tick => {
        const moments = momentsOf(history, tick)
        const [moment] = moments
        if (moment === undefined || moments.some(one => one <= from + UNDER_WAY || one >= to))
          return []
        const what = `${job} ran for its tick of uptime ${moment.toFixed(2)}, paused from ${from} to ${to}`
        const evidence = [describeRun(run), ...faultsDuring(history.faults, from, to)]
        return [{ rule: 'pause', what, evidence }]
      }),
    ),
  )

/** When the clock had come to the tick; of one that comes again, any of the times. */
function momentsOf({ faults, wallLessUptime }: History, { at, pass }: TickRun): number[] {
  const time = at / 1000 - wallLessUptime
  if (pass === 0) return [firstShown(faults, time)]
  return setBacksOf(faults, time).map(back => back.at ?? back.until)
}
