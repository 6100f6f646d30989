import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import { unreachable } from '../lib/errors.ts'
import type { DaemonEvent, Events } from '../model/events.ts'
import { addProcessMetrics } from './process-metrics.ts'
import { addStatusMetrics, type QueueLooks, type WatchedStatus } from './status-metrics.ts'

export interface MetricsDeps<Watched extends WatchedStatus> {
  readonly events: Events
  readonly version: string
  /** The queue of a worker; '' when it is not known any more. */
  readonly queueOf: (workerId: string) => string
  /** Those of features. @returns what takes a status over, just before the registry is read */
  readonly more: readonly ((registry: Registry) => (status: Watched) => void)[]
}

/** Seconds; a run may take a moment or a night. */
const RUN_BUCKETS = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600]
/** Seconds; a tick is on time within a millisecond. */
const LATE_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 30, 60]
/** Seconds; an answer takes a millisecond, a wait as long as its task. */
const HTTP_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 30]

/** Counts what happens, and measures what is when it is asked. For Prometheus. */
export class Metrics<Watched extends WatchedStatus> {
  readonly #registry = new Registry()
  readonly #deps: MetricsDeps<Watched>
  readonly #unsubscribe: () => void
  readonly #setStatus: (status: Watched, looks: QueueLooks) => void

  readonly #runs: Counter<'queue' | 'job' | 'outcome'>
  readonly #durations: Histogram<'queue'>
  readonly #ticks: Counter<'action'>
  readonly #lateness: Histogram
  readonly #recovered: Counter<'outcome'>
  readonly #requests: Counter<'method' | 'route' | 'status'>
  readonly #requestSeconds: Histogram<'method' | 'route'>

  constructor(deps: MetricsDeps<Watched>) {
    this.#deps = deps
    const registers = [this.#registry]
    this.#runs = new Counter({
      registers,
      name: 'taskd_runs_total',
      help: 'Runs that have ended on this node. outcome: succ, fail, other (another code), returned (given back), replaced (by the next tick).',
      labelNames: ['queue', 'job', 'outcome'],
    })
    this.#durations = new Histogram({
      registers,
      name: 'taskd_run_duration_seconds',
      help: 'How long runs took.',
      labelNames: ['queue'],
      buckets: RUN_BUCKETS,
    })
    this.#ticks = new Counter({
      registers,
      name: 'taskd_ticks_total',
      help: 'Ticks of jobs, by what came of them: queued, skipped, replaced, missed, paused.',
      labelNames: ['action'],
    })
    this.#lateness = new Histogram({
      registers,
      name: 'taskd_tick_lateness_seconds',
      help: 'How late tasks of the schedule were put on their queues.',
      buckets: LATE_BUCKETS,
    })
    this.#recovered = new Counter({
      registers,
      name: 'taskd_recovered_tasks_total',
      help: 'Tasks whose worker died: given back, buried after the last death, or told, their run having ended.',
      labelNames: ['outcome'],
    })
    this.#requests = new Counter({
      registers,
      name: 'taskd_http_requests_total',
      help: 'HTTP requests that were answered.',
      labelNames: ['method', 'route', 'status'],
    })
    this.#requestSeconds = new Histogram({
      registers,
      name: 'taskd_http_request_duration_seconds',
      help: 'How long answers took to begin.',
      labelNames: ['method', 'route'],
      buckets: HTTP_BUCKETS,
    })
    const build = new Gauge({
      registers,
      name: 'taskd_build_info',
      help: 'Always 1.',
      labelNames: ['version'],
    })
    build.set({ version: deps.version }, 1)
    const setStatus = addStatusMetrics(this.#registry)
    const others = deps.more.map(add => add(this.#registry))
    this.#setStatus = (status, looks) => {
      setStatus(status, looks)
      for (const set of others) set(status)
    }
    addProcessMetrics(this.#registry)
    this.#unsubscribe = deps.events.subscribe(event => this.#count(event))
  }

  get contentType(): string {
    return this.#registry.contentType
  }

  /** Everything, in the text format of Prometheus. */
  render(status: Watched, looks: QueueLooks): Promise<string> {
    this.#setStatus(status, looks)
    return this.#registry.metrics()
  }

  /** A request was answered. @param what `GET /pattern`, or `unknown` */
  answered(what: string, status: number, ms: number): void {
    const [method = '', route = ''] = what.includes(' ') ? what.split(' ') : ['', what]
    this.#requests.inc({ method, route, status })
    this.#requestSeconds.observe({ method, route }, ms / 1000)
  }

  close(): void {
    this.#unsubscribe()
  }

  #count(event: DaemonEvent): void {
    switch (event.type) {
      case 'run-ended': {
        const queue = this.#deps.queueOf(event.workerId)
        const { job, outcome, durationMs } = event.run
        this.#runs.inc({ queue, job, outcome })
        return this.#durations.observe({ queue }, durationMs / 1000)
      }
      case 'tick':
        this.#ticks.inc({ action: event.action }, event.count)
        if (event.action === 'queued' || event.action === 'replaced')
          this.#lateness.observe(Math.max(0, event.lateMs) / 1000)
        return undefined
      case 'recovered':
        return this.#recovered.inc({ outcome: event.outcome })
      case 'node':
      case 'program':
      case 'died':
      case 'emptied':
      case 'run-started':
      case 'health':
        // The status or fail_log says these when it is asked.
        return undefined
      default:
        return unreachable(event)
    }
  }
}
