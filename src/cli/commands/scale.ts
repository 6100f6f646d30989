import type { Command } from '../context.ts'
import { EXIT } from '../exit.ts'
import { wholeNumber } from '../numbers.ts'

export const run: Command = async ({ out, daemon }, [name = '', n = ''], options) => {
  const wanted = wholeNumber(n, 'the number of processes', 0, 1000)
  const result = await (await daemon()).scale(name, wanted)
  if (options['json']) out.json(result)
  else
    out.line(
      `${result.name}: ${result.count} process${result.count === 1 ? '' : 'es'} until the next reload`,
    )
  return EXIT.ok
}
