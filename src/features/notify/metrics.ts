import { Counter, Gauge } from 'prom-client'
import type { AddMetrics } from '../feature.ts'

export const addMetrics: AddMetrics = registry => {
  const registers = [registry]
  const labelNames = ['notify']
  const gauge = (name: string, help: string) => new Gauge({ registers, name, help, labelNames })
  const counter = (name: string, help: string) => new Counter({ registers, name, help, labelNames })
  const up = gauge('taskd_notify_up', '1 when the last notice was taken, or none was sent yet.')
  const sent = counter('taskd_notify_sent_notices_total', 'Notices that were taken.')
  const failed = counter(
    'taskd_notify_failed_attempts_total',
    'Attempts to send a notice that nobody took; it is tried again for an hour.',
  )
  const waiting = gauge('taskd_notify_waiting_events', 'Events that are to be told yet.')
  const dropped = counter(
    'taskd_notify_dropped_events_total',
    'Events that a notice only counts, too many at once, or that nobody took for an hour.',
  )
  return ({ notices }) => {
    for (const one of [up, sent, failed, waiting, dropped]) one.reset()
    for (const { name: notify, ...one } of notices) {
      up.set({ notify }, one.ok ? 1 : 0)
      sent.inc({ notify }, one.sent)
      failed.inc({ notify }, one.failed)
      waiting.set({ notify }, one.waiting)
      dropped.inc({ notify }, one.dropped)
    }
  }
}
