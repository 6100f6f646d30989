import { showAnswer } from '../answer.ts'
import type { Command } from '../context.ts'

export const run: Command = async (context, [job = ''], options) => {
  const daemon = await context.daemon()
  const wait = options['wait'] === true
  const leaves = new AbortController()
  return showAnswer(await daemon.runJob(job, { wait }, leaves.signal), context, options)
}
