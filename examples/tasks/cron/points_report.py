"""A function for a row of the table `task`. Put it where the daemon looks (`tasks/` beside the folder
of cron.ini, or `tasks =` in [taskd]), and then:

    taskd task add points --trigger cron --spec "0 9 * * 1-5" --func points_report --args '7,"north"'
"""

import asyncio


async def points_report(task_key, *args, **kwargs):
    days, region = args
    print("%s: run %s, trace %s" % (task_key, kwargs["sub_task_id"], kwargs["trace_id"]))
    await asyncio.sleep(0.2)
    return {"region": region, "days": days, "points": 100 * days}
