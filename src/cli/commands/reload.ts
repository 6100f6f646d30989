import type { Command } from '../context.ts'
import { showReport } from '../report.ts'

export const run: Command = async (context, _args, options) => {
  const daemon = await context.daemon()
  return showReport(await daemon.reload(), context, options)
}
