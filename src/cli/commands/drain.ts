import { count } from '../../lib/count.ts'
import type { Command } from '../context.ts'
import { EXIT } from '../exit.ts'

export const run: Command = async ({ out, daemon }, _args, options) => {
  const report = await (await daemon()).drain()
  if (options['json']) out.json(report)
  else {
    const rest =
      report.running === 0 ? 'none is running' : `${count(report.running, 'task')} still run`
    out.line(`this node takes no new task; ${rest}. taskd resume ends the drain`)
  }
  return EXIT.ok
}
