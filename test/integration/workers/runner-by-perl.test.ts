import { launcherOf } from '../../support/launchers.ts'
import { useSpawner } from '../../support/runs.ts'

/** A launcher keeps every promise that Node's own spawn keeps: the same tests, run through it. */
useSpawner(await launcherOf('perl'))
await import('./runner.test.ts')
