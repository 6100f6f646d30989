import type { Command } from '../context.ts'
import { EXIT, orUnknown } from '../exit.ts'
import { select } from '../status/select.ts'

/** As supervisorctl: of the daemon, of all, or of what is named; 0 for what does not run. */
export const run: Command = orUnknown(async (context, names, options) => {
  const { out } = context
  const whole = await (await context.daemon()).status()
  if (names.length === 0) {
    if (options['json']) out.json([{ name: 'taskd', pid: whole.pid }])
    else out.line(String(whole.pid))
    return EXIT.ok
  }
  const { status, unknown } = select(whole, names)
  const [error] = unknown
  if (error) throw error
  const found = [...status.workers, ...status.programs]
  if (options['json']) out.json(found.map(one => ({ name: one.name, pid: one.pid })))
  else for (const { pid } of found) out.line(String(pid))
  return found.length > 0 && found.every(one => one.pid > 0) ? EXIT.ok : EXIT.failed
})
