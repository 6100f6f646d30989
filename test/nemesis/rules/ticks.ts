import type { Rule } from '../checker.ts'
import { faultsDuring } from '../facts.ts'

/** Every tick that was due has its run, and no run is of a tick that was not. */
export const ticks: Rule = history => {
  const ran = new Set(history.runs.map(run => run.id))
  return history.jobs.flatMap(({ name, due }) => {
    const prefix = `cron-${name}-`
    const known = new Set(due.map(at => `${prefix}${at}`))
    const step = (due[1] ?? 0) - (due[0] ?? 0)
    const first = due[0] ?? 0
    const missing = due.filter(at => !ran.has(`${prefix}${at}`))
    // Those before the first and after the last that are due are not looked at, but for their time.
    const odd = [...ran].filter(
      id =>
        id.startsWith(prefix) &&
        !known.has(id) &&
        (Number(id.slice(prefix.length)) - first) % step !== 0,
    )
    return [
      ...missing.map(at => {
        const moment = at / 1000 - history.wallLessUptime
        const what = `the tick of ${name} at ${new Date(at).toISOString()} (uptime ${moment.toFixed(2)}) never ran`
        return { rule: 'tick', what, evidence: faultsDuring(history.faults, moment, moment) }
      }),
      ...odd.map(id => ({ rule: 'tick', what: `${id} is no tick of its schedule`, evidence: [] })),
    ]
  })
}
