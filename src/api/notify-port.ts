import type { NotifyTested } from '../model/notice.ts'

/** What may be asked of notices. */
export interface NotifyControl {
  /** Sends a test notice, and says what came of it. @throws TaskdError E_NO_NAME */
  testNotify(name: string): Promise<NotifyTested>
}
