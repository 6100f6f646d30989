// The same in TypeScript, without a build step:
//   taskd task add orders --trigger interval --spec 60 --func count_orders
import { type Order, total } from '../lib/orders.ts'

interface Run {
  readonly sub_task_id: number
  readonly trace_id: string
}

export async function count_orders(taskKey: string, run: Run): Promise<object> {
  const orders: readonly Order[] = [{ cents: 995 }, { cents: 1205 }]
  console.log(`${taskKey}: run ${run.sub_task_id}`)
  return { orders: orders.length, cents: total(orders) }
}
