<?php
declare(strict_types=1);

/** Adds points to a customer's account, or would. */
class AccumulatePay
{
    public function execute(array $params): array
    {
        $points = (int) ($params['points'] ?? 10);
        echo "adding $points points\n";
        return ['code' => 'succ', 'msg' => "added $points points", 'data' => $params];
    }

    /** What is thrown is a failed task. */
    public function refund(array $params): array
    {
        throw new RuntimeException('nothing to refund');
    }
}
