import type { OutputSpec } from '../model/program-spec.ts'
import { type Descriptor, type Output, unsuited } from './output-port.ts'

/** A stream that is thrown away, or goes where the daemon's own goes. */
export function plainOutput(spec: Exclude<OutputSpec, { kind: 'file' }>): Output {
  const descriptor: Descriptor = {
    stdio: spec.kind === 'none' ? 'ignore' : spec.fd,
    release: () => undefined,
  }
  return {
    dropped: 0,
    prepare: () => Promise.resolve(),
    descriptor: () => descriptor,
    retune: changed => {
      const same =
        changed.kind === 'none'
          ? spec.kind === 'none'
          : changed.kind === 'inherit' && spec.kind === 'inherit' && changed.fd === spec.fd
      if (!same) throw unsuited(changed)
    },
    reopen: () => undefined,
    close: () => Promise.resolve(),
  }
}
