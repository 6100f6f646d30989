export interface Order {
  readonly cents: number
}

export const total = (orders: readonly Order[]): number =>
  orders.reduce((sum, order) => sum + order.cents, 0)
