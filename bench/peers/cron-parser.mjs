// Cron as one writes it by hand: cron-parser, one setTimeout to the next tick, spawn.
import { spawn } from 'node:child_process'
import { CronExpressionParser } from 'cron-parser'

const { stamp, file, jobs, expression } = JSON.parse(process.argv[2])

let last = Date.now()

function arm() {
  const due = CronExpressionParser.parse(expression, { currentDate: last }).next().getTime()
  last = due
  setTimeout(() => {
    for (let n = 0; n < jobs; n += 1) {
      const env = { ...process.env, TASKD_SCHEDULED_AT: String(due) }
      const child = spawn(stamp, [file, `job-${n}`], { env, stdio: ['ignore', 'pipe', 'pipe'] })
      child.stdout.resume()
      child.stderr.resume()
    }
    arm()
  }, due - Date.now())
}
arm()
process.send('ready')
