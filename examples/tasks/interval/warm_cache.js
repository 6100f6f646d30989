// A function for a row of the table `task` that runs again and again:
//   taskd task add cache --trigger interval --spec 300 --func warm_cache --args '["/", "/points"]'

export async function warm_cache(task_key, pages, run) {
  console.log(`${task_key}: run ${run.sub_task_id}, trace ${run.trace_id}`)
  return { warmed: pages.length }
}
