//! Two workers compared with one.

use super::{
    HOST, rounds, start,
    support::{
        arguments::Arguments, generator::wrk, nginx::Nginx, process::Process, statistics::median, table::Table,
        tool::open_folder,
    },
};

pub fn table(arguments: &Arguments) -> Table {
    let mut table = Table::new(&["workers", "CPU (µs)", "requests/s", "to one worker", "cores used"]);
    if !arguments.selects("workers") {
        return table;
    }
    let folder = open_folder();
    let backend = Nginx::start(None, folder.path());
    let time = arguments.seconds("seconds", 5);
    let mut per_second = [Vec::new(), Vec::new()];
    let (mut cpu, mut cores) = (per_second.clone(), per_second.clone());
    for _ in 0..rounds(arguments) {
        for (index, workers) in [1, 2].into_iter().enumerate() {
            let program = start(backend.address).workers(workers).run();
            let url = format!("http://{HOST}:{}/small", program.http().port());
            let process = Process(program.id());
            wrk(None, &url, 64, std::time::Duration::from_secs(1), &[]);
            let before = process.cpu();
            let run = wrk(None, &url, 64, time, &[]);
            assert!(run.bad == 0.0, "{} bad responses", run.bad);
            let used = process.cpu() - before;
            per_second[index].extend(run.per_second);
            cpu[index].push(used * 1e6 / run.requests);
            cores[index].push(used / time.as_secs_f64());
        }
    }
    for (index, workers) in [1, 2].into_iter().enumerate() {
        table.row(vec![
            workers.to_string(),
            format!("{:.1}", median(&cpu[index])),
            format!("{:.0}", median(&per_second[index])),
            format!("{:.2}", median(&per_second[index]) / median(&per_second[0])),
            format!("{:.2}", median(&cores[index])),
        ]);
    }
    table
}
