import { closeSync } from 'node:fs'
import type { OutputSpec } from '../model/program-spec.ts'

/** What a program gets as its standard output or error, for one start. */
export interface Descriptor {
  readonly stdio: 'ignore' | number
  /** Must be called once the program has it; may be called again. */
  release(): void
}

/** An open file, closed when the program has it. */
export function descriptorOf(fd: number): Descriptor {
  let open = true
  return {
    stdio: fd,
    release: () => {
      if (open) closeSync(fd)
      open = false
    },
  }
}

/** Where one stream of one program goes, over all starts of its process. */
export interface Output {
  /** Makes what all starts share, before the first one. @throws TaskdError E_NO_PIPE */
  prepare(): Promise<void>
  /** Made for each start. @throws TaskdError E_NO_PIPE */
  descriptor(): Promise<Descriptor> | Descriptor
  /** Bytes that could not be kept so far, the disk being full or slow. */
  readonly dropped: number
  /** Takes over what was changed, live. Another kind, or another `through`, needs a new Output. */
  retune(spec: OutputSpec): void
  /** Opens the file anew, after an outside logrotate has moved it. */
  reopen(): void
  /** Writes what is buffered, in bounded time. */
  close(): Promise<void>
}

/** The error for a bug: an output was given a specification of another kind. */
export function unsuited(spec: OutputSpec): Error {
  return new Error(`an output cannot become ${spec.kind === 'file' ? spec.through : spec.kind}`)
}
