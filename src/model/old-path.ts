/**
 * A path on which clients of another scheduler ask for a channel or a relay. Several channels may
 * share one; none may be a route of our own.
 */
const PATH = /^\/[A-Za-z0-9_-][A-Za-z0-9_.-]*(?:\/[A-Za-z0-9_-][A-Za-z0-9_.-]*)*$/

const OURS: readonly string[] = [
  '/api',
  '/docs',
  '/healthz',
  '/metrics',
  '/openapi.json',
  '/readyz',
  '/RPC2',
  '/queue',
  '/queues',
  '/promote',
  '/get_tasks',
  '/back_taskids',
]

/** What is wrong with it, or undefined. */
export function refuseOldPath(path: string): string | undefined {
  if (path.length > 200 || !PATH.test(path)) return `${path.slice(0, 60)} is no path`
  const ours = OURS.some(one => path === one || path.startsWith(`${one}/`))
  return ours ? `${path} is a path of taskd itself` : undefined
}
