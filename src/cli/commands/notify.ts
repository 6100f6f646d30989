import type { Command } from '../context.ts'
import { EXIT } from '../exit.ts'
import { clean } from '../render.ts'

export const run: Command = async ({ out, daemon }, [name = ''], options) => {
  const tested = await (await daemon()).testNotify(name)
  const { ok, to, message } = tested
  if (options['json']) out.json(tested)
  else if (ok) out.line(`${clean(name)}: sent to ${clean(to)}: ${clean(message)}`)
  else out.note(`taskd: ${clean(name)}: not sent to ${clean(to)}: ${clean(message)}`)
  return ok ? EXIT.ok : EXIT.failed
}
