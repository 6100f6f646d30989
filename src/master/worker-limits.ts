import { join } from 'node:path'
import type { Settings } from '../config/config.ts'
import type { WorkerLimits } from '../model/ipc.ts'

/** The settings that workers get at their start and with each reload. */
export function workerLimits(settings: Settings): WorkerLimits {
  return {
    maxRunTimeMs: settings.maxRunTimeMs,
    killWaitMs: settings.killWaitMs,
    nodeTimeoutMs: settings.nodeTimeoutMs,
    fence: settings.fence,
    resultKeepMs: settings.resultKeepTimeMs,
    resultKeepCount: settings.resultKeepCount,
    failKeepMs: settings.failKeepTimeMs,
    php: settings.php ?? 'php',
    timezone: settings.timezone,
    failOnStderr: settings.failOnStderr,
    tasks: settings.tasks,
    verdictsDir: join(settings.dataDir, 'verdicts'),
    cacheDir: join(settings.dataDir, 'cache'),
    ...(settings.binPath !== undefined && { binPath: settings.binPath }),
    ...(settings.rpcAllow !== undefined && { rpcAllow: settings.rpcAllow }),
  }
}
