import type { Clock } from '../lib/clock.ts'
import { count } from '../lib/count.ts'
import type { Logger } from '../lib/log.ts'
import { Slots } from '../lib/slots.ts'
import type { OutputSpec } from '../model/program-spec.ts'
import { Compressor } from './compressor.ts'
import { Fifos } from './fifos.ts'
import { FileOutput } from './file-output.ts'
import type { Output } from './output-port.ts'
import { PipeOutput } from './pipe-output.ts'
import { plainOutput } from './plain-output.ts'
import { Rounds } from './rounds.ts'
import { Stdin } from './stdin.ts'
import { Writers } from './writers.ts'

export interface LogsDeps {
  readonly clock: Clock
  /** Hears once of each outage of a log, and once of its end. */
  readonly log: Pick<Logger, 'info' | 'warn'>
  /** Where pipes are made; made if missing. Nothing is left in it. */
  readonly folder: string
}

/** Of Node's four threads for files: the other two must stay free when a disk hangs. */
const WRITES_AT_A_TIME = 2
/** As much as a pipe holds. */
const READ_BYTES = 64 * 1024

/** The logs of all programs of a daemon, and what they share. */
export class Logs {
  readonly stdin: Stdin
  readonly #compressor = new Compressor()
  readonly #open: (spec: OutputSpec) => Output

  constructor({ clock, log, folder }: LogsDeps) {
    const compressor = this.#compressor
    const fifos = new Fifos(folder)
    this.stdin = new Stdin(fifos)
    const warn = (text: string) => log.warn(text)
    const writers = new Writers({
      clock,
      compressor,
      warn,
      slots: new Slots(WRITES_AT_A_TIME),
      onTrouble: warn,
      onRecovered: (path, dropped) =>
        log.info(`${path} is written again; ${count(dropped, 'byte')} of output dropped`),
    })
    const rounds = new Rounds(clock)
    const scratch = Buffer.allocUnsafeSlow(READ_BYTES)
    this.#open = spec => {
      if (spec.kind !== 'file') return plainOutput(spec)
      if (spec.through === 'file') return new FileOutput(spec, { compressor, rounds, warn })
      return new PipeOutput(spec, { clock, fifos, writers, scratch })
    }
  }

  /** Where one stream of one program goes, from now until it is closed. */
  open(spec: OutputSpec): Output {
    return this.#open(spec)
  }

  /** After all outputs are closed. What was being compressed stays as it is. */
  async stop(): Promise<void> {
    await this.stdin.close()
    await this.#compressor.stop()
  }
}
