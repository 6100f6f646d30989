import type { TailOptions } from '../../api/control.ts'
import { type Command, type Options, text } from '../context.ts'
import { EXIT, orUnknown, usageError } from '../exit.ts'
import { wholeNumber } from '../numbers.ts'
import { clean } from '../render.ts'

export const run: Command = orUnknown(async ({ out, daemon }, [name = '', stream], options) => {
  const asked = optionsOf(stream, options)
  const output = await (await daemon()).tail(name, asked, new AbortController().signal)
  if (options['json']) {
    const parts: Uint8Array[] = []
    for await (const part of output) parts.push(part)
    out.json({ name, output: Buffer.concat(parts).toString('utf8') })
    return EXIT.ok
  }
  let nothing = true
  for await (const part of output) {
    nothing = false
    await out.raw(part)
  }
  if (nothing && !asked.follow) out.note(`taskd: nothing to show of ${clean(name)} now`)
  return EXIT.ok
})

function optionsOf(stream: string | undefined, options: Options): TailOptions {
  const follow = options['follow'] === true
  if (follow && options['json'])
    throw usageError('--json does not go with -f', 'leave one of them out')
  const lines = wholeNumber(text(options, 'lines') ?? '10', '-n', 0, 1_000_000)
  if (stream !== undefined && stream !== 'stdout' && stream !== 'stderr')
    throw usageError(`${JSON.stringify(stream)} is no stream`, 'write stdout or stderr')
  return { lines, follow, stream }
}
