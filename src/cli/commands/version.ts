import { version } from '../../lib/shipped.ts'
import type { Command } from '../context.ts'
import { EXIT } from '../exit.ts'

export const run: Command = ({ out }, _args, options) => {
  if (options['json']) out.json({ version: version() })
  else out.line(version())
  return Promise.resolve(EXIT.ok)
}
