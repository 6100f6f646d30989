import type { Command } from '../context.ts'
import { EXIT } from '../exit.ts'
import { wholeNumber } from '../numbers.ts'
import { count } from '../render.ts'

export const run: Command = async ({ out, daemon }, [queue = '', n = ''], options) => {
  const workers = wholeNumber(n, 'the number of workers', 0, 1000)
  const result = await (await daemon()).scale(queue, workers)
  if (options['json']) out.json(result)
  else out.line(`${result.task_key}: ${count(result.workers, 'worker')} until the next reload`)
  return EXIT.ok
}
