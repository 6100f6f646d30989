import { readdirSync } from 'node:fs'
import { performance } from 'node:perf_hooks'
import { Counter, Gauge, type Registry } from 'prom-client'

/**
 * The daemon's own process, under the names that Prometheus has for every process. prom-client's
 * own set keeps a timer of 10 ms going; these are looked up when they are asked for, and cost
 * nothing until then.
 */
export function addProcessMetrics(registry: Registry): void {
  const gauge = (name: string, help: string, measure: () => number): Gauge =>
    new Gauge({
      registers: [registry],
      name,
      help,
      collect() {
        this.set(measure())
      },
    })
  const cpu: Counter = new Counter({
    registers: [registry],
    name: 'process_cpu_seconds_total',
    help: 'User and system CPU time of the master, in seconds.',
    collect() {
      const { user, system } = process.cpuUsage()
      cpu.reset()
      cpu.inc((user + system) / 1e6)
    },
  })
  gauge(
    'process_start_time_seconds',
    'When the master was started, in seconds since 1970.',
    () => performance.timeOrigin / 1000,
  )
  gauge('process_resident_memory_bytes', 'Resident memory of the master.', () =>
    process.memoryUsage.rss(),
  )
  gauge(
    'process_open_fds',
    'Open file descriptors of the master.',
    () => readdirSync('/proc/self/fd').length,
  )
  gauge(
    'nodejs_heap_size_used_bytes',
    'The used part of the heap.',
    () => process.memoryUsage().heapUsed,
  )
  let before = performance.eventLoopUtilization()
  const busySince = () => {
    const now = performance.eventLoopUtilization()
    const { utilization } = performance.eventLoopUtilization(now, before)
    before = now
    return utilization
  }
  gauge(
    'nodejs_eventloop_utilization_ratio',
    'The part of the time since the last scrape in which the event loop was busy.',
    busySince,
  )
}
