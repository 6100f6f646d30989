import type { OutputSpec } from '../model/program-spec.ts'
import { Logs, type LogsDeps } from './logs.ts'
import type { Output } from './output-port.ts'

export type { Descriptor, Output } from './output-port.ts'

/** For one stream alone. Many are opened through one `Logs`, for what they share. */
export function openOutput(spec: OutputSpec, deps: LogsDeps): Output {
  return new Logs(deps).open(spec)
}
