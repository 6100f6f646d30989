import type { Rule } from '../checker.ts'
import { describeRun, faultsDuring } from '../facts.ts'

/** A tick that is being made when the pause is answered may still run, s. */
const UNDER_WAY = 1

/** A job that is paused makes no tasks. */
export const pauses: Rule = history =>
  history.pauses.flatMap(({ job, from, to }) => {
    const prefix = `cron-${job}-`
    return history.runs.flatMap(run => {
      if (!run.id.startsWith(prefix)) return []
      const tick = Number(run.id.slice(prefix.length)) / 1000 - history.wallLessUptime
      if (tick <= from + UNDER_WAY || tick >= to) return []
      const what = `${job} ran for its tick of uptime ${tick.toFixed(2)}, paused from ${from} to ${to}`
      const evidence = [describeRun(run), ...faultsDuring(history.faults, from, to)]
      return [{ rule: 'pause', what, evidence }]
    })
  })
