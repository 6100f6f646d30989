<?php
// A function for a row of the table `task` that runs once:
//   taskd task add sale --trigger date --spec "2026-12-01 08:00:00" --func open_sale --args '42'

function open_sale(string $task_key, int $sale, array $run): array
{
    echo "$task_key: opening sale $sale, run {$run['sub_task_id']}\n";
    // With a `code`, the answer is taken as it is.
    return ['code' => 'succ', 'msg' => "sale $sale is open", 'data' => ['sale' => $sale]];
}
