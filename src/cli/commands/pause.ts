import type { Command } from '../context.ts'
import { EXIT } from '../exit.ts'

export const run: Command = async ({ out, daemon }, names, options) => {
  const results = await (await daemon()).setPaused(names, true)
  if (options['json']) out.json(results)
  else for (const { name } of results) out.line(`${name}: paused`)
  return EXIT.ok
}
