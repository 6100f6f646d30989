import type { Command } from '../context.ts'
import { EXIT } from '../exit.ts'

export const run: Command = async ({ out, daemon }, names, options) => {
  const results = await (await daemon()).setPaused(names, false)
  if (options['json']) out.json(results)
  else if (names.length === 0) out.line('this node takes tasks')
  else for (const { name } of results) out.line(`${name}: resumed`)
  return EXIT.ok
}
