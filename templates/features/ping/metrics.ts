import { Gauge } from 'prom-client'
import type { AddMetrics } from '../feature.ts'

export const addMetrics: AddMetrics = registry => {
  const up = new Gauge({
    registers: [registry],
    name: 'taskd_ping_up',
    help: '1 when the URL answers.',
    labelNames: ['ping'],
  })
  return ({ pings }) => {
    up.reset()
    for (const one of pings) up.set({ ping: one.name }, one.ok ? 1 : 0)
  }
}
