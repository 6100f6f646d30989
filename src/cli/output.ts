import { once } from 'node:events'
import pc from 'picocolors'
import { stringify } from '../lib/json-text.ts'

export type Colours = ReturnType<typeof pc.createColors>

/** Where a command writes. Lines for people go out as they are; data goes through `json`. */
export interface Output {
  /** Columns of the terminal, or 80. */
  readonly width: number
  readonly colours: Colours
  /** To standard output. */
  readonly line: (text: string) => void
  /** One JSON value to standard output: on one line for machines, spread out on a terminal. */
  readonly json: (value: unknown) => void
  /** To standard output as it is; resolves when there is room for more. */
  readonly raw: (bytes: Uint8Array) => Promise<void>
  /** To standard error: what is no part of the answer. */
  readonly note: (text: string) => void
}

type Stream = Pick<NodeJS.WriteStream, 'write'> & {
  readonly isTTY?: boolean
  readonly columns?: number
}

export function createOutput(
  stdout: Stream,
  stderr: Stream,
  env: Readonly<Record<string, string | undefined>>,
): Output {
  const tty = stdout.isTTY === true
  const colour = tty && !env['NO_COLOR'] && env['TERM'] !== 'dumb'
  return {
    width: widthOf(stdout.columns ?? Number(env['COLUMNS'])),
    colours: pc.createColors(colour),
    line: text => void stdout.write(`${text}\n`),
    json: value => void stdout.write(`${stringify(value, tty ? 2 : undefined)}\n`),
    raw: async bytes => {
      if (!stdout.write(bytes)) await once(stdout as NodeJS.WriteStream, 'drain')
    },
    note: text => void stderr.write(`${text}\n`),
  }
}

function widthOf(columns: number): number {
  return Number.isInteger(columns) && columns >= 40 ? columns : 80
}
