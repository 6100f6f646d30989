import type { IncomingMessage } from 'node:http'
import type { Right } from './auth.ts'

/** What Node hands to the app beside the request. */
export interface DoorEnv {
  readonly Bindings: { readonly incoming?: IncomingMessage }
  /** What the caller may do; not set on the control socket, whose users may do everything. */
  readonly Variables: { rights?: ReadonlySet<Right> }
}
