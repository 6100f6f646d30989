import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** Tests of the built program run what `scripts/build` makes; incremental, so cheap when fresh. */
export default function setup(): void {
  execFileSync(fileURLToPath(new URL('../../scripts/build', import.meta.url)), { stdio: 'inherit' })
}
