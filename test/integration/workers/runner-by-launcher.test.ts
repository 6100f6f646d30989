import { startLauncher } from '../../../src/workers/launcher.ts'
import { BASE, useSpawner } from '../../support/runs.ts'

/** The launcher keeps every promise that Node's own spawn keeps: the same tests, run through it. */
const launcher = await startLauncher({ environment: BASE, onLost: () => undefined })
if (launcher === undefined) throw new Error('there is no perl')
useSpawner(launcher)
await import('./runner.test.ts')
