import { ManagedProgram, type ProgramDeps } from '../supervise/managed-program.ts'
import { type EmbeddedRedis, embeddedRedis } from './embedded-redis.ts'

/** The embedded Redis is always restarted, at once if it had run well. */
const POLICY = {
  autorestart: 'always',
  exitCodes: [],
  startMs: 1000,
  backoff: { baseMs: 100, factor: 2, capMs: 5000, jitter: 0.2 },
  maxQuick: Number.POSITIVE_INFINITY,
  maxDeaths: Number.POSITIVE_INFINITY,
  windowMs: 60_000,
  fatalRetryMs: 0,
  stopWaitMs: 10_000,
} as const

/** The embedded Redis as the program that it is for the master. */
export function redisProgram(
  dataDir: string,
  binary: string,
  deps: ProgramDeps,
): Pick<EmbeddedRedis, 'url'> & { readonly program: ManagedProgram } {
  const { url, launch } = embeddedRedis(dataDir, binary, deps.clock)
  return { url, program: new ManagedProgram('redis', launch, () => POLICY, deps) }
}
