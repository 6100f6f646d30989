import { execFileSync } from 'node:child_process'

/** Tests of the built program run what `scripts/build` makes; incremental, so cheap when fresh. */
export default function setup(): void {
  execFileSync('scripts/build', { stdio: 'inherit' })
}
